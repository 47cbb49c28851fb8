"""`demo` (make drive): the driver in a process of its own, and something for it to drive.

Without --bag it drives the small world, closed loop: the world follows its paths in real time, and a film is made of
it. With --bag the bag is played to it, and what it plans is shown beside what really happened.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from alpamayo_ros.contract import REFERENCE_ROLE
from alpamayo_ros.live import options as world
from alpamayo_ros.replay.bag import Bag, BagError
from alpamayo_ros.rig import Rig, RigError, load_rig, propose_rig
from alpamayo_ros.transport import use_profile

PYTHON = [sys.executable, "-m", "alpamayo_ros"]
# How long the driver may take to load its policy (s).
LOADING = 600.0
# Random weights never end a sentence: without a limit near a real one's length, a CPU would publish plans too late.
SENTENCE = {"vla": "vla.max_reasoning_tokens:=64"}


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="alpamayo_ros demo", description=__doc__)
    parser.add_argument("--bag", type=Path, help="a rosbag2 bag (default: the small world, live)")
    parser.add_argument("--rig", type=Path, help="rig file of the bag (default: proposed from its topic names)")
    parser.add_argument("--rate", type=float, default=1.0, help="times the bag's recorded pace")
    parser.add_argument("--policy", help="what plans (default: as config/driver.yaml says)")
    parser.add_argument("--checkpoint", help="the policy's checkpoint: a folder, or a hub id")
    parser.add_argument("-p", "--param", action="append", default=[], help="a parameter of the driver, NAME:=VALUE")
    live = parser.add_argument_group("the small world")
    world.add(live)
    options = parser.parse_args(argv)
    world.check(parser, options)
    if options.checkpoint and not options.policy:
        parser.error("--checkpoint needs --policy: whose checkpoint is it?")
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    remark = use_profile()
    if remark:
        print(remark, file=sys.stderr)
    options.out.mkdir(parents=True, exist_ok=True)
    if options.bag is None:
        return _live(options)
    try:
        with Bag(options.bag) as bag:
            rig = load_rig(options.rig) if options.rig else propose_rig(bag.types)
            return _drive(bag, rig, options)
    except (BagError, RigError) as error:
        print(f"make drive: {error}", file=sys.stderr)
        return 2


def _live(options: argparse.Namespace) -> int:
    """The driver in its own process, the world and its follower in this one."""
    from alpamayo_ros.live.node import run

    drawn = world.scenario(options)
    facts = f"{drawn.family.value} {drawn.seed}: {drawn.zone.value}, {drawn.daylight.value}, {drawn.behaviour}"
    print(f"the small world, {facts}; loading the driver\n", flush=True)
    with driving({}, options) as process:
        account = run(options, [], lambda: process.poll() is None)
    return 0 if account is not None and account.heard else 1


@contextmanager
def driving(values: Mapping[str, str], options: argparse.Namespace) -> Iterator[subprocess.Popen]:
    """The driver's process with these parameters, ended afterwards."""
    process = subprocess.Popen(driver_command(values, options))
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def driver_command(values: Mapping[str, str], options: argparse.Namespace) -> list[str]:
    """The driver's command line: the parameters that its inputs need, then what the user chose."""
    values = {"use_sim_time": "true", **values}
    if options.policy:
        values["policy"] = options.policy
    if options.checkpoint:
        values[f"{options.policy}.checkpoint"] = options.checkpoint
    words = [f"{name}:={value}" for name, value in values.items()]
    words += [SENTENCE[options.policy]] if options.policy in SENTENCE else []
    words += options.param
    return [*PYTHON, "drive", *(word for pair in words for word in ("-p", pair))]


