"""The rig check of a vehicle: CameraInfo of the four cameras and /tf_static, heard until all is known."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo

from alpamayo_ros.contract import CAMERA_ROLES, NotReady
from alpamayo_ros.rig_check import RigCheck, info_topic

SENSOR = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
LATCHED = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL, reliability=ReliabilityPolicy.RELIABLE)


class RigListener:
    """Feeds a `RigCheck`; its subscriptions end with the last view that was wanted.

    Args:
        node: the node to subscribe with.
        images: each role's image topic as the driver names it, before remapping.
        ego_frame: the vehicle's frame.
        turn: held while a message is taken in; who reads `check` on another thread holds it too.
    """

    def __init__(self, node: Node, images: dict[str, str], ego_frame: str, turn: AbstractContextManager):
        from tf2_msgs.msg import TFMessage

        self._node, self._turn = node, turn
        self.check = RigCheck(ego_frame)
        self._subscriptions: list[Any] = []
        for role in CAMERA_ROLES:
            topic = info_topic(node.resolve_topic_name(images[role]))
            self._listen(CameraInfo, topic, partial(self.check.take_info, role), SENSOR)
        self._listen(TFMessage, "/tf_static", self.check.take_places, LATCHED)

    def look(self) -> list[NotReady]:
        """Logs what has been found, once, and gives the swaps; to be called now and then on the executor's thread."""
        if not self._subscriptions or not self.check.complete:
            return []
        swaps = self.check.swaps()
        log = self._node.get_logger().error if swaps else self._node.get_logger().warning
        for remark in self.check.remarks():
            log(f"rig: {remark}")
        self.close()
        return swaps

    def close(self) -> None:
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions = []

    def _listen(self, kind: type, topic: str, take: Callable[[bytes], None], qos: QoSProfile) -> None:
        def taken(data: bytes) -> None:
            with self._turn:
                take(data)

        self._subscriptions.append(self._node.create_subscription(kind, topic, taken, qos, raw=True))
