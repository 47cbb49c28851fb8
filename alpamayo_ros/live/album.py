"""A finished drive as a film: what the cameras saw, the view from above, the plans with their samples, the words.

The pictures are drawn after the drive, larger than what was sent, from the instants that were kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as File

import numpy as np

from alpamayo_ros.contract import CAMERA_ROLES, HISTORY_OFFSETS_NS, SLOT_OFFSETS_NS, Observation, Plan
from alpamayo_ros.geometry import Pose, quaternion_from_yaw, yaw_of_quaternion
from alpamayo_ros.world.episode import Cameras, Size
from alpamayo_ros.world.film import Film
from alpamayo_ros.world.oracle import rule_plan
from alpamayo_ros.world.picture import Facts, Painter
from alpamayo_ros.world.scene import Scene
from alpamayo_ros.world.state import EgoState, Snapshot

RATE = 10.0  # pictures a second
SIZE = Size(360, 640)


@dataclass(frozen=True, eq=False)
class Told:
    """A plan as it was published: samples as poses in the world's frame, (S, 64, 3) and (S, 64, 4)."""

    t0_ns: int
    came_ns: int
    poses: Pose
    reasoning: tuple[str, ...]
    chosen: int
    policy: str


def film(
    path: File,
    scene: Scene,
    instants: Mapping[int, Snapshot],
    told: Sequence[Told],
    command: str,
    progress: Callable[[float], None] = lambda share: None,
) -> File | None:
    """Draws one picture an instant with the newest plan that had come by then, the rule driver's before the first.

    Args:
        instants: snapshots by world time, 0.1 s apart.
        told: in the order in which they came.

    Returns:
        The file that was written.
    """
    cameras, painter, reel = Cameras(scene, SIZE), Painter(scene), Film(path, RATE)
    first = min(instants)
    for number, (now, snapshot) in enumerate(sorted(instants.items())):
        come = [plan for plan in told if plan.came_ns <= now]
        plan = _in_ego(come[-1], snapshot.ego) if come else _rule(scene, snapshot)
        images = {role: cameras.render(role, snapshot) for role in CAMERA_ROLES}
        observation = _observation(now, images, [instants.get(now + back) for back in HISTORY_OFFSETS_NS], snapshot.ego)
        facts = Facts((now - first) / 1e9, snapshot.ego.speed, plan.policy, scene.scenario.family.value, command)
        reel.add(painter.paint(snapshot, observation, plan, facts))
        progress((number + 1) / len(instants))
    return reel.close()


def _pose(ego: EgoState) -> Pose:
    return Pose(np.array([ego.x, ego.y, 0.0]), quaternion_from_yaw(ego.yaw))


def _in_ego(told: Told, ego: EgoState) -> Plan:
    """A published plan in the ego frame of another instant."""
    seen = _pose(ego).inverse() @ told.poses
    rest = np.zeros(seen.xyz.shape[:2])
    yaw = yaw_of_quaternion(seen.quaternion)
    return Plan(told.t0_ns, seen.xyz, yaw, rest, rest, rest, told.reasoning, told.chosen, told.policy)


def _rule(scene: Scene, snapshot: Snapshot) -> Plan:
    plan = rule_plan(scene, snapshot)
    return Plan(
        plan.t0_ns, plan.xyz, plan.yaw, plan.speed, plan.acceleration, plan.curvature,
        ("(the rule driver drives until the first plan)",), policy="rule driver",
    )  # fmt: skip


def _observation(
    now: int, images: Mapping[str, np.ndarray], past: Sequence[Snapshot | None], ego: EgoState
) -> Observation:
    """What the painter needs of an observation: the images of now, and where the vehicle was."""
    places = [(s.ego if s is not None else ego) for s in past]
    history = _pose(ego).inverse().apply(np.array([(place.x, place.y, 0.0) for place in places]))
    slots = len(SLOT_OFFSETS_NS)
    stamps = np.tile(now + np.array(SLOT_OFFSETS_NS), (len(CAMERA_ROLES), 1))
    return Observation(
        now, tuple((images[role],) * slots for role in CAMERA_ROLES), stamps, np.zeros(stamps.shape, dtype=bool),
        history, np.tile(np.eye(3), (len(history), 1, 1)),
    )  # fmt: skip
