"""Do the bridge's trajectories hold what Autoware's validator asks, while the small model drives by them? JSON.

In one process without DDS, with the bridge's own code: each plan goes through its keeper into Autoware's message, the
vehicle follows what the message says, and every message is measured with the validator's conditions beside the true
vehicle. Scenarios are of the held-out splits, the families in turn. `strict` are a passenger's bounds and fields that
agree with each other, which Autoware does not ask for.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path as File
from typing import Any

import cv2
import numpy as np

from alpamayo_ros.bench.drive import machine
from alpamayo_ros.bridges.autoware_messages import Writer, message_classes
from alpamayo_ros.bridges.autoware_options import defaults, rules
from alpamayo_ros.contract import NotReady, Plan
from alpamayo_ros.follow import validator
from alpamayo_ros.follow.keeper import Keeper, heard
from alpamayo_ros.follow.trajectory import Trajectory
from alpamayo_ros.geometry import Pose
from alpamayo_ros.live.autoware import path_of, trajectory_of, vehicle_of
from alpamayo_ros.policies import load
from alpamayo_ros.training.small import IMAGE
from alpamayo_ros.world import wire
from alpamayo_ros.world.closed_loop import run
from alpamayo_ros.world.episode import Cameras, Episode
from alpamayo_ros.world.evaluate import BLIND, ORACLE
from alpamayo_ros.world.follower import Path
from alpamayo_ros.world.oracle import OraclePolicy
from alpamayo_ros.world.scenario import Family, Scenario
from alpamayo_ros.world.sources import ObserverSource
from alpamayo_ros.world.split import scenarios
from alpamayo_ros.world.state import Snapshot
from alpamayo_ros.world.vehicle import WHEELBASE

AUTOWARE = replace(validator.AUTOWARE, wheel_base=WHEELBASE)
STRICT = replace(validator.STRICT, wheel_base=WHEELBASE)
_shared: dict[str, Any] = {}


@dataclass
class Bridge:
    """The bridge between a drive's plans and its follower, and what came of it."""

    episode: Episode
    ticks: int = 0
    published: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    strict: Counter[str] = field(default_factory=Counter)
    worst: dict[str, float] = field(default_factory=dict)
    aside: list[float] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        values = {**defaults(), "wheel_base": WHEELBASE}
        self.keeper = Keeper(rules(values))
        self._writer = Writer(message_classes()[0], "odometry", float(values["engage_speed"]))
        self._before: Trajectory | None = None

    def odometry(self, now_ns: int) -> None:
        """As localization tells it."""
        ego = self.episode.snapshot.ego
        pose = vehicle_of(ego, now_ns).pose
        sample = (*pose.xyz.tolist(), *pose.quaternion.tolist(), ego.speed, wire.yaw_rate(ego))
        self.keeper.push_odometry(now_ns, sample, wire.MAP)

    def enter(self, plan: Plan, then: Snapshot, now: Snapshot) -> Path | None:
        """A plan is ready: what is published of it is what is followed."""
        self.ticks += 1
        began = time.process_time()
        placed: Pose = vehicle_of(then.ego, then.t_ns).pose
        found = self.keeper.hear(heard(plan, placed, wire.MAP), now.t_ns)
        if isinstance(found, NotReady):
            self.refused[str(found.reason.value)] += 1
            return None
        message = self._writer.trajectory(found)
        self._writer.candidates(found)
        self.milliseconds.append(1e3 * (time.process_time() - began))
        self.published += 1
        self.aside.append(found.aside)
        trajectory, vehicle = trajectory_of(message), vehicle_of(now.ego, now.t_ns)
        self.broken.update(validator.broken(trajectory, vehicle, self._before, AUTOWARE).keys())
        for name, (value, limit) in validator.measure(trajectory, vehicle, self._before, STRICT).items():
            self.strict[name] += not value <= limit
            self.worst[name] = max(self.worst.get(name, value), value)
        self._before = trajectory
        return path_of(trajectory)


class Source(ObserverSource):
    """The driver's observer, and odometry for the bridge as well."""

    def __init__(self, bridge: Bridge) -> None:
        super().__init__()
        self._bridge = bridge

    def push_odometry(self, stamp_ns: int, sample) -> list:
        self._bridge.odometry(stamp_ns)
        return super().push_odometry(stamp_ns, sample)


def main(argv: list[str]) -> int:
    options = _parser().parse_args(argv)
    settings = {name: getattr(options, name) for name in ("policy", "samples", "seconds", "latency", "seed")}
    done = _driven_before(options.json, settings) if options.resume else []
    tried = list(islice(scenarios(None, tuple(Family), options.seed), options.episodes))
    left, text = [each for each in tried if _name(each) not in {one["scenario"] for one in done}], ""
    for result in _results(left, options):
        done.append(result)
        print(f"{len(done)} of {len(tried)}: {result['scenario']}", file=sys.stderr, flush=True)
        text = json.dumps({"machine": machine(), **settings, **_report(done)}, indent=1)
        if options.json:
            options.json.parent.mkdir(parents=True, exist_ok=True)
            options.json.write_text(text + "\n")
    print(text)
    return 0


