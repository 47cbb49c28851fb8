"""CARLA's names, which are the same for the ros-bridge and for the server's own `--ros2`: topics, frames, types, QoS.

A vehicle's topics begin with /carla/<role>, where the role is its `role_name` ("hero", "ego_vehicle"). Cameras are
called after the roles of the driver (config/carla_rig.json).
"""

from __future__ import annotations

from importlib import import_module

from alpamayo_ros.contract import CAMERA_ROLES

MAP, BASE = "map", "base_link"
ROLE = "hero"
CONTROL = "carla_msgs/msg/CarlaEgoVehicleControl"
INFO = "carla_msgs/msg/CarlaEgoVehicleInfo"
QUEUE = 10  # the depth of the ros-bridge's publishers and subscriptions


class CarlaMessagesMissing(ImportError):
    """CARLA's message package is not installed."""


def messages():
    """The module `carla_msgs.msg`.

    Raises:
        CarlaMessagesMissing: it is not there.
    """
    try:
        return import_module("carla_msgs.msg")
    except ImportError as error:
        raise CarlaMessagesMissing(
            f"the package carla_msgs is not installed ({error}); put https://github.com/carla-simulator/ros-carla-msgs "
            "into the workspace and build it. The driver itself needs no carla_msgs"
        ) from None


def topic(role: str, name: str) -> str:
    """A topic of the vehicle: "odometry", "vehicle_info", "vehicle_control_cmd", ..."""
    return f"/carla/{role}/{name}"


def image(role: str, camera: str) -> str:
    """A camera's pictures: sensor_msgs/Image, bgra8."""
    return topic(role, f"{camera}/image")


def camera_info(role: str, camera: str) -> str:
    return topic(role, f"{camera}/camera_info")


def optical_frame(role: str, camera: str) -> str:
    """The frame id of a camera's pictures; in the ros-bridge's TF its axes are optical ones (REP-103)."""
    return f"{role}/{camera}"


def remappings(role: str) -> list[tuple[str, str]]:
    """The driver's topics -> CARLA's."""
    cameras = [(f"camera/{camera}/image", image(role, camera)) for camera in CAMERA_ROLES]
    return [*cameras, ("odometry", topic(role, "odometry"))]


def reliable(role: str) -> dict[str, str]:
    """Parameters that make the driver's subscriptions as reliable as the ros-bridge's publishers.

    A simulator waits for nobody: a picture that is lost between two machines is gone, one that is sent again is not.
    """
    cameras = (f"qos_overrides.{image(role, camera)}.subscription" for camera in CAMERA_ROLES)
    return {f"{name}.reliability": "reliable" for name in cameras}


def driver_arguments(role: str) -> list[str]:
    """ROS's arguments of a driver for this vehicle, beside config/carla.yaml; as launch/carla.launch.py gives them."""
    renamed = [word for old, new in remappings(role) for word in ("-r", f"{old}:={new}")]
    return renamed + [word for name, value in reliable(role).items() for word in ("-p", f"{name}:={value}")]
