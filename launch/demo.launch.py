"""The small world and the driver that drives it: `ros2 launch alpamayo_ros demo.launch.py command:="turn left"`."""

from __future__ import annotations

import os

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable, Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from alpamayo_ros.live.options import HELD_OUT
from alpamayo_ros.paths import config
from alpamayo_ros.transport import VARIABLE, profile

# Those of the world, by the names of its command line.
WORLD = (
    ("scenario", "", "What happens: a family of the small world; empty: its default."),
    ("seed", str(HELD_OUT), "Which of the endless drives of that kind."),
    ("command", "", "Navigation text, e.g. 'turn left'; empty: the scenario's own."),
    ("seconds", "30.0", "How long to drive, in world time."),
    ("real_time_factor", "1.0", "World seconds a second."),
    ("out", "out", "Where drive.mp4 goes."),
)
ARGUMENTS = (
    ("params_file", str(config("driver.yaml")), "The driver's parameters."),
    ("policy", "", "What plans; empty: as params_file says."),
    *WORLD,
)


def nodes(context: LaunchContext) -> list[Node]:
    """The driver on the world's clock, and the world, whose end is the end of everything."""
    value = {name: LaunchConfiguration(name).perform(context) for name, _, _ in ARGUMENTS}
    overrides = {"use_sim_time": True, **({"policy": value["policy"]} if value["policy"] else {})}
    options = [(f"--{name.replace('_', '-')}", value[name]) for name, _, _ in WORLD if value[name]]
    return [
        Node(
            package="alpamayo_ros",
            executable="driver",
            name="alpamayo_driver",
            parameters=[LaunchConfiguration("params_file"), overrides],
            output="screen",
        ),
        Node(
            package="alpamayo_ros",
            executable="world",
            arguments=[word for option in options for word in option],
            output="screen",
            on_exit=Shutdown(),
        ),
    ]


def generate_launch_description() -> LaunchDescription:
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, default, description in ARGUMENTS
    ]
    transport = [] if VARIABLE in os.environ else [SetEnvironmentVariable(VARIABLE, str(profile()))]
    return LaunchDescription([*arguments, *transport, OpaqueFunction(function=nodes)])
