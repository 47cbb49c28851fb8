"""/tf and /tf_static of a bag, as far as the replay has come."""

from __future__ import annotations

import numpy as np

from alpamayo_ros.geometry import Pose
from alpamayo_ros.replay.plain import deserialize
from alpamayo_ros.tf_buffer import TransformBuffer

TF, TF_STATIC = "/tf", "/tf_static"


class BagTransforms:
    """A source of transforms that is fed with a bag's messages; its lookups never wait."""

    def __init__(self) -> None:
        self.buffer = TransformBuffer()

    def take(self, data: bytes, kind: str, static: bool) -> None:
        """One tf2_msgs/TFMessage; what is none, and transforms that are none, are left out, as tf2 does."""
        try:
            transforms = deserialize(data, kind).transforms
        except Exception:
            return
        for transform in transforms:
            t, q = transform.transform.translation, transform.transform.rotation
            pose = Pose(np.array([t.x, t.y, t.z]), np.array([q.x, q.y, q.z, q.w]))
            stamp = transform.header.stamp
            try:
                self.buffer.set_transform(
                    transform.header.frame_id, transform.child_frame_id, stamp.sec * 10**9 + stamp.nanosec, pose, static
                )
            except ValueError:
                continue

    def lookup(self, target: str, source: str, stamp_ns: int, timeout: float) -> Pose:
        return self.buffer.lookup(target, source, stamp_ns)[0]

    def clear(self) -> None:
        self.buffer.clear()

    def close(self) -> None:
        """Nothing is held open."""
