"""The sensors of a fault run, a process of its own: four cameras, odometry, TF, CameraInfo and, if asked, /clock.

It takes one JSON object a line on its standard input and answers likewise:

    {"begin": KIND, "seed": N}   spoil what is sent from now on     -> {"began": monotonic, "stamp": ns, "about": ...}
    {"end": true}                send the truth again               -> {"ended": monotonic, "stamp": ns}
    {"say": TEXT}                publish a command               -> {"said": monotonic, "stamp": ns}
    {"heard": true}              when cameras and odometry are read -> {"heard": monotonic, "stamp": ns, "failed": TEXT}
    {"quit": true}
"""

from __future__ import annotations

import argparse
import json
import queue
import random
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from alpamayo_ros.contract import CAMERA_ROLES, SECOND_NS
from alpamayo_ros.faults import truth
from alpamayo_ros.imaging import decode_jpeg
from alpamayo_ros.transport import use_profile
from alpamayo_ros.world import wire

STEP_NS = 10_000_000
FRAME_STEPS, TF_STEPS = 10, 5
# The simulated clock begins here.
SIMULATED_START_NS = 1000 * SECOND_NS
# A process that was stopped does not send what it has missed (steps).
MISSED = 25
# How long DDS may take to introduce readers (s).
HEARD_WITHIN = 15.0
MAP = "map"
MAP_TO_ODOM = (100.0, -50.0, 0.3)  # x, y, yaw of odom in map


@dataclass(frozen=True)
class Item:
    """One message to be: its stream, stamp, when it is due (monotonic s), and what it holds.

    `values["bytes"]` is sent as it stands. `publisher` names another publisher of the same topic.
    """

    stream: str
    stamp_ns: int
    due: float
    values: dict[str, Any]
    publisher: str = ""

    def changed(self, **values: Any) -> Item:
        return replace(self, values={**self.values, **values})


@dataclass
class Spoil:
    """What a fault does to the messages: each becomes none, one or several. `about` is the stream it is about."""

    change: Callable[[Item], list[Item]] = lambda item: [item]
    about: str = ""
    stop: Callable[[], None] = lambda: None


@dataclass
class Feed:
    """Publishers of all streams; sends the truth, or what a fault makes of it."""

    node: Any
    truth: truth.Truth
    raw: bool
    simulated: bool
    shift_ns: int = 0  # of the simulated time
    clock_stands_ns: int | None = None
    publishers: dict[tuple[str, str], Any] = field(default_factory=dict)
    spoil: Spoil = field(default_factory=Spoil)
    _waiting: list[tuple[float, int, Item]] = field(default_factory=list)
    _number: Any = field(default_factory=count)

    def __post_init__(self) -> None:
        self._pixels = {
            role: [decode_jpeg(data) for data in each] if self.raw else [] for role, each in self.truth.pictures.items()
        }
        for role in CAMERA_ROLES:
            self.publisher(role)
            self.publisher(f"{role}/info")
        for stream in ("odometry", "tf", "tf_static", "command", *(("clock",) if self.simulated else ())):
            self.publisher(stream)
        self.publishers["tf_static", ""].publish(wire.static_transforms(STEP_NS))

    def publisher(self, stream: str, name: str = "") -> Any:
        """The publisher of a stream, made when it is asked for first."""
        if (stream, name) not in self.publishers:
            self.publishers[stream, name] = self._make(stream)
        return self.publishers[stream, name]

    def end_publisher(self, stream: str, name: str) -> None:
        self.node.destroy_publisher(self.publishers.pop((stream, name)))

    def heard(self) -> bool:
        """Whether DDS has introduced a reader to every camera and to the odometry."""
        return all(self.publishers[stream, ""].get_subscription_count() for stream in (*CAMERA_ROLES, "odometry"))

    def topic(self, stream: str) -> str:
        if stream in CAMERA_ROLES:
            return f"camera/{stream}/image" + ("" if self.raw else "/compressed")
        if stream.endswith("/info"):
            return f"camera/{stream.removesuffix('/info')}/camera_info"
        return {"tf": "/tf", "tf_static": "/tf_static", "clock": "/clock"}.get(stream, stream)

    def step(self, number: int, now: float) -> None:
        """Sends what is due at one step of the grid."""
        stamp = self.stamp(number)
        for item in self._true(number, stamp, now):
            for spoiled in self.spoil.change(item):
                heappush(self._waiting, (spoiled.due, next(self._number), spoiled))
        while self._waiting and self._waiting[0][0] <= now:
            self._send(heappop(self._waiting)[2])

    def stamp(self, number: int) -> int:
        return number * STEP_NS + (self.shift_ns if self.simulated else 0)

    def camera(self, role: str, stamp_ns: int, due: float) -> Item:
        """A true frame."""
        frame = wire.optical_frame(role)
        if self.raw:
            data = self._pixels[role][truth.variant(stamp_ns)]
            height, width = data.shape[:2]
            values = {"height": height, "width": width, "encoding": "rgb8", "step": 3 * width, "data": data.tobytes()}
        else:
            values = {"format": "jpeg", "data": self.truth.picture(role, stamp_ns)}
        return Item(role, stamp_ns, due, {"frame_id": frame, **values})

    def odometry(self, stamp_ns: int, due: float) -> Item:
        values = {"pose": truth.pose(stamp_ns), "speed": truth.SPEED}
        return Item("odometry", stamp_ns, due, {"frame_id": truth.FRAME, "child": truth.CHILD, **values})

    def _true(self, number: int, stamp: int, due: float) -> list[Item]:
        items = []
        if self.simulated:
            items.append(Item("clock", self.clock_stands_ns or stamp, due, {}))
        items.append(self.odometry(stamp, due))
        if number % TF_STEPS == 0:
            items.append(Item("tf", stamp, due, {"links": [(MAP, truth.FRAME, *MAP_TO_ODOM)]}))
        if number % FRAME_STEPS == 0:
            for role in CAMERA_ROLES:
                items.append(self.camera(role, stamp, due))
                items.append(Item(f"{role}/info", stamp, due, {"role": role}))
        return items

    def _make(self, stream: str) -> Any:
        from nav_msgs.msg import Odometry
        from rclpy.qos import DurabilityPolicy, QoSProfile
        from rosgraph_msgs.msg import Clock
        from sensor_msgs.msg import CameraInfo, CompressedImage, Image
        from std_msgs.msg import String
        from tf2_msgs.msg import TFMessage

        kinds = {"odometry": Odometry, "tf": TFMessage, "tf_static": TFMessage, "clock": Clock, "command": String}
        if stream in CAMERA_ROLES:
            kind = Image if self.raw else CompressedImage
        else:
            kind = CameraInfo if stream.endswith("/info") else kinds[stream]
        latched = stream in ("tf_static", "command")
        durability = DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE
        return self.node.create_publisher(kind, self.topic(stream), QoSProfile(depth=20, durability=durability))

    def _send(self, item: Item) -> None:
        message = item.values["bytes"] if "bytes" in item.values else self._message(item)
        self.publisher(item.stream, item.publisher).publish(message)

    def _message(self, item: Item) -> Any:
        from nav_msgs.msg import Odometry
        from rosgraph_msgs.msg import Clock
        from sensor_msgs.msg import CompressedImage, Image
        from std_msgs.msg import String

        from alpamayo_ros.messages import time_msg

        values = item.values
        if item.stream.endswith("/info"):
            return wire.camera_info(values["role"], item.stamp_ns, truth.HEIGHT, truth.WIDTH)
        if item.stream == "clock":
            return Clock(clock=time_msg(item.stamp_ns))
        if item.stream == "tf":
            return _transforms(item)
        if item.stream == "command":
            return String(data=values["text"])
        if item.stream == "odometry":
            message = Odometry(child_frame_id=values["child"])
            p, q = message.pose.pose.position, message.pose.pose.orientation
            p.x, p.y, p.z, q.x, q.y, q.z, q.w = map(float, values["pose"])
            message.twist.twist.linear.x = float(values["speed"])
        else:
            message = (Image if self.raw else CompressedImage)(
                **{name: value for name, value in values.items() if name != "frame_id"}
            )
        message.header.stamp, message.header.frame_id = time_msg(item.stamp_ns), values["frame_id"]
        return message


