"""The fake at the policy seam of a fault run: the baseline, which tells what it saw, and misbehaves when told to.

What it saw goes out with the plan's notes: `seen=` the checksum of each image, in the order of the plan's slots, and
`history=` the sixteen positions in millimetres. How it misbehaves is a command: "fake: raise", and so on.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

import numpy as np

from alpamayo_ros.contract import Observation, Plan
from alpamayo_ros.faults.truth import checksum
from alpamayo_ros.policies.baseline import Baseline

ORDER = "fake: "
HANGS = 10.0


@dataclass(frozen=True)
class Config:
    """There is nothing to choose but what the random parameters of a fault run may try."""

    spare: int = field(default=1, metadata={"description": "Nothing.", "range": (1, 9)})


class Fake(Baseline):
    name = "fake"

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[int, tuple[np.ndarray, int]] = {}
        self._hung = ""

    def __call__(self, observation: Observation) -> Plan:
        told = observation.command
        order = told.removeprefix(ORDER).split()[0] if told.startswith(ORDER) else ""
        if order == "raise":
            raise RuntimeError("CUDA error: an illegal memory access was encountered")
        if order == "hang" and told != self._hung:  # once an order
            self._hung = told
            time.sleep(HANGS)
        if order == "memory":
            np.empty(1 << 60, dtype=np.uint8)
        plan = replace(super().__call__(observation), notes=(self._seen(observation), _history(observation)))
        if order == "nan":
            plan.xyz[:, 10:] = np.nan
        if order == "shape":
            plan = replace(plan, yaw=plan.yaw[:, :-1])
        if order == "far":
            plan = replace(plan, xyz=plan.xyz + 1000.0)
        return plan

    def _seen(self, observation: Observation) -> str:
        before, self._known = self._known, {}
        for images in observation.images:
            for image in images:
                self._known[id(image)] = before.get(id(image)) or (image, checksum(image))
        return "seen=" + ",".join(f"{self._known[id(image)][1]:x}" for row in observation.images for image in row)

    def reset(self) -> None:
        self._known = {}


def _history(observation: Observation) -> str:
    return "history=" + ",".join(f"{round(1e3 * value)}" for value in observation.history_xyz[:, :2].ravel())


def create(config: Config) -> Fake:
    return Fake()
