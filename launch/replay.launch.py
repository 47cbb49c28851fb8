"""Plays a bag into the driver: `ros2 launch alpamayo_ros replay.launch.py bag:=/path/to/bag`.

For a live run to look at. `python -m alpamayo_ros replay` plans every tick in lockstep, measures and reports; where
there is no `ros2 bag`, `python -m alpamayo_ros play` plays.
"""

from __future__ import annotations

import os

from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    OpaqueFunction,
    SetEnvironmentVariable,
    Shutdown,
)
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from alpamayo_ros.paths import config
from alpamayo_ros.replay.bag import Bag
from alpamayo_ros.replay.transforms import TF, TF_STATIC
from alpamayo_ros.rig import load_rig, propose_rig
from alpamayo_ros.transport import VARIABLE, profile

ARGUMENTS = (
    ("bag", "", "The rosbag2 bag to play.", None),
    ("rig", "", "Rig file; empty: proposed from the bag's topic names.", None),
    ("policy", "", "What plans; empty: as params_file says.", None),
    ("params_file", str(config("driver.yaml")), "The driver's parameters.", None),
    ("rate", "1.0", "Times the recorded pace; below 1 for a policy that is slower than the bag.", None),
    ("loop", "false", "Again and again.", ["true", "false"]),
    ("start_offset", "0.0", "Seconds of the bag to skip.", None),
)


def play(context: LaunchContext) -> list:
    """The driver on the bag's clock, and `ros2 bag play`, whose end is the end of everything."""
    value = {name: LaunchConfiguration(name).perform(context) for name, *_ in ARGUMENTS}
    if not value["bag"]:
        return [Shutdown(reason="replay.launch.py needs a bag: bag:=/path/to/bag")]
    with Bag(value["bag"]) as bag:
        rig = (load_rig(value["rig"]) if value["rig"] else propose_rig(bag.types)).check(bag.types, value["bag"])
        topics = [*rig.topics.values(), *(topic for topic in (TF, TF_STATIC) if topic in bag.types)]
    command = ["ros2", "bag", "play", value["bag"], "--clock", "100", "--rate", value["rate"]]
    command += ["--start-offset", value["start_offset"], *(["--loop"] if value["loop"] == "true" else [])]
    command += ["--topics", *topics, "--remap", *(f"{theirs}:=/{ours}" for ours, theirs in rig.remappings)]
    overrides = {"use_sim_time": True, "image_transport": rig.image_transport, **rig.parameters}
    overrides |= {"policy": value["policy"]} if value["policy"] else {}
    return [
        Node(
            package="alpamayo_ros",
            executable="driver",
            name="alpamayo_driver",
            parameters=[LaunchConfiguration("params_file"), overrides],
            output="screen",
        ),
        ExecuteProcess(cmd=command, output="screen", on_exit=Shutdown(reason="the bag has ended")),
    ]


def generate_launch_description() -> LaunchDescription:
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=description, choices=choices)
        for name, default, description, choices in ARGUMENTS
    ]
    transport = [] if VARIABLE in os.environ else [SetEnvironmentVariable(VARIABLE, str(profile()))]
    return LaunchDescription([*arguments, *transport, OpaqueFunction(function=play)])