def _transforms(item: Item) -> Any:
    from geometry_msgs.msg import TransformStamped
    from tf2_msgs.msg import TFMessage

    from alpamayo_ros.messages import time_msg

    message = TFMessage()
    for parent, child, x, y, yaw in item.values["links"]:
        link = TransformStamped(child_frame_id=child)
        link.header.stamp, link.header.frame_id = time_msg(item.stamp_ns), parent
        link.transform.translation.x, link.transform.translation.y = float(x), float(y)
        link.transform.rotation.z, link.transform.rotation.w = float(np.sin(yaw / 2)), float(np.cos(yaw / 2))
        message.transforms.append(link)
    return message


def _listen(into: queue.Queue) -> None:
    for line in sys.stdin:
        into.put(json.loads(line))
    into.put({"quit": True})


def _answer(**values: Any) -> None:
    print(json.dumps(values), flush=True)


def run(feed: Feed, orders: queue.Queue) -> None:
    """Sends until it is told to quit."""
    from alpamayo_ros.faults.spoilers import SPOILERS

    offset = SIMULATED_START_NS // STEP_NS if feed.simulated else time.time_ns() // STEP_NS
    began = time.monotonic()
    number, patience = 0, None
    while True:
        now = time.monotonic()
        due = int((now - began) * SECOND_NS) // STEP_NS
        number = due if due > number + MISSED else number
        while number <= due:
            feed.step(offset + number, now)
            number += 1
        if patience is not None and (feed.heard() or now > patience):
            failed = "" if feed.heard() else f"nobody reads the new sensors after {HEARD_WITHIN:g} s"
            patience = None
            _answer(heard=now, stamp=feed.stamp(offset + number), failed=failed)
        while not orders.empty():
            order = orders.get()
            at = {"stamp": feed.stamp(offset + number)}
            if "quit" in order:
                return
            if "heard" in order:
                patience = now + HEARD_WITHIN
            elif "begin" in order:
                feed.spoil = SPOILERS[order["begin"]](random.Random(f"{order['begin']} {order['seed']}"), feed)
                _answer(began=time.monotonic(), about=feed.spoil.about, **at)
            elif "end" in order:
                feed.spoil.stop()
                feed.spoil = Spoil()
                _answer(ended=time.monotonic(), stamp=feed.stamp(offset + number))
            else:
                feed.publisher("command").publish(
                    feed._message(Item("command", 0, 0.0, {"text": order["say"]}))
                )
                _answer(said=time.monotonic(), **at)
        time.sleep(max(0.0, began + number * STEP_NS / SECOND_NS - time.monotonic()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--raw", action="store_true")
    parser.add_argument("--simulated", action="store_true")
    options = parser.parse_args()
    use_profile()
    import rclpy

    rclpy.init(args=[])
    node = rclpy.create_node("faults_feed", enable_rosout=False, start_parameter_services=False)
    feed = Feed(node, truth.load(options.truth), options.raw, options.simulated)
    orders: queue.Queue = queue.Queue()
    threading.Thread(target=_listen, args=(orders,), daemon=True).start()
    _answer(ready=time.monotonic())
    run(feed, orders)
    rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
