"""Starts the driver and its bridge under Autoware: `ros2 launch alpamayo_ros autoware.launch.py rig:=/my/rig.yaml`."""

from __future__ import annotations

import os

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from alpamayo_ros.bridges.autoware_topics import NAMINGS, driver_remappings, remappings
from alpamayo_ros.paths import config
from alpamayo_ros.rig import load_rig
from alpamayo_ros.transport import VARIABLE, profile

TOPICS = "Whose names to use: Autoware's (scenario: before 2026), its package alpamayo's, or the bridge's own."
ARGUMENTS = (
    ("params_file", str(config("autoware.yaml")), "The driver's and the bridge's parameters.", None),
    ("rig", str(config("rig_example.yaml")), "Rig file: topics of the cameras and of odometry.", None),
    ("topics", "autoware", TOPICS, list(NAMINGS)),
    ("use_sim_time", "false", "Take the time from /clock (simulators, bags).", ["true", "false"]),
    ("log_level", "info", "Least severe messages to log.", ["debug", "info", "warn", "error", "fatal"]),
    ("policy", "", "What plans; empty: as params_file says.", None),
)


def nodes(context: LaunchContext) -> list[Node]:
    """The driver with its rig's topics, and the bridge beside it."""
    names = ("policy", "rig", "topics")
    policy, rig_file, naming = (LaunchConfiguration(name).perform(context) for name in names)
    sim_time = {"use_sim_time": ParameterValue(LaunchConfiguration("use_sim_time"), value_type=bool)}
    rig = load_rig(rig_file)
    driver = {**sim_time, "image_transport": rig.image_transport, **rig.parameters}
    if policy:
        driver["policy"] = policy
    arguments = ["--ros-args", "--log-level", LaunchConfiguration("log_level")]
    bridge_names = {**dict(remappings(naming)), "odometry": rig.topics["odometry"]}
    return [
        Node(
            package="alpamayo_ros", executable="driver", name="alpamayo_driver", output="screen", arguments=arguments,
            parameters=[LaunchConfiguration("params_file"), driver],
            remappings=[*rig.remappings, *driver_remappings(naming)],
        ),
        Node(
            package="alpamayo_ros", executable="autoware_bridge", name="autoware_bridge", output="screen",
            arguments=arguments, parameters=[LaunchConfiguration("params_file"), sim_time],
            remappings=list(bridge_names.items()),
        ),
    ]  # fmt: skip


def generate_launch_description() -> LaunchDescription:
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=description, choices=choices)
        for name, default, description, choices in ARGUMENTS
    ]
    transport = [] if VARIABLE in os.environ else [SetEnvironmentVariable(VARIABLE, str(profile()))]
    return LaunchDescription([*arguments, *transport, OpaqueFunction(function=nodes)])
