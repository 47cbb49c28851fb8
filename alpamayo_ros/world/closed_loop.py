"""One episode driven by a policy, through a source of observations, with the latency that the policy costs.

The world pushes frames and odometry into the source and gets observations back. A plan comes into force `latency`
seconds after its t0 and is followed at 20 Hz through its own stamps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from alpamayo_ros.contract import SECOND_NS, NotReady, Observation, Plan, Policy
from alpamayo_ros.world.episode import STEP_NS, Cameras, Episode
from alpamayo_ros.world.follower import Path, path_in_world, track
from alpamayo_ros.world.judge import SAMPLE, Judge, Verdict
from alpamayo_ros.world.oracle import Label, label, rule_plan
from alpamayo_ros.world.roads import RoadMap
from alpamayo_ros.world.scene import Scene
from alpamayo_ros.world.sources import GridSource, Source
from alpamayo_ros.world.state import Snapshot
from alpamayo_ros.world.vehicle import FRONT_REACH, Control

WARM_UP_S = 1.6  # the rule driver drives until there is a history
FOLLOW_NS = 50_000_000


def command_at(scenario_command: str, roads: RoadMap, s: float) -> str:
    """The user's text at s along the route: the scenario's until its turn is made, or its last junction passed."""
    ends = roads.turn_s[1] if roads.turn_s else max((junction.exit for junction in roads.junctions), default=-math.inf)
    return scenario_command if s + FRONT_REACH < ends + 2.0 else ""


@dataclass(frozen=True, eq=False)
class Tick:
    """One plan of a drive: when and from what, the plan, and what the rule driver would have done there."""

    observation: Observation
    snapshot: Snapshot
    plan: Plan
    scene: Scene

    @cached_property
    def label(self) -> Label:
        """Made when it is asked for: a drive that is only watched needs few of them."""
        return label(self.scene, self.snapshot)


# From a plan, the instants of its t0 and of when it is ready, to the path to follow; None keeps the old one.
Enter = Callable[[Plan, Snapshot, Snapshot], Path | None]


@dataclass(frozen=True, eq=False)
class Drive:
    """What came of an episode: the verdict, and how many ticks planned and how many were refused."""

    verdict: Verdict
    planned: int
    refused: int


def run(
    episode: Episode,
    policy: Policy,
    seconds: float = 30.0,
    latency: float = 0.0,
    cameras: Cameras | None = None,
    source: Source | None = None,
    on_tick: Callable[[Tick], None] | None = None,
    enter: Enter | None = None,
) -> Drive:
    """Drives an episode with a policy.

    Args:
        episode: fresh; its cameras' timing decides when frames are pushed.
        policy: called at each observation that it is free for: not while an earlier call is still under way.
        seconds: of driving by the policy, after the warm-up.
        latency: seconds from t0 until a plan can be followed.
        cameras: renders the frames; None: one black image stands for all, for policies that look at none.
        source: None: a `GridSource`, which needs the episode's default timing.
        on_tick: called after each plan; the ticks are not kept.
        enter: None: the plan itself is followed, by its stamps.
    """
    return _Loop(episode, policy, latency, cameras, source or GridSource(), on_tick, enter or _as_planned).run(seconds)


def _as_planned(plan: Plan, then: Snapshot, now: Snapshot) -> Path:
    return path_in_world(plan, then.ego.x, then.ego.y, then.ego.yaw)


class _Loop:
    """The state of one closed loop: the plan in force, the plan under way, the follower's control."""

    def __init__(
        self, episode: Episode, policy: Policy, latency: float, cameras: Cameras | None, source: Source,
        on_tick: Callable[[Tick], None] | None, enter: Enter,
    ) -> None:  # fmt: skip
        self._episode, self._policy, self._source = episode, policy, source
        self._cameras, self._on_tick, self._enter = cameras, on_tick, enter
        self._latency_ns = int(round(latency * SECOND_NS))
        self._black = np.zeros((16, 16, 3), np.uint8)
        self._path: Path | None = None
        self._coming: tuple[int, Plan, Snapshot] | None = None  # the plan under way: when it is ready, its t0's instant
        self._judge = Judge(episode.scene)
        self._planned = self._refused = 0
        self._control = Control(0.0, 0.0)

    def run(self, seconds: float) -> Drive:
        self._policy.reset()
        total = int(round((WARM_UP_S + seconds) * SECOND_NS)) // STEP_NS
        look = int(round(SAMPLE * SECOND_NS)) // STEP_NS
        for step in range(total + 1):
            policy_drives = step * STEP_NS >= WARM_UP_S * SECOND_NS
            self._observe(policy_drives)
            if policy_drives and step % look == 0:
                self._judge.look(self._episode.snapshot)
            if step * STEP_NS % FOLLOW_NS == 0:
                self._follow(policy_drives)
            self._episode.step(self._control)
        return Drive(self._judge.verdict(), self._planned, self._refused)

    def _observe(self, policy_drives: bool) -> None:
        """Pushes what the sensors have, and plans on what comes ready."""
        episode, now_ns = self._episode, self._episode.now_ns
        scenario, roads = episode.scene.scenario, episode.scene.roads
        ego = episode.snapshot.ego
        if scenario.command:
            s, _, _ = roads.route.frenet_pose(ego.x, ego.y, ego.yaw)
            self._source.command = command_at(scenario.command, roads, s)
        self._deliver()
        ready = self._source.push_odometry(now_ns, episode.odometry)
        for stamp_ns, role in episode.exposures():
            ready += self._source.push_frame(role, stamp_ns, self._image(role, stamp_ns))
        for outcome in ready:
            if not policy_drives:
                continue
            if isinstance(outcome, NotReady):
                self._refused += 1
            elif self._coming is None:
                self._plan(outcome)

    def _deliver(self) -> None:
        """Puts the plan under way into force, once its time has come."""
        if self._coming is not None and self._coming[0] <= self._episode.now_ns:
            _, plan, then = self._coming
            self._path, self._coming = self._enter(plan, then, self._episode.snapshot) or self._path, None

    def _image(self, role: str, stamp_ns: int) -> np.ndarray:
        return self._black if self._cameras is None else self._cameras.render(role, self._episode.at(stamp_ns))

    def _plan(self, observation: Observation) -> None:
        plan = self._policy(observation)
        snapshot = self._episode.at(observation.t0_ns)
        self._coming = (observation.t0_ns + self._latency_ns, plan, snapshot)
        self._planned += 1
        if self._on_tick is not None:
            self._on_tick(Tick(observation, snapshot, plan, self._episode.scene))

    def _follow(self, policy_drives: bool) -> None:
        """The control until the next look at the path: the policy's newest plan, the rule driver's before the first."""
        self._deliver()
        now_ns, snapshot = self._episode.now_ns, self._episode.snapshot
        if self._path is None or not policy_drives:
            rule = rule_plan(self._episode.scene, snapshot)
            self._path = path_in_world(rule, snapshot.ego.x, snapshot.ego.y, snapshot.ego.yaw)
        self._control = track(self._path, snapshot.ego, now_ns)
