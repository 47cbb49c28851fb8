"""The driver and a rig that feeds it, in one process over real DDS, with real rclpy on both sides."""

from __future__ import annotations

import threading
import time

import cv2
import numpy as np
import rclpy
from core.drives import drive
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TransformStamped
from nav_msgs.msg import Odometry, Path
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from ros import fake_policy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import String
from std_srvs.srv import Trigger
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import MarkerArray
from waiting import wait_for

from alpamayo_ros.contract import CAMERA_ROLES
from alpamayo_ros.messages import stamp_ns, time_msg
from alpamayo_ros.msg import DrivingPlan
from alpamayo_ros.node import AlpamayoDriver
from alpamayo_ros.session import Session


def jpeg(number: int, height: int = 16, width: int = 24) -> bytes:
    """A grey picture; no two numbers give the same bytes, as no two exposures of a camera do."""
    picture = np.full((height, width, 3), (7 * number) % 256, np.uint8)
    return cv2.imencode(".jpg", picture)[1].tobytes() + number.to_bytes(8, "little")


class Graph:
    """`start()` a driver, `play()` messages to it, look at what it published."""

    def __init__(self, monkeypatch):
        self._closed = False
        self.taken = 0  # camera and odometry messages that the driver's callbacks have handled
        for name in ("_on_image", "_on_odometry"):
            monkeypatch.setattr(Session, name, self._counting(getattr(Session, name)))
        self.published = 0
        publish = AlpamayoDriver._publish

        def published(driver, messages):
            publish(driver, messages)
            self.published += 1

        monkeypatch.setattr(AlpamayoDriver, "_publish", published)
        fake_policy.seen.clear()
        fake_policy.hook = None
        fake_policy.Fake.closed = False
        rclpy.init()
        self.rig = rclpy.create_node("rig")
        self.driver: AlpamayoDriver | None = None
        self.paths, self.reasonings, self.plans, self.markers, self.diagnostics = [], [], [], [], []
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.rig)
        self._thread = threading.Thread(target=self._executor.spin, daemon=True)
        self._publishers = {}

    def start(self, image_transport="compressed", active=True, **parameters) -> AlpamayoDriver:
        """Makes the driver with these parameters (dots as __), and brings it up."""
        values = {"autostart": False, "policy": "fake", "image_transport": image_transport, "diagnostics_period": 0.2}
        values |= {name.replace("__", "."): value for name, value in parameters.items()}
        overrides = [Parameter(name, value=value) for name, value in values.items()]
        self.driver = AlpamayoDriver(parameter_overrides=overrides)
        for kind, name, into in (
            (Path, "path", self.paths),
            (String, "reasoning", self.reasonings),
            (DrivingPlan, "plan", self.plans),
            (MarkerArray, "markers", self.markers),
        ):
            self.rig.create_subscription(kind, f"/alpamayo_driver/{name}", into.append, 50)
        self.rig.create_subscription(DiagnosticArray, "/diagnostics", self.diagnostics.append, 50)
        sensor = QoSProfile(depth=50, reliability=ReliabilityPolicy.BEST_EFFORT)
        kind, suffix = (CompressedImage, "/compressed") if image_transport == "compressed" else (Image, "")
        for role in CAMERA_ROLES:
            self._publishers[role] = self.rig.create_publisher(kind, f"camera/{role}/image{suffix}", sensor)
        self._publishers["odometry"] = self.rig.create_publisher(Odometry, "odometry", sensor)
        self._publishers["/tf"] = self.rig.create_publisher(TFMessage, "/tf", 100)
        self._publishers["/clock"] = self.rig.create_publisher(Clock, "/clock", 1)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._publishers["/tf_static"] = self.rig.create_publisher(TFMessage, "/tf_static", latched)
        self._executor.add_node(self.driver)
        if active:
            assert self.driver.trigger_configure().name == "SUCCESS"
            assert self.driver.trigger_activate().name == "SUCCESS"
        self._thread.start()
        if active:
            fake_policy.seen.clear()  # the warm-up
            self.wait_connected()
        return self.driver

    def wait_connected(self) -> None:
        streams = (*CAMERA_ROLES, "odometry")
        wait_for(lambda: all(self._publishers[s].get_subscription_count() for s in streams))
        wait_for(lambda: self.rig.count_publishers("/alpamayo_driver/plan"))
        wait_for(
            lambda: self.driver._out_plan.get_subscription_count() and self.driver._out_path.get_subscription_count()
        )

    def play(self, messages=None, speed=None, image=None, odometry_frames=("odom", "base_link"), **how) -> None:
        """Publishes a drive's messages in order of receipt.

        Each waits until the driver has taken the one before and its worker is idle, so that a slow machine gives
        the same plans as a fast one; with `speed`, at that multiple of the stamps' own pace, whatever the driver does.
        """
        messages = messages if messages is not None else drive(**how)
        first, began = min(m.stamp_ns for m in messages), time.monotonic()
        for number, message in enumerate(messages):
            if self._closed:
                return
            taken = self.taken
            if speed is not None:
                time.sleep(max(0.0, (message.stamp_ns - first) / 1e9 / speed - (time.monotonic() - began)))
            if message.stream == "odometry":
                self.odometry(message.stamp_ns, message.pose, *odometry_frames)
            else:
                self.image(message.stream, message.stamp_ns, image(message, number) if image else None, number)
            if speed is None:
                wait_for(lambda before=taken: self.taken > before and self.idle())

    def idle(self) -> bool:
        """Whether the driver's worker has nothing to do."""
        worker = self.driver._session._worker
        return worker._waiting is None and worker._running is None

    def image(self, role, stamp, message=None, number=0) -> None:
        if message is None:
            message = CompressedImage(format="jpeg", data=jpeg(number))
        message.header.stamp = time_msg(stamp)
        message.header.frame_id = f"{role}_optical"
        self._publishers[role].publish(message)

    def odometry(self, stamp, pose, frame_id="odom", child_frame_id="base_link") -> None:
        message = Odometry(child_frame_id=child_frame_id)
        message.header.frame_id, message.header.stamp = frame_id, time_msg(stamp)
        p, q = message.pose.pose.position, message.pose.pose.orientation
        p.x, p.y, p.z, q.x, q.y, q.z, q.w = map(float, pose)
        self._publishers["odometry"].publish(message)

    def transform(self, parent, child, stamp, xyz=(0.0, 0.0, 0.0), yaw=0.0, static=False) -> None:
        transform = TransformStamped(child_frame_id=child)
        transform.header.frame_id, transform.header.stamp = parent, time_msg(stamp)
        t, q = transform.transform.translation, transform.transform.rotation
        t.x, t.y, t.z = map(float, xyz)
        q.z, q.w = float(np.sin(yaw / 2)), float(np.cos(yaw / 2))
        self._publishers["/tf_static" if static else "/tf"].publish(TFMessage(transforms=[transform]))

    def clock(self, stamp) -> None:
        self._publishers["/clock"].publish(Clock(clock=time_msg(stamp)))

    def reset(self) -> Trigger.Response:
        client = self.rig.create_client(Trigger, "/alpamayo_driver/reset")
        assert client.wait_for_service(timeout_sec=5)
        future = client.call_async(Trigger.Request())
        return wait_for(lambda: future.done() and future.result())

    def settle(self, seconds: float = 0.3) -> None:
        """Lets everything under way arrive; on a busy machine that takes longer than `seconds`."""
        time.sleep(seconds)
        deadline = time.monotonic() + 3.0  # a depth of one may have dropped a plan: it need not come
        while len(self.plans) < self.published and time.monotonic() < deadline:
            time.sleep(0.01)

    def status(self, name="plans"):
        """The newest diagnostic of that name: (level, message, values)."""
        for array in reversed(self.diagnostics):
            for status in array.status:
                if status.name == f"alpamayo_driver: {name}":
                    return status.level, status.message, {pair.key: pair.value for pair in status.values}
        return None

    def t0s(self) -> list[int]:
        return [stamp_ns(plan.header.stamp) for plan in self.plans]

    def _counting(self, callback):
        def counted(*arguments):
            callback(*arguments)
            self.taken += 1

        return counted

    def close(self) -> None:
        self._closed = True
        self._executor.shutdown(timeout_sec=5)
        if self._thread.is_alive():
            self._thread.join(5)
        if self.driver is not None:
            self.driver.close()
            self.driver.destroy_node()
        self.rig.destroy_node()
        rclpy.shutdown()
