"""/tf and /tf_static from a node: tf2_ros where it is installed, else the package's own buffer."""

from __future__ import annotations

import numpy as np
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from alpamayo_ros import serialized
from alpamayo_ros.cdr import CdrError
from alpamayo_ros.contract import SECOND_NS
from alpamayo_ros.frames import TransformSource
from alpamayo_ros.geometry import Pose
from alpamayo_ros.tf_buffer import TransformBuffer, TransformError


def listen(node: Node) -> TransformSource:
    """A source fed by /tf and /tf_static: tf2_ros where it is installed, else the package's own buffer."""
    try:
        return _Tf2(node)
    except ImportError:
        return _Own(node)


class _Own:
    """The package's own buffer over the same topics and QoS as tf2_ros's TransformListener."""

    def __init__(self, node: Node):
        from tf2_msgs.msg import TFMessage

        self._node = node
        self._buffer = TransformBuffer()
        latched = QoSProfile(
            depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL, reliability=ReliabilityPolicy.RELIABLE
        )
        self._subscriptions = [
            node.create_subscription(
                TFMessage, "/tf", lambda data: self._take(data, False), QoSProfile(depth=100), raw=True
            ),
            node.create_subscription(TFMessage, "/tf_static", lambda data: self._take(data, True), latched, raw=True),
        ]

    def lookup(self, target: str, source: str, stamp_ns: int, timeout: float) -> Pose:
        return self._buffer.wait_for(target, source, stamp_ns, timeout)[0]

    def clear(self) -> None:
        self._buffer.clear()

    def close(self) -> None:
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)

    def _take(self, data: bytes, static: bool) -> None:
        try:
            transforms = serialized.transforms(data)
        except CdrError as error:
            self._refuse(error)
            return
        for each in transforms:
            try:
                self._buffer.set_transform(each.parent, each.child, each.stamp_ns, each.pose, static)
            except ValueError as error:
                self._refuse(error)

    def _refuse(self, error: ValueError) -> None:
        self._node.get_logger().warning(f"/tf: {error}", throttle_duration_sec=5.0)


class _Tf2:
    """tf2_ros, for machines that have it."""

    def __init__(self, node: Node):
        import tf2_ros

        self._tf2 = tf2_ros
        # node= lets the buffer clear itself when /clock jumps back; no spin_thread: it would spin the driver twice.
        self._buffer = tf2_ros.Buffer(node=node)
        self._listener = tf2_ros.TransformListener(self._buffer, node, spin_thread=False)

    def lookup(self, target: str, source: str, stamp_ns: int, timeout: float) -> Pose:
        from rclpy.duration import Duration
        from rclpy.time import Time

        try:
            found = self._buffer.lookup_transform(
                target, source, Time(nanoseconds=stamp_ns), Duration(nanoseconds=round(timeout * SECOND_NS))
            )
        except self._tf2.TransformException as error:
            raise TransformError(type(error).__name__, str(error)) from None
        t, q = found.transform.translation, found.transform.rotation
        return Pose(np.array([t.x, t.y, t.z]), np.array([q.x, q.y, q.z, q.w]))

    def clear(self) -> None:
        self._buffer.clear()

    def close(self) -> None:
        self._listener.unregister()
