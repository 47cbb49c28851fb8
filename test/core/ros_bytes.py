"""Serialized ROS 2 messages without ROS: the `rosbags` library writes the CDR that our reader has to read."""

from __future__ import annotations

import numpy as np
from rosbags.typesys import Stores, get_typestore

STORE = get_typestore(Stores.ROS2_KILTED)
TYPES = STORE.types


def _header(stamp_ns: int, frame_id: str):
    time = TYPES["builtin_interfaces/msg/Time"](stamp_ns // 10**9, stamp_ns % 10**9)
    return TYPES["std_msgs/msg/Header"](time, frame_id)


def image(data, width, height, encoding, step, stamp_ns=1_500_000_000, frame_id="camera_optical") -> bytes:
    data = np.frombuffer(bytes(data), dtype=np.uint8)
    message = TYPES["sensor_msgs/msg/Image"](_header(stamp_ns, frame_id), height, width, encoding, 0, step, data)
    return bytes(STORE.serialize_cdr(message, "sensor_msgs/msg/Image"))


def compressed(data, stamp_ns=1_500_000_000, form="jpeg", frame_id="camera_optical") -> bytes:
    data = np.frombuffer(bytes(data), dtype=np.uint8)
    message = TYPES["sensor_msgs/msg/CompressedImage"](_header(stamp_ns, frame_id), form, data)
    return bytes(STORE.serialize_cdr(message, "sensor_msgs/msg/CompressedImage"))
