"""The messages that the driver takes in, read from their bytes: as values, or a `CdrError` that says what is wrong.

rclpy drops a message that it cannot deserialize without a word; read here, it is refused by name. The fields are those
of ROS 2's message definitions, in their order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from alpamayo_ros.cdr import CdrError, CdrReader
from alpamayo_ros.geometry import Pose
from alpamayo_ros.history import Sample

# A message of transforms holds a robot's links; a count beyond this is no count.
MAX_TRANSFORMS = 10_000


@dataclass(frozen=True)
class OdometryIn:
    """nav_msgs/Odometry: stamp (ns), pose (x, y, z, qx, qy, qz, qw), frames, and the twist's linear speed (m/s)."""

    stamp_ns: int
    sample: Sample
    frame_id: str
    child_frame_id: str
    speed: float


@dataclass(frozen=True, eq=False)
class TransformIn:
    """geometry_msgs/TransformStamped."""

    stamp_ns: int
    parent: str
    child: str
    pose: Pose


@dataclass(frozen=True)
class CameraInfoIn:
    """sensor_msgs/CameraInfo, as far as a camera's view follows from it."""

    frame_id: str
    height: int
    width: int
    model: str
    distortion: tuple[float, ...]
    k: tuple[float, ...]


def odometry(data: bytes) -> OdometryIn:
    """A serialized nav_msgs/Odometry.

    Raises:
        CdrError: it is none.
    """
    reader = CdrReader(data)
    stamp, frame, child = reader.time_ns(), reader.string(), reader.string()
    sample = reader.doubles(7)
    reader.doubles(36)
    return OdometryIn(stamp, sample, frame, child, math.hypot(*reader.doubles(6)[:3]))


def text(data: bytes) -> str:
    """A serialized std_msgs/String.

    Raises:
        CdrError: it is none.
    """
    return CdrReader(data).string()


def transforms(data: bytes) -> list[TransformIn]:
    """A serialized tf2_msgs/TFMessage.

    Raises:
        CdrError: it is none.
    """
    reader = CdrReader(data)
    count = reader.uint32()
    if count > MAX_TRANSFORMS:
        raise CdrError(f"{count} transforms in one message")
    found = []
    for _ in range(count):
        stamp, parent, child = reader.time_ns(), reader.string(), reader.string()
        values = np.array(reader.doubles(7))
        found.append(TransformIn(stamp, parent, child, Pose(values[:3], values[3:])))
    return found


def camera_info(data: bytes) -> CameraInfoIn:
    """A serialized sensor_msgs/CameraInfo, up to K.

    Raises:
        CdrError: it is none.
    """
    reader = CdrReader(data)
    reader.time_ns()
    frame, height, width, model = reader.string(), reader.uint32(), reader.uint32(), reader.string()
    count = reader.uint32()
    if count > 64:
        raise CdrError(f"{count} coefficients of distortion")
    return CameraInfoIn(frame, height, width, model, reader.doubles(count), reader.doubles(9))
