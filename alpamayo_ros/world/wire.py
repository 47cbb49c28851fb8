"""The world's sensors as serialized ROS 2 messages: what a bag stores and what DDS sends, from one place.

Written with the `rosbags` library, so that it needs no ROS. Frames (REP-105): `map` -> `base_link`, and one static
optical frame a camera (REP-103).
"""

from __future__ import annotations

from functools import cache

import numpy as np

from alpamayo_ros.contract import CAMERA_ROLES, SECOND_NS
from alpamayo_ros.geometry import quaternion_from_yaw
from alpamayo_ros.world.rig import RIG
from alpamayo_ros.world.state import EgoState
from alpamayo_ros.world.vehicle import WHEELBASE

MAP, BASE = "map", "base_link"
IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
CAMERA_INFO, ODOMETRY = "sensor_msgs/msg/CameraInfo", "nav_msgs/msg/Odometry"
TF, CLOCK, STRING = "tf2_msgs/msg/TFMessage", "rosgraph_msgs/msg/Clock", "std_msgs/msg/String"
PATH = "nav_msgs/msg/Path"
JPEG_QUALITY = 90


@cache
def store():
    """The type store of the messages, which takes a moment to make."""
    from rosbags.typesys import Stores, get_typestore

    return get_typestore(Stores.ROS2_KILTED)


def optical_frame(role: str) -> str:
    """The frame id of a camera's images."""
    return f"{role}_optical"


def compressed_image(role: str, stamp_ns: int, rgb: np.ndarray) -> bytes:
    """A CompressedImage (JPEG) of a (H, W, 3) uint8 RGB image."""
    import simplejpeg

    data = simplejpeg.encode_jpeg(np.ascontiguousarray(rgb), JPEG_QUALITY, "RGB", "420")
    return _serialize(COMPRESSED, _header(stamp_ns, optical_frame(role)), "jpeg", np.frombuffer(data, np.uint8))


def image(frame_id: str, stamp_ns: int, encoding: str, pixels: np.ndarray) -> bytes:
    """An Image of (H, W, C) uint8 pixels that are in the order of `encoding`, rows without padding."""
    height, width, channels = pixels.shape
    data = np.ascontiguousarray(pixels).reshape(-1)
    return _serialize(IMAGE, _header(stamp_ns, frame_id), height, width, encoding, 0, width * channels, data)


def camera_info(role: str, stamp_ns: int, height: int, width: int) -> bytes:
    """A CameraInfo of the world's own camera."""
    return pinhole(optical_frame(role), stamp_ns, height, width, RIG[role].intrinsics(height, width))


def pinhole(frame_id: str, stamp_ns: int, height: int, width: int, k: np.ndarray) -> bytes:
    """A CameraInfo: intrinsics (3, 3), plumb_bob with no distortion."""
    p = np.hstack([k, np.zeros((3, 1))])
    no_roi = _make("sensor_msgs/msg/RegionOfInterest", 0, 0, 0, 0, False)
    return _serialize(
        CAMERA_INFO, _header(stamp_ns, frame_id), height, width, "plumb_bob", np.zeros(5), k.reshape(-1),
        np.eye(3).reshape(-1), p.reshape(-1), 0, 0, no_roi,
    )  # fmt: skip


def odometry(stamp_ns: int, ego: EgoState) -> bytes:
    """An Odometry of base_link in map, its twist in base_link."""
    return body_odometry(stamp_ns, BASE, ego.x, ego.y, ego.yaw, (ego.speed, 0.0), yaw_rate(ego))


def body_odometry(
    stamp_ns: int, child: str, x: float, y: float, yaw: float, velocity: tuple[float, float], turning: float
) -> bytes:
    """An Odometry of a body in map, covariances zero; `velocity` m/s forward and left, `turning` rad/s."""
    zero = np.zeros(36)
    pose = _make("geometry_msgs/msg/Pose", _point(x, y), _rotation(quaternion_from_yaw(yaw)))
    twist = _make("geometry_msgs/msg/Twist", _vector(*velocity), _vector(z=turning))
    return _serialize(
        ODOMETRY, _header(stamp_ns, MAP), child,
        _make("geometry_msgs/msg/PoseWithCovariance", pose, zero),
        _make("geometry_msgs/msg/TwistWithCovariance", twist, zero),
    )  # fmt: skip


def yaw_rate(ego: EgoState) -> float:
    """rad/s, counter-clockwise."""
    return float(ego.speed * np.tan(ego.steering) / WHEELBASE)


def transform(stamp_ns: int, ego: EgoState) -> bytes:
    """/tf: map -> base_link."""
    return transforms(stamp_ns, [(MAP, BASE, (ego.x, ego.y, 0.0), quaternion_from_yaw(ego.yaw))])


def static_transforms(stamp_ns: int) -> bytes:
    """/tf_static: base_link -> every camera's optical frame."""
    return transforms(
        stamp_ns, [(BASE, optical_frame(role), RIG[role].xyz, RIG[role].quaternion) for role in CAMERA_ROLES]
    )


def transforms(stamp_ns: int, placed: list[tuple[str, str, tuple[float, float, float], np.ndarray]]) -> bytes:
    """A TFMessage of (parent, child, xyz in the parent, quaternion xyzw)."""
    messages = [
        _make(
            "geometry_msgs/msg/TransformStamped", _header(stamp_ns, parent), child,
            _make("geometry_msgs/msg/Transform", _vector(*xyz), _rotation(quaternion)),
        )
        for parent, child, xyz, quaternion in placed
    ]  # fmt: skip
    return _serialize(TF, messages)


def clock(now_ns: int) -> bytes:
    return _serialize(CLOCK, _time(now_ns))


def text(data: str) -> bytes:
    """A std_msgs/String."""
    return _serialize(STRING, data)


def _make(name: str, *values: object):
    return store().types[name](*values)


def _serialize(name: str, *values: object) -> bytes:
    return bytes(store().serialize_cdr(_make(name, *values), name))


def _time(stamp_ns: int):
    return _make("builtin_interfaces/msg/Time", *divmod(stamp_ns, SECOND_NS))


def _header(stamp_ns: int, frame_id: str):
    return _make("std_msgs/msg/Header", _time(stamp_ns), frame_id)


def _point(x: float, y: float, z: float = 0.0):
    return _make("geometry_msgs/msg/Point", float(x), float(y), float(z))


def _vector(x: float = 0.0, y: float = 0.0, z: float = 0.0):
    return _make("geometry_msgs/msg/Vector3", float(x), float(y), float(z))


def _rotation(quaternion: np.ndarray):
    return _make("geometry_msgs/msg/Quaternion", *map(float, quaternion))
