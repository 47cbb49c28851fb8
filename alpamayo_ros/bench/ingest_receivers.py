"""The ingest bench's receiving process: our driver, the straightforward node that it is measured against, or the floor.

On SIGTERM it prints one JSON object: frames received, processor time and memory between the first frame and the last.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path as FilePath

import cv2
import numpy as np
import rclpy
from nav_msgs.msg import Odometry, Path
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image

from alpamayo_ros import policies
from alpamayo_ros.contract import CAMERA_ROLES, make_example
from alpamayo_ros.messages import stamp_ns
from alpamayo_ros.policies.baseline import Baseline


class Meter:
    """Processor time and frames since the first frame, memory once a second."""

    def __init__(self) -> None:
        self.frames: Counter[str] = Counter()
        self._first: tuple[float, float] | None = None
        self._last = (0.0, 0.0)
        self.memory_mb: list[float] = []
        threading.Thread(target=self._watch_memory, daemon=True).start()

    def frame(self, role: str) -> None:
        self._last = (time.monotonic(), time.process_time())
        self._first = self._first or self._last
        self.frames[role] += 1

    def _watch_memory(self) -> None:
        while True:
            pages = int(FilePath("/proc/self/statm").read_text().split()[1])
            if self._first is not None:
                self.memory_mb.append(round(pages * 4096 / 2**20, 2))
            time.sleep(1.0)

    def report(self) -> dict:
        first = self._first or self._last
        cpu, frames = self._last[1] - first[1], sum(self.frames.values())
        return {
            "frames_received": frames,
            "frames_by_camera": dict(self.frames),
            "cpu_s": round(cpu, 3),
            "cpu_ms_per_frame": round(1e3 * cpu / max(frames, 1), 3),
            "memory_mb": self.memory_mb,
        }


def driver(options: argparse.Namespace, meter: Meter) -> tuple[Node, Callable[[], dict]]:
    """Our node, with the baseline or with the policy that checks every image's checksum."""
    from alpamayo_ros.bench.checksum_policy import ChecksumPolicy
    from alpamayo_ros.node import AlpamayoDriver
    from alpamayo_ros.session import Session

    policies.register("checksum", "alpamayo_ros.bench.checksum_policy")
    keep = Session._on_image

    def counted(session: Session, role: str, data: bytes) -> None:
        meter.frame(role)
        keep(session, role, data)

    Session._on_image = counted
    values = {
        "policy": options.policy,
        "checksum.encoding": options.encoding,
        "checksum.rate": options.rate,
        "image_transport": "raw" if options.encoding == "rgb8" else "compressed",
        "markers": False,
    }
    node = AlpamayoDriver(parameter_overrides=[Parameter(name, value=value) for name, value in values.items()])
    node.trigger_configure()
    node.trigger_activate()

    def extra() -> dict:
        return {
            "ticks": ChecksumPolicy.ticks,
            "images_checked": ChecksumPolicy.checked,
            "images_wrong": ChecksumPolicy.wrong,
            "refused": dict(node._session.statistics.refused) if node._session else {},
        }

    return node, extra


class Floor(Node):
    """The same streams as bytes, and nothing done with them: what rclpy itself costs."""

    def __init__(self, encoding: str, meter: Meter):
        super().__init__("alpamayo_driver")
        kind, suffix = (Image, "") if encoding == "rgb8" else (CompressedImage, "/compressed")
        sensor = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
        for role in CAMERA_ROLES:
            topic = f"camera/{role}/image{suffix}"
            self.create_subscription(kind, topic, partial(self._on_image, meter, role), sensor, raw=True)
        self.create_subscription(Odometry, "odometry", lambda data: None, 50, raw=True)
        self.out = self.create_publisher(Path, "/alpamayo_driver/path", 1)  # the rig waits for one

    def _on_image(self, meter: Meter, role: str, data: bytes) -> None:
        meter.frame(role)


class Straightforward(Node):
    """What one writes first: message objects, every frame decoded in its callback, the last four of each camera.

    It plans ten times a second, as soon as every camera's frame of that stamp is there: no timer's phase is added.
    """

    def __init__(self, encoding: str, rate: int, meter: Meter):
        super().__init__("alpamayo_driver")
        self.meter, self.every = meter, max(1, rate // 10)
        self.images: dict[str, list[np.ndarray]] = {role: [] for role in CAMERA_ROLES}
        self.newest: dict[str, int] = {}
        self.baseline, self.example, self.count = Baseline(), make_example(), 0
        kind, suffix = (Image, "") if encoding == "rgb8" else (CompressedImage, "/compressed")
        sensor = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
        for role in CAMERA_ROLES:
            self.create_subscription(kind, f"camera/{role}/image{suffix}", partial(self._on_image, role), sensor)
        self.create_subscription(Odometry, "odometry", lambda message: None, 50)
        self.out = self.create_publisher(Path, "/alpamayo_driver/path", 1)

    def _on_image(self, role: str, message: CompressedImage | Image) -> None:
        self.meter.frame(role)
        if isinstance(message, Image):
            image = np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, 3).copy()
        else:
            image = cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_COLOR)
            image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        self.images[role] = [*self.images[role][-3:], image]
        self.newest[role] = stamp_ns(message.header.stamp)
        if len(set(self.newest.values())) == 1 and len(self.newest) == len(CAMERA_ROLES):
            self.count += 1
            if self.count % self.every == 0:
                self._plan(message.header)

    def _plan(self, header) -> None:
        from geometry_msgs.msg import PoseStamped

        plan = self.baseline(self.example)
        path = Path(header=header)
        for x, y, _ in plan.xyz[0]:
            pose = PoseStamped(header=header)
            pose.pose.position.x, pose.pose.position.y = float(x), float(y)
            path.poses.append(pose)
        self.out.publish(path)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=("driver", "straightforward", "floor"))
    parser.add_argument("--encoding", choices=("jpeg", "rgb8"), required=True)
    parser.add_argument("--rate", type=int, required=True)
    parser.add_argument("--policy", choices=("baseline", "checksum"), default="baseline")
    options = parser.parse_args()
    rclpy.init()
    # As the driver's own process does; the others are left with what they would have.
    meter, extra, serve = Meter(), dict, rclpy.spin
    if options.kind == "driver":
        from alpamayo_ros.node import SWITCH_INTERVAL
        from alpamayo_ros.spinning import spin

        sys.setswitchinterval(SWITCH_INTERVAL)
        node, extra = driver(options, meter)
        serve = spin
    elif options.kind == "floor":
        node = Floor(options.encoding, meter)
    else:
        node = Straightforward(options.encoding, options.rate, meter)
    # The signal shuts the context down under whatever callback is running, which then raises as it likes.
    with suppress(Exception, KeyboardInterrupt):
        serve(node)
    print(json.dumps(meter.report() | extra()), flush=True)
    if options.kind == "driver":
        node.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
