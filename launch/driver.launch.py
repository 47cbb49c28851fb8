"""Starts the driver: `ros2 launch alpamayo_ros driver.launch.py policy:=vla rig:=/path/to/rig.yaml`."""

from __future__ import annotations

import os

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from alpamayo_ros.paths import config
from alpamayo_ros.rig import load_rig
from alpamayo_ros.transport import VARIABLE, profile

ARGUMENTS = (
    ("params_file", str(config("driver.yaml")), "The driver's parameters.", None),
    ("namespace", "", "Namespace of the node and of all its relative topics.", None),
    ("use_sim_time", "false", "Take the time from /clock (simulators, bags).", ["true", "false"]),
    ("log_level", "info", "Least severe messages to log.", ["debug", "info", "warn", "error", "fatal"]),
    ("policy", "", "What plans; empty: as params_file says.", None),
    ("rig", "", "Rig file: topics of the cameras and of odometry; empty: the driver's own names.", None),
)


def driver(context: LaunchContext) -> list[Node]:
    """The node, with what the arguments say laid over the parameter file."""
    policy, rig_file = (LaunchConfiguration(name).perform(context) for name in ("policy", "rig"))
    overrides = {"use_sim_time": ParameterValue(LaunchConfiguration("use_sim_time"), value_type=bool)}
    remappings = []
    if rig_file:
        rig = load_rig(rig_file)
        overrides |= {"image_transport": rig.image_transport, **rig.parameters}
        remappings = rig.remappings
    if policy:
        overrides["policy"] = policy
    return [
        Node(
            package="alpamayo_ros",
            executable="driver",
            name="alpamayo_driver",
            namespace=LaunchConfiguration("namespace"),
            parameters=[LaunchConfiguration("params_file"), overrides],
            remappings=remappings,
            arguments=["--ros-args", "--log-level", LaunchConfiguration("log_level")],
            output="screen",
        )
    ]


def generate_launch_description() -> LaunchDescription:
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=description, choices=choices)
        for name, default, description, choices in ARGUMENTS
    ]
    transport = [] if VARIABLE in os.environ else [SetEnvironmentVariable(VARIABLE, str(profile()))]
    return LaunchDescription([*arguments, *transport, OpaqueFunction(function=driver)])