def _drive(bag: Bag, rig: Rig, options: argparse.Namespace) -> int:
    """Driver and player in their own processes, the watcher in this one, until the bag ends."""
    import rclpy
    from rclpy.parameter import Parameter

    from alpamayo_ros.watch import Watcher, summary

    seconds = (bag.end_ns - bag.start_ns) / 1e9
    print(f"{bag.path}: {seconds:.1f} s\n", flush=True)
    player = [*PYTHON, "play", str(bag.path), "--clock", "--rate", str(options.rate), "--wait", str(LOADING)]
    if options.rig:
        player += ["--rig", str(options.rig)]
    rclpy.init(args=[])
    watcher = Watcher(parameter_overrides=[Parameter("use_sim_time", value=True)])
    # The driver listens under its own names, which the player publishes under.
    values = {"image_transport": rig.image_transport, **{name: str(value) for name, value in rig.parameters.items()}}
    with driving(values, options) as process:
        playing = subprocess.Popen(player, stdout=subprocess.DEVNULL)
        try:
            while playing.poll() is None and process.poll() is None:
                rclpy.spin_once(watcher, timeout_sec=0.1)
            for _ in range(12):  # what is under way, and the driver's last diagnostics
                rclpy.spin_once(watcher, timeout_sec=0.1)
        except KeyboardInterrupt:
            pass
        finally:
            playing.send_signal(signal.SIGTERM)
            playing.wait(10)
            watcher.destroy_node()
            rclpy.try_shutdown()
    if process.returncode == 1 and not watcher.seen.plans:
        return 1  # it has said why
    print(f"\n{summary(watcher.seen)}")
    if watcher.seen.plans:
        print(f"picture      {_picture(bag, rig, watcher.seen.plans, options.out)}")
    return 0 if watcher.seen.plans else 1


def _picture(bag: Bag, rig: Rig, plans: list, out: Path) -> Path:
    """The most telling plan on the front camera and from above, beside what really happened."""
    from alpamayo_ros.cdr import header_stamp_ns
    from alpamayo_ros.geometry import Pose, interpolate_poses
    from alpamayo_ros.imaging import DECODERS
    from alpamayo_ros.messages import stamp_ns
    from alpamayo_ros.replay import picture as drawing
    from alpamayo_ros.replay.recorded import cameras, driven

    stamps, poses = driven(bag, rig)
    within = [p for p in plans if stamps[0] <= stamp_ns(p.header.stamp) <= stamps[-1]]
    placed = [_samples(plan) for plan in within]
    chosen = drawing.most_telling(
        [drawing.yaw_of_quaternion(s.quaternion[p.chosen]) for p, s in zip(within, placed, strict=True)]
    )
    plan, samples = within[chosen], placed[chosen]
    t0 = stamp_ns(plan.header.stamp)
    at = interpolate_poses(stamps, poses, np.array([t0]))
    ego = Pose(at.xyz[0], at.quaternion[0])
    slot = next(s for s in plan.images if s.camera == REFERENCE_ROLE and s.slot == 0.0)
    topic = rig.topics[REFERENCE_ROLE]
    offset = round(float(rig.parameters.get(f"cameras.{REFERENCE_ROLE}.time_offset", 0.0)) * 1e9)
    front = next(
        DECODERS[rig.image_transport](m.data)
        for m in bag.messages([topic])
        if header_stamp_ns(m.data) + offset == stamp_ns(slot.stamp)
    )
    image = drawing.picture(
        front,
        cameras(bag, {REFERENCE_ROLE: topic}).get(REFERENCE_ROLE),
        ego.inverse().apply(samples.xyz),
        drawing.yaw_in_ego(ego, samples),
        plan.chosen,
        drawing.driven_in_ego(stamps, poses, t0, 1.5, 6.4),
        plan.reasoning,
        f"t0 {(t0 - stamps[0]) / 1e9:.2f} s   {plan.samples[plan.chosen].speed[0]:.1f} m/s   {plan.policy}",
    )
    path = out / "drive.png"
    cv2.imwrite(str(path), image[..., ::-1])
    return path


def _samples(plan):
    """A DrivingPlan's samples as (S, 64) poses in its header's frame."""
    from alpamayo_ros.geometry import Pose

    rows = [
        [(p.position.x, p.position.y, p.position.z, *_xyzw(p.orientation)) for p in sample.poses]
        for sample in plan.samples
    ]
    values = np.array(rows)
    return Pose(values[..., :3], values[..., 3:])


def _xyzw(q) -> tuple[float, float, float, float]:
    return q.x, q.y, q.z, q.w
