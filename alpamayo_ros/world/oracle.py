"""The rule driver as labels and as a policy: the future and the cause of an instant, from the world's own state.

It is the upper yardstick of an evaluation and the teacher of a training set. It holds the episode beside the
observation; nothing of that passes through the observation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from alpamayo_ros.contract import Observation, Plan
from alpamayo_ros.world.causes import Decision
from alpamayo_ros.world.driver import STRAIGHT, Rollout, Stray, roll_out
from alpamayo_ros.world.episode import Episode
from alpamayo_ros.world.perception import Situation, perceive
from alpamayo_ros.world.reasons import decide
from alpamayo_ros.world.scene import Scene
from alpamayo_ros.world.state import Snapshot


@dataclass(frozen=True, eq=False)
class Label:
    """What the rule driver does from an instant on, and why.

    `xyz` (64, 3), `yaw`, `speed`, `acceleration`, `curvature` (64,): in the ego frame of the instant, as in a `Plan`.
    """

    decision: Decision
    xyz: np.ndarray
    yaw: np.ndarray
    speed: np.ndarray
    acceleration: np.ndarray
    curvature: np.ndarray
    situation: Situation
    rollout: Rollout


@lru_cache(maxsize=8)  # the policy, the score and the recorder of one tick ask for the same instant
def label(scene: Scene, snapshot: Snapshot, stray: Stray = STRAIGHT) -> Label:
    """The rule driver's future and cause at a snapshot, or a straying copy's; a pure function of what is visible."""
    situation = perceive(scene, snapshot)
    rollout = roll_out(scene, situation, stray)
    ego = snapshot.ego
    world, road_yaw = scene.roads.route.points(rollout.s, rollout.d)
    offset = world - [ego.x, ego.y]
    cos, sin = math.cos(ego.yaw), math.sin(ego.yaw)
    ahead, left = offset @ [cos, sin], offset @ [-sin, cos]
    xyz = np.stack([ahead, left, np.zeros_like(ahead)], axis=-1)
    yaw = np.unwrap(np.concatenate([[ego.yaw], road_yaw + rollout.heading]))[1:] - ego.yaw
    decision = decide(scene, situation, rollout)
    return Label(decision, xyz, yaw, rollout.speed, rollout.acceleration, rollout.curvature, situation, rollout)


def rule_plan(scene: Scene, snapshot: Snapshot) -> Plan:
    """The rule driver's label as a plan of one sample."""
    return as_plan(label(scene, snapshot), snapshot.t_ns)


def as_plan(found: Label, t0_ns: int) -> Plan:
    """A label as a plan of one sample."""
    rows = (found.xyz, found.yaw, found.speed, found.acceleration, found.curvature)
    return Plan(t0_ns, *(row[None] for row in rows), (found.decision.text,), policy="oracle")


class OraclePolicy:
    """The rule driver behind the policy seam: it looks at the episode, and at nothing of the observation but t0."""

    name = "oracle"

    def __init__(self, episode: Episode) -> None:
        self._episode = episode

    def __call__(self, observation: Observation) -> Plan:
        return rule_plan(self._episode.scene, self._episode.at(observation.t0_ns))

    def reset(self) -> None:
        """It carries nothing from tick to tick."""

    def close(self) -> None:
        """It holds nothing."""
