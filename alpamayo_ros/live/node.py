"""`world`: the small world on topics, in real time, and the follower that drives it by `alpamayo_driver/path`.

Publishes camera/<role>/image/compressed and camera_info, odometry (100 Hz), command, /tf, /tf_static and /clock.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module

import cv2
import numpy as np

from alpamayo_ros.cdr import header_stamp_ns
from alpamayo_ros.contract import SECOND_NS
from alpamayo_ros.live import album, options, telling
from alpamayo_ros.live.drive import LiveDrive
from alpamayo_ros.live.pace import Pace
from alpamayo_ros.live.topics import DRESSES, DRIVER, Heard, Plain, Said, Topics, dress
from alpamayo_ros.transport import use_profile
from alpamayo_ros.world import wire

# How long the driver may take to load its policy and to subscribe (s).
LOADING = 600.0
# Between two lines in the terminal at least, and where nothing new is said (world seconds).
TELL_APART, TELL_EVERY = 0.3, 1.0
# After the drive: for a plan that is under way, and the driver's last diagnostics (s).
LAST_WORDS = 1.2
# To the beginning of the line, and nothing on it (on a terminal that shows progress there).
CLEAR = "\r\x1b[K" if sys.stdout.isatty() else ""


@dataclass
class Ears:
    """What has been heard of the driver: `plans` as (wall seconds, world ns, serialized DrivingPlan)."""

    plans: list[tuple[float, int, bytes]] = field(default_factory=list)
    reasoning: str = ""
    tick: dict[str, float] = field(default_factory=dict)  # tick_p50, tick_p95: seconds
    messages: Counter[str] = field(default_factory=Counter)  # by topic, since the first path


class Stage:
    """The drive's topics. Sends from any thread; hears on the executor's."""

    def __init__(self, node, topics: Topics) -> None:
        from diagnostic_msgs.msg import DiagnosticArray
        from rclpy.qos import QoSProfile
        from std_msgs.msg import String

        from alpamayo_ros.msg import DrivingPlan

        self._node = node
        self._drive: LiveDrive | None = None
        self._topics = topics
        self._publishers = {said.topic: _publisher(node, said) for said in topics.says}
        self.ears = Ears()
        self.imaged: dict[int, float] = {}  # stamp -> wall seconds at which its last image had gone out
        for heard in topics.hears:
            act = partial(self._on_heard, heard)
            node.create_subscription(_message(heard.kind), heard.topic, act, QoSProfile(depth=heard.depth))
        node.create_subscription(String, f"{DRIVER}/reasoning", self._on_reasoning, QoSProfile(depth=1))
        node.create_subscription(DrivingPlan, f"{DRIVER}/plan", self._on_plan, QoSProfile(depth=20), raw=True)
        node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, QoSProfile(depth=20))

    def attach(self, drive: LiveDrive) -> None:
        """The drive that the driver's paths go to."""
        self._drive = drive

    def send(self, topic: str, data: bytes) -> None:
        self._publishers[topic].publish(data)
        if topic in self._topics.images:
            self.imaged[header_stamp_ns(data)] = time.monotonic()

    def wait_for_driver(self, alive: Callable[[], bool]) -> bool:
        """Until everybody listens who is awaited; False where somebody did not come."""
        deadline = time.monotonic() + LOADING
        while alive() and time.monotonic() < deadline:
            if all(self._publishers[topic].get_subscription_count() >= n for topic, n in self._topics.awaits.items()):
                time.sleep(0.5)  # matched on this side; the other side follows within a heartbeat
                return True
            time.sleep(0.05)
        return False

    def _on_heard(self, heard: Heard, message) -> None:
        if self._drive is not None:
            heard.act(self._drive, message)
            self.ears.messages[heard.topic] += self._drive.policy_since is not None

    def _on_reasoning(self, message) -> None:
        self.ears.reasoning = message.data

    def _on_plan(self, data: bytes) -> None:
        if self._drive is not None:
            self.ears.plans.append((time.monotonic(), self._drive.episode.now_ns, data))

    def _on_diagnostics(self, array) -> None:
        for status in array.status:
            for pair in status.values:
                if pair.key in ("tick_p50", "tick_p95"):
                    with suppress(ValueError):  # "unknown" before the first plan
                        self.ears.tick[pair.key] = float(pair.value)


def perform(drive: LiveDrive, pace: Pace, seconds: float, alive: Callable[[], bool], tell: Callable[[], None]) -> None:
    """Runs the world at its pace until the time, the road or the driver ends."""
    drive.announce()
    pace.start(drive.episode.now_ns)
    while drive.elapsed < seconds and not drive.finished and alive():
        while drive.episode.now_ns <= pace.due_ns() and not (drive.exposes_now() and drive.cameras_behind):
            pace.reached(drive.episode.now_ns)
            drive.step()
        pace.reached(drive.episode.now_ns)
        tell()
        time.sleep(min(max(pace.ahead(drive.episode.now_ns), 0.001), 0.01))


