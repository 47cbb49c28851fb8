"""The ingest bench's camera process: publishes four cameras and odometry, and times the paths that come back.

Prints one JSON object: frames sent once every subscription was there, and the latency from publishing the reference
camera's frame to receiving the path that is stamped with it. No path can be there before the last camera's frame of
that moment is published: how long that takes is given beside it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

import numpy as np
import rclpy
from nav_msgs.msg import Odometry, Path
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image

from alpamayo_ros.bench.camera_feed import HEIGHT, ODOMETRY_RATE, WIDTH, Feed
from alpamayo_ros.contract import CAMERA_ROLES, REFERENCE_ROLE, SECOND_NS
from alpamayo_ros.messages import stamp_ns, time_msg

SETTLING = 5.0  # seconds whose latencies are left out: first mappings of shared memory, caches
SPEED = 10.0  # of the vehicle, m/s


class Rig:
    """Publishers on the driver's topics, a subscriber on its path."""

    def __init__(self, feed: Feed, seconds: float):
        self.node = rclpy.create_node("ingest_rig")
        self.feed, self.seconds = feed, seconds
        sensor = QoSProfile(depth=20, reliability=ReliabilityPolicy.BEST_EFFORT)
        raw = feed.encoding == "rgb8"
        kind, suffix = (Image, "") if raw else (CompressedImage, "/compressed")
        self.cameras = {
            role: self.node.create_publisher(kind, f"camera/{role}/image{suffix}", sensor) for role in CAMERA_ROLES
        }
        self.odometry = self.node.create_publisher(Odometry, "odometry", QoSProfile(depth=100))
        self.messages = {role: [self._message(role, data) for data in feed.payloads[role]] for role in CAMERA_ROLES}
        self.published: dict[int, float] = {}
        self.latencies: list[tuple[float, float]] = []
        self.bursts: list[float] = []  # from publishing the reference camera's frame to having published the last one's
        self.node.create_subscription(Path, "/alpamayo_driver/path", self._on_path, 10)

    def _message(self, role: str, data: bytes):
        if self.feed.encoding == "rgb8":
            message = Image(height=HEIGHT, width=WIDTH, encoding="rgb8", step=3 * WIDTH)
        else:
            message = CompressedImage(format="jpeg")
        message.data = data
        message.header.frame_id = f"{role}_optical"
        return message

    def _on_path(self, message: Path) -> None:
        now, sent = time.monotonic(), self.published.get(stamp_ns(message.header.stamp))
        if sent is not None:
            self.latencies.append((sent, now - sent))

    def wait_for_subscribers(self, timeout: float = 60.0) -> None:
        deadline = time.monotonic() + timeout
        publishers = [*self.cameras.values(), self.odometry]
        while not all(p.get_subscription_count() for p in publishers) or not self.node.count_publishers(
            "/alpamayo_driver/path"
        ):
            if time.monotonic() > deadline:
                raise SystemExit(f"ingest_rig: nobody subscribed within {timeout:.0f} s")
            rclpy.spin_once(self.node, timeout_sec=0.05)
        time.sleep(1.0)  # matched on this side; the other side follows within a heartbeat

    def run(self) -> dict:
        """Publishes in bursts of four, each at its stamp's time; odometry at 100 Hz between them."""
        start_s = int(time.time()) + 1
        events = [
            (number / self.feed.rate, number, role)
            for number in range(int(self.seconds * self.feed.rate))
            for role in CAMERA_ROLES
        ]
        events += [(k / ODOMETRY_RATE, k, "odometry") for k in range(int(self.seconds * ODOMETRY_RATE))]
        began = time.monotonic() + (start_s - time.time())
        for at, number, stream in sorted(events, key=lambda event: event[0]):
            while (ahead := began + at - time.monotonic()) > 0:
                rclpy.spin_once(self.node, timeout_sec=ahead)
            if stream == "odometry":
                self._publish_odometry(start_s * SECOND_NS + number * SECOND_NS // ODOMETRY_RATE, at)
            else:
                self._publish_frame(stream, self.feed.stamp_ns(start_s, number))
        ends = time.monotonic() + 1.0
        while time.monotonic() < ends:
            rclpy.spin_once(self.node, timeout_sec=0.05)
        settled = [latency for sent, latency in self.latencies if sent - began > SETTLING]
        return {
            "frames_sent": len(CAMERA_ROLES) * int(self.seconds * self.feed.rate),
            "paths": len(self.latencies),
            "publishing_ms": round(1e3 * float(np.median(self.bursts)), 2),
            "latency_ms": {
                f"p{q}": round(1e3 * float(np.percentile(settled, q)), 2) if settled else None
                for q in (50, 90, 99, 100)
            },
        }

    def _publish_frame(self, role: str, stamp: int) -> None:
        message = self.messages[role][self.feed.variant(stamp)]
        message.header.stamp = time_msg(stamp)
        if role == REFERENCE_ROLE:
            self.published[stamp] = time.monotonic()
        self.cameras[role].publish(message)
        if role == CAMERA_ROLES[-1]:
            self.bursts.append(time.monotonic() - self.published[stamp])

    def _publish_odometry(self, stamp: int, seconds: float) -> None:
        message = Odometry(child_frame_id="base_link")
        message.header.frame_id, message.header.stamp = "odom", time_msg(stamp)
        message.pose.pose.position.x = SPEED * seconds
        self.odometry.publish(message)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--encoding", choices=("jpeg", "rgb8"), required=True)
    parser.add_argument("--rate", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    options = parser.parse_args()
    feed = Feed(options.encoding, options.rate)
    rclpy.init()
    rig = Rig(feed, options.seconds)
    rig.wait_for_subscribers()
    print(json.dumps(rig.run()), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
