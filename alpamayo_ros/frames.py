"""Where the ego frame is: TF, asked only when odometry alone does not say.

Odometry is `odom -> base_link` already, so with the default frames no transform is ever looked up, nor /tf
subscribed to. TF comes in when odometry's child frame is not the ego frame (CARLA's actor origin, an IMU), or when
plans are wanted in a frame that is neither odometry's nor the ego's. Lookups happen on the worker's thread.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from alpamayo_ros.contract import SECOND_NS, NotReady, Reason
from alpamayo_ros.geometry import IDENTITY, Pose
from alpamayo_ros.messages import stamp_ns
from alpamayo_ros.tf_buffer import TransformBuffer, TransformError
from alpamayo_ros.tick import Tick
from alpamayo_ros.window import Window

ODOMETRY = "odometry"


class TransformSource(Protocol):
    """Poses of frames in frames, at stamps."""

    def lookup(self, target: str, source: str, stamp_ns: int, timeout: float) -> Pose:
        """The pose of `source` in `target`. Raises TransformError."""

    def clear(self) -> None: ...

    def close(self) -> None: ...


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
                TFMessage, "/tf", lambda message: self._take(message, False), QoSProfile(depth=100)
            ),
            node.create_subscription(TFMessage, "/tf_static", lambda message: self._take(message, True), latched),
        ]

    def lookup(self, target: str, source: str, stamp_ns: int, timeout: float) -> Pose:
        return self._buffer.wait_for(target, source, stamp_ns, timeout)[0]

    def clear(self) -> None:
        self._buffer.clear()

    def close(self) -> None:
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)

    def _take(self, message, static: bool) -> None:
        for transform in message.transforms:
            t, q = transform.transform.translation, transform.transform.rotation
            pose = Pose(np.array([t.x, t.y, t.z]), np.array([q.x, q.y, q.z, q.w]))
            header = transform.header
            try:
                self._buffer.set_transform(
                    header.frame_id, transform.child_frame_id, stamp_ns(header.stamp), pose, static
                )
            except ValueError as error:
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


class Frames:
    """The ego frame in odometry's frame, and in the frame that plans are published in.

    Args:
        node: whose /tf to listen to, once that is needed.
        ego_frame: the vehicle's frame.
        output_frame: "odometry" or a frame's name.
        timeout: seconds that a lookup may wait for late transforms.
    """

    def __init__(self, node: Node, ego_frame: str, output_frame: str, timeout: float):
        self._node = node
        self._ego = ego_frame
        self._output = output_frame
        self._timeout = timeout
        self._source: TransformSource | None = None
        if output_frame not in (ODOMETRY, ego_frame):
            self._source = listen(node)

    def expect_child(self, child_frame_id: str) -> None:
        """Told of odometry's child frame as it comes in; starts to listen to TF when that is not the ego frame."""
        if self._source is None and child_frame_id not in ("", self._ego):
            self._source = listen(self._node)

    def locate(self, window: Window) -> Pose | NotReady:
        """The ego frame's sixteen poses in odometry's frame: odometry's poses, then its child frame's offset."""
        if window.odometry_child in ("", self._ego):
            return window.poses
        offset = self._lookup(window.odometry_child, self._ego, window.t0_ns)
        return offset if isinstance(offset, NotReady) else window.poses @ offset

    def output(self, tick: Tick) -> tuple[str, Pose] | NotReady:
        """The output frame's name and the ego frame's pose in it at t0."""
        odometry_frame = tick.window.odometry_frame
        if self._output in (ODOMETRY, odometry_frame):
            return odometry_frame, tick.ego
        if self._output == self._ego:
            return self._ego, IDENTITY
        placed = self._lookup(self._output, odometry_frame, tick.window.t0_ns)
        return placed if isinstance(placed, NotReady) else (self._output, placed @ tick.ego)

    def clear(self) -> None:
        """A new epoch: transforms of the old one are of another time."""
        if self._source is not None:
            self._source.clear()

    def close(self) -> None:
        if self._source is not None:
            self._source.close()
            self._source = None

    def _lookup(self, target: str, source: str, t0_ns: int) -> Pose | NotReady:
        if self._source is None:
            return NotReady(
                Reason.TF_UNAVAILABLE, f"{target} <- {source}", "TF is not being listened to yet", {}, t0_ns
            )
        try:
            return self._source.lookup(target, source, t0_ns, self._timeout)
        except TransformError as error:
            return NotReady(Reason.TF_UNAVAILABLE, f"{target} <- {source}", f"{error.kind}: {error}", {}, t0_ns)
