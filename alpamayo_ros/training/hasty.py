"""A policy whose plans are stretched and shortened along the way, slowly and at random.

A car that is driven so comes too fast and too slow for the room that it has, which a careful driver's never does.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from alpamayo_ros.contract import PLAN_PERIOD, Observation, Plan, Policy

DEVIATION, MEMORY = 0.12, 3.0  # of the factor; s, over which it is remembered


class Hasty:
    """Another policy's plans, longer or shorter by an Ornstein-Uhlenbeck factor."""

    name = "hasty"

    def __init__(self, policy: Policy, rng: np.random.Generator) -> None:
        self._policy, self._rng, self._more = policy, rng, 0.0

    def __call__(self, observation: Observation) -> Plan:
        keep = math.exp(-PLAN_PERIOD / MEMORY)
        self._more = keep * self._more + DEVIATION * math.sqrt(1.0 - keep * keep) * float(self._rng.standard_normal())
        self._more = min(max(self._more, -2.0 * DEVIATION), 2.0 * DEVIATION)
        plan = self._policy(observation)
        return replace(plan, xyz=plan.xyz * (1.0 + self._more))

    def reset(self) -> None:
        self._policy.reset()

    def close(self) -> None:
        """The policy is not its own."""
