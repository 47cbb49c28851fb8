"""`play`: publishes a bag's messages through DDS at the times of their receipt, under the driver's topic names.

The serialized bytes go out as they were recorded. For machines without rosbag2; `ros2 bag play` does the same with
remappings.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from alpamayo_ros.contract import CAMERA_ROLES, SECOND_NS
from alpamayo_ros.replay.bag import Bag, BagError, Recorded
from alpamayo_ros.rig import Rig, RigError, load_rig, propose_rig
from alpamayo_ros.transport import use_profile

TF_TOPICS = ("/tf", "/tf_static")
CLOCK_PERIOD_NS = 10_000_000
# Until everybody has heard of a new time (s).
CLOCK_SETTLES = 0.2


def routes(bag: Bag, rig: Rig) -> dict[str, str]:
    """Topic in the bag -> topic to publish on: the rig's streams, and /tf.

    Raises:
        RigError: the bag lacks a topic of the rig, or it is of another type.
    """
    rig.check(bag.types, str(bag.path))
    found = {topic: name for name, topic in rig.remappings}
    return found | {topic: topic for topic in TF_TOPICS if topic in bag.types}


def laps(bag: Bag, topics: list[str], loop: bool, skip_ns: int) -> Iterator[Recorded]:
    """The bag's messages, once or for ever. Static transforms come first in each lap, whenever they were recorded."""
    while True:
        yield from (m._replace(received_ns=bag.start_ns + skip_ns) for m in bag.messages(["/tf_static"]))
        rest = [topic for topic in topics if topic != "/tf_static"]
        yield from (m for m in bag.messages(rest) if m.received_ns >= bag.start_ns + skip_ns)
        if not loop:
            return


class Player:
    """Publishers for a bag's topics, and the pace."""

    def __init__(self, node, bag: Bag, rig: Rig, rate: float, clock: bool):
        from rclpy.qos import DurabilityPolicy, QoSProfile
        from rosgraph_msgs.msg import Clock

        self._node, self._bag, self._rate = node, bag, rate
        self._routes = routes(bag, rig)
        self._publishers = {}
        for topic, name in self._routes.items():
            latched = DurabilityPolicy.TRANSIENT_LOCAL if topic == "/tf_static" else DurabilityPolicy.VOLATILE
            qos = QoSProfile(depth=20, durability=latched)
            self._publishers[topic] = node.create_publisher(_message_class(bag.types[topic]), name, qos)
        self._clock = node.create_publisher(Clock, "/clock", 1) if clock else None
        self.sent = 0

    def wait_for_subscribers(self, timeout: float) -> bool:
        """Until somebody listens to every camera and to odometry."""
        needed = [p for topic, p in self._publishers.items() if topic not in TF_TOPICS]
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if all(publisher.get_subscription_count() for publisher in needed):
                time.sleep(0.5)  # matched on this side; the other side follows within a heartbeat
                return True
            time.sleep(0.05)
        return False

    def play(self, loop: bool, skip_ns: int) -> None:
        """Publishes until the bag ends (or for ever)."""
        import rclpy

        first = began = previous = None
        for message in laps(self._bag, list(self._routes), loop, skip_ns):
            if previous is None or message.received_ns < previous:  # the first lap, or the next one
                if self._clock is not None:  # the time jumps before the first message, not after it
                    self._publish_clock(message.received_ns)
                    time.sleep(CLOCK_SETTLES)
                first, began = message.received_ns, time.monotonic()
            self._wait_until(message.received_ns, first, began, previous or message.received_ns)
            if not rclpy.ok():
                return
            self._publishers[message.topic].publish(message.data)
            self.sent += 1
            previous = message.received_ns

    def _wait_until(self, at_ns: int, first_ns: int, began: float, now_ns: int) -> None:
        """Sleeps until a recorded time, ticking /clock on the way."""
        while True:
            target = at_ns if self._clock is None else min(at_ns, now_ns + CLOCK_PERIOD_NS)
            ahead = (target - first_ns) / SECOND_NS / self._rate - (time.monotonic() - began)
            if ahead > 0:
                time.sleep(ahead)
            if self._clock is not None and target >= now_ns + CLOCK_PERIOD_NS:
                self._publish_clock(target)
            now_ns = target
            if target >= at_ns:
                return

    def _publish_clock(self, now_ns: int) -> None:
        from rosgraph_msgs.msg import Clock

        message = Clock()
        message.clock.sec, message.clock.nanosec = divmod(now_ns, SECOND_NS)
        self._clock.publish(message)


def _message_class(type_name: str) -> type:
    """The rclpy class of "package/msg/Name"."""
    from importlib import import_module

    package, _, name = type_name.split("/")
    return getattr(import_module(f"{package}.msg"), name)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="alpamayo_ros play", description=__doc__)
    parser.add_argument("bag", type=Path)
    parser.add_argument("--rig", type=Path, help="rig file (default: proposed from the topics' names)")
    parser.add_argument("--rate", type=float, default=1.0, help="times the recorded pace")
    parser.add_argument("--loop", action="store_true", help="again and again, until interrupted")
    parser.add_argument("--clock", action="store_true", help="publish /clock at 100 Hz of the bag's time")
    parser.add_argument("--start-offset", type=float, default=0.0, help="seconds of the bag to skip")
    parser.add_argument("--wait", type=float, default=30.0, help="seconds to wait for subscribers")
    options = parser.parse_args(argv)
    if options.rate <= 0:
        parser.error(f"--rate is {options.rate}; it has to be above 0")
    use_profile()
    import rclpy

    try:
        with Bag(options.bag) as bag:
            rig = load_rig(options.rig) if options.rig else propose_rig(bag.types)
            rclpy.init(args=[])
            node = rclpy.create_node("alpamayo_player")
            player = Player(node, bag, rig, options.rate, options.clock)
            if not player.wait_for_subscribers(options.wait):
                print(f"play: nobody subscribed within {options.wait:.0f} s; playing all the same", file=sys.stderr)
            player.play(options.loop, round(options.start_offset * SECOND_NS))
            time.sleep(0.5)  # what is in the queues still goes out
    except (BagError, RigError) as error:
        print(f"play: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    finally:
        rclpy.try_shutdown()
    print(f"play: {player.sent} messages of {', '.join((*CAMERA_ROLES, 'odometry'))} and TF")
    return 0
