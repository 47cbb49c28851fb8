"""The driver in CARLA: `ros2 launch alpamayo_ros carla.launch.py role_name:=hero bridge:=ros_bridge`.

The simulator, its bridge and the vehicle are started elsewhere:
ros-bridge: `ros2 launch carla_spawn_objects carla_spawn_objects.launch.py objects_definition_file:=.../carla_rig.json`;
native (0.9.16, `--ros2`): CARLA's PythonAPI/examples/ros2/ros2_native.py --file .../carla_rig_native.json, less its
autopilot, which would hold the wheel.
"""

from __future__ import annotations

import os

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from alpamayo_ros.bridges import carla_topics
from alpamayo_ros.paths import config
from alpamayo_ros.transport import VARIABLE, profile

BRIDGES = ["ros_bridge", "native"]
ARGUMENTS = (
    ("role_name", carla_topics.ROLE, "The vehicle's role_name, which its topics begin with.", None),
    ("bridge", "ros_bridge", "Who puts CARLA on ROS: carla_ros_bridge, or the server itself (--ros2).", BRIDGES),
    ("params_file", str(config("carla.yaml")), "Parameters of all nodes.", None),
    ("policy", "", "What plans; empty: as params_file says.", None),
    ("follow", "true", "Hold wheel and pedals; false: only say where the rear axle is.", ["true", "false"]),
    ("host", "localhost", "Where the simulator runs (native: its odometry comes through the PythonAPI).", None),
    ("port", "2000", "The simulator's port (native).", None),
)


def nodes(context: LaunchContext) -> list[Node]:
    """The driver, the follower, and the odometry that the native bridge lacks."""
    value = {name: LaunchConfiguration(name).perform(context) for name, *_ in ARGUMENTS}
    role, file = value["role_name"], value["params_file"]
    overrides = {"use_sim_time": True, **carla_topics.reliable(role)}
    if value["policy"]:
        overrides["policy"] = value["policy"]
    follower = {"use_sim_time": True, "role_name": role, "follow": value["follow"] == "true"}
    started = [
        Node(
            package="alpamayo_ros", executable="driver", name="alpamayo_driver", parameters=[file, overrides],
            remappings=carla_topics.remappings(role), output="screen",
        ),
        Node(
            package="alpamayo_ros", executable="carla_follower", name="carla_follower", parameters=[file, follower],
            output="screen",
        ),
    ]  # fmt: skip
    if value["bridge"] == "native":
        source = {"use_sim_time": True, "role_name": role, "host": value["host"], "port": int(value["port"])}
        started.append(
            Node(
                package="alpamayo_ros", executable="carla_odometry", name="carla_odometry", parameters=[file, source],
                output="screen",
            )
        )  # fmt: skip
    return started


def generate_launch_description() -> LaunchDescription:
    arguments = [
        DeclareLaunchArgument(name, default_value=default, description=description, choices=choices)
        for name, default, description, choices in ARGUMENTS
    ]
    transport = [] if VARIABLE in os.environ else [SetEnvironmentVariable(VARIABLE, str(profile()))]
    return LaunchDescription([*arguments, *transport, OpaqueFunction(function=nodes)])
