"""Gathers what the report shows of each tick, as compact arrays; `page.py` makes the file of it.

Everything that needs a camera model or the odometry is computed here, so that the page only draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from alpamayo_ros.contract import CAMERA_ROLES, PLAN_PERIOD, SECOND_NS
from alpamayo_ros.geometry import Pose, matrix_from_yaw, yaw_of_quaternion
from alpamayo_ros.projection import CameraModel
from alpamayo_ros.replay.evaluate import Driven, Judged
from alpamayo_ros.replay.records import Planned, Record

# Every second waypoint is drawn in the cameras.
STRIDE = 2
# Samples that are shown at most.
SAMPLES = 8
# Half the width of the chosen path's ribbon, metres: that of a car.
HALF_WIDTH = 0.9
# Seconds of driven history in the bird's-eye view, and its steps.
HISTORY_S, HISTORY_STEPS = 3.0, 31
# Projected points are int16: a picture is this wide and high, and this is "not in view".
UNIT, NOWHERE = 8000, -32768


@dataclass
class Collector:
    """Ticks of one replay, taken in one by one.

    Args:
        cameras: models by role; roles without one get no drawing.
        driven: where the vehicle was.
        stride: every how many-th record is shown.
    """

    cameras: Mapping[str, CameraModel]
    driven: Driven
    stride: int = 1
    ticks: list[dict[str, Any]] = field(default_factory=list)
    arrays: dict[str, list[np.ndarray]] = field(default_factory=dict)
    pictures: list[bytes] = field(default_factory=list)
    _number: int = 0

    def add(self, judged: Judged) -> None:
        record = judged.record
        number, self._number = self._number, self._number + 1
        if number % self.stride or record.t0_ns is None:
            return
        if record.planned is None:
            refusal = record.refusal
            self.ticks.append(
                {"t0": str(record.t0_ns), "epoch": record.epoch, "refusal": refusal.reason.value, "why": str(refusal)}
            )
            return
        self._add_plan(record, record.planned, judged)

    def stacked(self) -> dict[str, np.ndarray]:
        """Each array of all plans; a plan of fewer samples than the others has nothing in their place."""
        nothing = {name: NOWHERE if name.startswith("fan_") else np.nan for name in self.arrays}
        return {name: _stack(values, nothing[name]) for name, values in self.arrays.items()}

    def write(self, path: Path, said: Mapping[str, Any]) -> None:
        """The report as one HTML file."""
        from alpamayo_ros.report.page import write_page

        write_page(path, self, said)

    def _add_plan(self, record: Record, planned: Planned, judged: Judged) -> None:
        plan = planned.plan
        shown = _shown(plan.chosen, len(plan.reasoning))
        pictures = {}
        for role, data in record.pictures.items():
            pictures[role] = len(self.pictures)
            self.pictures.append(data)
        offsets = (planned.stamps_ns[:, -1] - plan.t0_ns) / 1e6
        self.ticks.append(
            {
                "t0": str(record.t0_ns), "epoch": record.epoch, "plan": len(self.arrays.get("xy", ())),
                "reasoning": [plan.reasoning[k] for k in shown], "chosen": shown.index(plan.chosen),
                "command": planned.command, "notes": list(plan.notes), "pictures": pictures,
                "offsets": dict(zip(planned.roles, np.round(offsets, 1).tolist(), strict=True)),
                "stand_ins": int(planned.stand_in.sum()),
                "refused": [str(refusal) for refusal in record.refused],
                "latency": sum(record.timings.get(stage, 0.0) for stage in ("decode", "policy")),
                "numbers": {name: _short(value) for name, value in judged.numbers.items()},
            }
        )  # fmt: skip
        self._keep("xy", plan.xyz[shown, :, :2])
        chosen = plan.chosen
        start = plan.speed[chosen, 0] - plan.acceleration[chosen, 0] * PLAN_PERIOD
        self._keep("speed", np.concatenate([[start], plan.speed[chosen]]))
        self._keep("curvature", plan.curvature[chosen])
        truth = np.full((64, 2), np.nan, np.float32)
        truth[: len(judged.future)] = judged.future[:, :2]
        self._keep("driven", truth)
        self._keep("history", self._history(planned))
        self._keep("motion", self._motion(planned))
        for role in CAMERA_ROLES:
            self._keep(f"fan_{role}", self._fan(role, planned, shown))

    def _keep(self, name: str, values: np.ndarray) -> None:
        kind = np.int16 if name.startswith("fan_") else np.float32
        self.arrays.setdefault(name, []).append(np.asarray(values, kind))

    def _at(self, planned: Planned, at_ns: np.ndarray) -> Pose:
        """The ego at times, as far as odometry goes, in the ego frame of t0."""
        stamps = self.driven.stamps_ns
        return self.driven.ego(planned.plan.t0_ns, planned.ego, np.clip(at_ns, stamps[0], stamps[-1]))

    def _history(self, planned: Planned) -> np.ndarray:
        seconds = np.linspace(-HISTORY_S, 0.0, HISTORY_STEPS)
        return self._at(planned, planned.plan.t0_ns + (seconds * SECOND_NS).astype(np.int64)).xyz[:, :2]

    def _motion(self, planned: Planned) -> np.ndarray:
        """(speed m/s, curvature 1/m) of the vehicle around t0, over 0.4 s; no curvature at a crawl."""
        span = np.array([-200_000_000, 200_000_000])
        poses = self._at(planned, planned.plan.t0_ns + span)
        moved = poses.xyz[1, :2] - poses.xyz[0, :2]
        distance = float(np.hypot(*moved)) * (1 if moved[0] >= 0 else -1)
        seconds = float(np.diff(np.clip(planned.plan.t0_ns + span, *self.driven.stamps_ns[[0, -1]]))[0]) / SECOND_NS
        turned = float(np.diff(yaw_of_quaternion(poses.quaternion))[0])
        turned = (turned + np.pi) % (2 * np.pi) - np.pi
        speed = distance / seconds if seconds > 0 else np.nan
        return np.array([speed, turned / distance if distance > 0.2 else np.nan])

    def _fan(self, role: str, planned: Planned, shown: Sequence[int]) -> np.ndarray:
        """(2 + samples, 32, 2): the left and right edge of the chosen path in a camera's picture, then the samples.

        In the camera's place at its own image's stamp: a vehicle moves a metre while its cameras take turns.
        """
        points = np.full((2 + len(shown), 64 // STRIDE, 2), NOWHERE, np.int16)
        camera = self.cameras.get(role)
        if camera is None or role not in planned.roles:
            return points
        plan = planned.plan
        stamp = planned.stamps_ns[planned.roles.index(role), -1]
        moved = self._at(planned, np.array([stamp]))
        then = Pose(moved.xyz[0], moved.quaternion[0]).inverse()
        side = HALF_WIDTH * matrix_from_yaw(plan.yaw[plan.chosen])[:, :, 1]
        lines = [plan.xyz[plan.chosen] + side, plan.xyz[plan.chosen] - side, *plan.xyz[shown]]
        height, width = camera.size
        for row, line in enumerate(lines):
            pixels, visible = camera.project(then.apply(line[::STRIDE]))
            scaled = pixels / [width, height] * UNIT
            inside = visible & (np.abs(scaled - UNIT / 2) < 2.5 * UNIT).all(axis=1)
            points[row] = np.where(inside[:, None], np.clip(scaled, -32000, 32000), NOWHERE).round().astype(np.int16)
        return points


def _stack(values: list[np.ndarray], nothing: float) -> np.ndarray:
    most = max(len(each) for each in values)
    stacked = np.full((len(values), most, *values[0].shape[1:]), nothing, values[0].dtype)
    for row, each in zip(stacked, values, strict=True):
        row[: len(each)] = each
    return stacked


def _shown(chosen: int, count: int) -> list[int]:
    """The samples that are shown: the first ones, and the chosen one among them."""
    first = list(range(min(count, SAMPLES)))
    return first if chosen in first else [*first[:-1], chosen]


def _short(value: float) -> float | bool:
    return value if isinstance(value, bool) else round(float(value), 4)
