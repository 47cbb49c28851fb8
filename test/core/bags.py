"""Writes small real bags (sqlite3 and mcap) with the `rosbags` library."""

from __future__ import annotations

from pathlib import Path

from core.ros_bytes import STORE, TYPES, _header, compressed, image
from rosbags.rosbag2 import StoragePlugin, Writer

COMPRESSED, IMAGE = "sensor_msgs/msg/CompressedImage", "sensor_msgs/msg/Image"
ODOMETRY = "nav_msgs/msg/Odometry"


def odometry(stamp_ns, pose, frame_id="odom", child_frame_id="base_link") -> bytes:
    import numpy as np

    point = TYPES["geometry_msgs/msg/Point"](*pose[:3])
    orientation = TYPES["geometry_msgs/msg/Quaternion"](*pose[3:])
    placed = TYPES["geometry_msgs/msg/Pose"](point, orientation)
    zero = TYPES["geometry_msgs/msg/Vector3"](0.0, 0.0, 0.0)
    message = TYPES[ODOMETRY](
        _header(stamp_ns, frame_id),
        child_frame_id,
        TYPES["geometry_msgs/msg/PoseWithCovariance"](placed, np.zeros(36)),
        TYPES["geometry_msgs/msg/TwistWithCovariance"](TYPES["geometry_msgs/msg/Twist"](zero, zero), np.zeros(36)),
    )
    return bytes(STORE.serialize_cdr(message, ODOMETRY))


def write_bag(path: Path, messages, storage="mcap") -> Path:
    """Writes (received_ns, topic, type, bytes) in the order given."""
    plugin = StoragePlugin.MCAP if storage == "mcap" else StoragePlugin.SQLITE3
    with Writer(path, version=9, storage_plugin=plugin) as writer:
        connections = {}
        for received, topic, kind, data in messages:
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=STORE)
            writer.write(connections[topic], received, data)
    return path


def drive_bag(path: Path, drive, picture, storage="mcap", prefix="/sensing/camera", raw=False) -> Path:
    """A drive of core.drives as a bag; `picture(message, number)` gives a JPEG's bytes."""
    messages = []
    for number, m in enumerate(drive):
        if m.stream == "odometry":
            messages.append((m.stamp_ns, "/localization/kinematic_state", ODOMETRY, odometry(m.stamp_ns, m.pose)))
        elif raw:
            data = image(bytes([number % 256]) * (16 * 24 * 3), 24, 16, "rgb8", 72, m.stamp_ns)
            messages.append((m.stamp_ns, f"{prefix}/{m.stream}/image_raw", IMAGE, data))
        else:
            data = compressed(picture(m, number), m.stamp_ns)
            messages.append((m.stamp_ns, f"{prefix}/{m.stream}/image_raw/compressed", COMPRESSED, data))
    return write_bag(path, messages, storage)