def run(
    given: argparse.Namespace, ros_arguments: list[str], alive: Callable[[], bool], topics: Topics | None = None
) -> telling.Account | None:
    """One whole drive, told in the terminal; None where no driver listened.

    Args:
        given: of `options`.
        alive: False ends it: the driver's process has gone.
        topics: the world's dress; None is the package's own.
    """
    import rclpy

    cv2.setNumThreads(1)
    rclpy.init(args=ros_arguments)
    node = rclpy.create_node("alpamayo_world")
    topics = topics or Plain()
    stage = Stage(node, topics)
    drive = LiveDrive(options.scenario(given), given.image_size, stage.send, given.command, topics)
    drive.warm_up()
    spinning = threading.Thread(target=_spin, args=(node,), daemon=True)
    spinning.start()
    pace = Pace(given.real_time_factor)
    try:
        if not stage.wait_for_driver(alive):
            return None
        stage.attach(drive)
        with suppress(KeyboardInterrupt):
            perform(drive, pace, given.seconds, alive, _Teller(drive, stage.ears))
        time.sleep(LAST_WORDS)
    finally:
        drive.close()
        rclpy.try_shutdown()
        spinning.join(5.0)
    told, account = _account(drive, stage, pace)
    print(f"\n{telling.summary(account)}", flush=True)
    if drive.heard_frame not in ("", wire.MAP):
        print(f"the driver's paths are in '{drive.heard_frame}'; the follower needs '{wire.MAP}'", file=sys.stderr)
    if not given.no_film and drive.instants:
        command = drive.scenario.command if given.command is None else given.command
        written = album.film(given.out / "drive.mp4", drive.scene, drive.instants, told, command, _progress)
        print(f"{CLEAR}film         {written}", flush=True)
    return account


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="alpamayo_ros world", description=__doc__)
    options.add(parser)
    parser.add_argument("--topics", choices=list(DRESSES), default="plain", help="whose names, types and frames")
    words = argv[: argv.index("--ros-args")] if "--ros-args" in argv else argv
    given = parser.parse_args(words)
    options.check(parser, given)
    remark = use_profile()
    if remark:
        print(remark, file=sys.stderr)
    account = run(given, argv[len(words) :], lambda: True, dress(given.topics))
    if account is None:
        print(f"world: no driver subscribed to the cameras within {LOADING:.0f} s", file=sys.stderr)
    return 0 if account is not None and account.heard else 1


class _Teller:
    """A line in the terminal when the driver says something new, and once a second."""

    def __init__(self, drive: LiveDrive, ears: Ears) -> None:
        self._drive, self._ears = drive, ears
        self._said, self._last = "", -TELL_EVERY

    def __call__(self) -> None:
        drive, ears = self._drive, self._ears
        words = ears.reasoning if drive.policy_since is not None else "(the rule driver drives until the first plan)"
        if drive.elapsed < self._last + (TELL_EVERY if words == self._said else TELL_APART):
            return
        self._said, self._last = words, drive.elapsed
        age = None if drive.heard_age_ns is None else drive.heard_age_ns / SECOND_NS
        print(telling.line(drive.elapsed, drive.scene, drive.episode.snapshot, age, words), flush=True)


def _publisher(node, said: Said):
    from rclpy.qos import DurabilityPolicy, QoSProfile

    durability = DurabilityPolicy.TRANSIENT_LOCAL if said.latched else DurabilityPolicy.VOLATILE
    return node.create_publisher(_message(said.kind), said.topic, QoSProfile(depth=said.depth, durability=durability))


def _message(kind: str) -> type:
    """The class of a message type; `kind` as in "sensor_msgs/msg/Image"."""
    package, _, name = kind.split("/")
    return getattr(import_module(f"{package}.msg"), name)


def _spin(node) -> None:
    import rclpy
    from rclpy.executors import ExternalShutdownException

    with suppress(ExternalShutdownException):
        rclpy.spin(node)


def _account(drive: LiveDrive, stage: Stage, pace: Pace) -> tuple[list[album.Told], telling.Account]:
    """The plans that were heard, for the film, and the drive in numbers."""
    from rclpy.serialization import deserialize_message

    from alpamayo_ros.messages import stamp_ns
    from alpamayo_ros.msg import DrivingPlan

    told, heard = [], []
    for wall, world_ns, data in stage.ears.plans:
        plan = deserialize_message(data, DrivingPlan)
        t0 = stamp_ns(plan.header.stamp)
        if plan.header.frame_id == wire.MAP:
            told.append(_told(plan, t0, world_ns))
        heard.append(
            telling.Heard(
                t0, {timing.stage: timing.seconds for timing in plan.timings}, wall - stage.imaged.get(t0, wall),
                (world_ns - t0) / SECOND_NS, plan.reasoning,
            )
        )  # fmt: skip
    since, ears = drive.policy_since, stage.ears
    tick = ears.tick.get("tick_p50", 0.0), ears.tick.get("tick_p95", 0.0)
    driven = 0.0 if since is None else (drive.episode.now_ns - since) / SECOND_NS
    account = telling.Account(heard, driven, pace.slipped, drive.stale_for, tick, drive.verdict(), ears.messages)
    return told, account


def _told(plan, t0_ns: int, came_ns: int) -> album.Told:
    from alpamayo_ros.geometry import Pose

    rows = np.array(
        [
            [
                (p.position.x, p.position.y, p.position.z, p.orientation.x, p.orientation.y, p.orientation.z,
                 p.orientation.w)
                for p in sample.poses
            ]
            for sample in plan.samples
        ]
    )  # fmt: skip
    reasoning = tuple(sample.reasoning for sample in plan.samples)
    return album.Told(t0_ns, came_ns, Pose(rows[..., :3], rows[..., 3:]), reasoning, plan.chosen, plan.policy)


def _progress(share: float) -> None:
    if sys.stdout.isatty():
        print(f"\rdrawing the film {share:4.0%}", end="", flush=True)
