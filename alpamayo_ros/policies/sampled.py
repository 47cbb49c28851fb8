"""What the policies over the Alpamayo model share: from a rollout of several samples to the plan that is driven."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from alpamayo_ros.contract import Observation, Plan
from alpamayo_ros.guard_text import most_consistent
from alpamayo_ros.vla.outcome import Rollout


class PolicyBusy(RuntimeError):
    """An earlier call is still running: one model, one call at a time."""


def plan_of(
    observation: Observation,
    result: Rollout,
    name: str,
    select: str,
    seconds: Mapping[str, float],
    notes: tuple[str, ...] = (),
) -> Plan:
    """The plan of policy `name`; `select` names the rule that chooses, `seconds` are stages before the rollout's."""
    motion = result.motion
    plan = Plan(
        t0_ns=observation.t0_ns,
        xyz=motion.xyz,
        yaw=motion.yaw,
        speed=motion.speed,
        acceleration=motion.acceleration,
        curvature=motion.curvature,
        reasoning=tuple(said or _words(text) for said, text in zip(result.reasoning, result.text, strict=True)),
        policy=name,
        timings={**seconds, **result.seconds},
        notes=notes + _remarks(result),
    )
    return replace(plan, chosen=SELECTIONS[select](plan))


def medoid(xyz: np.ndarray) -> int:
    """The sample of (S, N, 3) whose mean distance in x and y to the others is least."""
    distance = np.linalg.norm(xyz[:, None, :, :2] - xyz[None, :, :, :2], axis=-1).mean(axis=-1)
    return int(distance.sum(axis=1).argmin())


SELECTIONS: dict[str, Callable[[Plan], int]] = {
    "first": lambda plan: 0,
    "medoid": lambda plan: medoid(plan.xyz),
    "consistent": most_consistent,
}


def _words(text: str) -> str:
    """What a reasoning without an end says, without its control tokens."""
    return re.sub(r"<\|[^|]*\|>", "", text).strip()


def _remarks(result: Rollout) -> tuple[str, ...]:
    remarks = [f"tokens={','.join(map(str, result.counts))}"]
    if result.truncated.any():
        remarks.append("reasoning_truncated")
    if ((result.stops < 0) & ~result.truncated).any():
        remarks.append("no_stop_token")
    return tuple(remarks)