def _driven_before(path: File | None, settings: dict) -> list[dict]:
    """The drives of an earlier run with the same settings."""
    if path is None or not path.is_file():
        return []
    before = json.loads(path.read_text())
    return before["drives"] if all(before.get(name) == value for name, value in settings.items()) else []


def _name(scenario: Scenario) -> str:
    return f"{scenario.family.value} {scenario.seed}"


def _results(tried: Sequence[Scenario], options: argparse.Namespace):
    given = (options.policy, options.samples, options.seconds, options.latency)
    if options.jobs == 1:
        _start(*given)
        yield from map(drive, tried)
        return
    with multiprocessing.get_context("spawn").Pool(options.jobs, _start, given) as pool:
        yield from pool.imap(drive, tried)


def _start(policy: str, samples: int, seconds: float, latency: float) -> None:
    cv2.setNumThreads(1)
    settings = {"threads": 1, "samples": samples, "temperature": 0.0 if samples == 1 else 0.6}
    loaded = None if policy == ORACLE else load(policy, **(settings if policy == "onnx" else {}))
    _shared.update(policy=loaded, draws=policy not in BLIND, seconds=seconds, latency=latency)


def drive(scenario: Scenario) -> dict:
    """One episode in numbers."""
    episode = Episode(scenario)
    bridge = Bridge(episode)
    policy = _shared["policy"] or OraclePolicy(episode)
    cameras = Cameras(episode.scene, IMAGE) if _shared["draws"] else None
    came = run(episode, policy, _shared["seconds"], _shared["latency"], cameras, Source(bridge), enter=bridge.enter)
    verdict = came.verdict
    return {
        "scenario": _name(scenario),
        "ticks": bridge.ticks,
        "published": bridge.published,
        "refused": dict(bridge.refused),
        "broken": dict(bridge.broken),
        "strict": dict(+bridge.strict),
        "worst": {name: round(value, 4) for name, value in bridge.worst.items()},
        "aside": round(max(bridge.aside, default=0.0), 3),
        "ms": round(float(np.median(bridge.milliseconds)), 2) if bridge.milliseconds else 0.0,
        "driving": {
            "off_road": verdict.off_road, "collided_with": verdict.collided_with, "at_fault": verdict.at_fault,
            "red_light_runs": verdict.red_light_runs, "progress_m": round(verdict.progress, 1),
        },
    }  # fmt: skip


def _report(done: list[dict]) -> dict:
    """All episodes together, then each."""
    ticks, published = (sum(each[name] for each in done) for name in ("ticks", "published"))
    totals = {name: sum((Counter(each[name]) for each in done), Counter()) for name in ("refused", "broken", "strict")}
    conditions = sorted({name for each in done for name in each["worst"]})
    driving = [each["driving"] for each in done]
    return {
        "episodes": len(done),
        "ticks": ticks,
        "published": published,
        "published_share": round(published / ticks, 5) if ticks else 0.0,
        "broken_autoware": dict(totals["broken"]),
        "broken_strict": dict(totals["strict"]),
        "refused": dict(totals["refused"]),
        "worst": {
            name: {
                "value": max(each["worst"].get(name, 0.0) for each in done),
                "autoware": _limit(AUTOWARE, name), "strict": _limit(STRICT, name),
            }
            for name in conditions
        },
        "aside_m_worst": max((each["aside"] for each in done), default=0.0),
        "ms_a_tick_p50": float(np.median([each["ms"] for each in done])),
        "progress_m": round(sum(each["progress_m"] for each in driving), 1),
        "off_road": sum(each["off_road"] for each in driving),
        "collisions_at_fault": sum(each["at_fault"] for each in driving),
        "red_light_runs": sum(each["red_light_runs"] for each in driving),
        "drives": done,
    }  # fmt: skip


def _limit(limits: validator.Limits, name: str) -> float | None:
    value = getattr(limits, name, None)
    return value if value is not None and np.isfinite(value) else None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="alpamayo_ros bench autoware", description=__doc__)
    parser.add_argument("--episodes", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="first scenario seed")
    parser.add_argument("--seconds", type=float, default=30.0, help="of driving an episode")
    parser.add_argument("--latency", type=float, default=0.1, help="seconds from t0 until a plan reaches the bridge")
    parser.add_argument("--policy", default="onnx", help="a name that policies.load knows, or oracle (the rule driver)")
    parser.add_argument("--samples", type=int, default=1, help="of the small model")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--json", type=File, help="write the report here as well, after every episode")
    parser.add_argument("--resume", action="store_true", help="go on where an earlier run of --json ended")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
