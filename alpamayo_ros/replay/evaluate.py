"""A replay against what the vehicle did next: one row of numbers a tick, and their summary.

The bag's own future is its odometry after t0, at the plan's times, in the ego frame of t0. Where the bag ends sooner
than the plan, only the steps that it covers count, and the numbers say so. Definitions: `metrics.py` for displacement
and comfort; the others here.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from alpamayo_ros import metrics
from alpamayo_ros.contract import PLAN_OFFSETS_NS, PLAN_PERIOD, SECOND_NS
from alpamayo_ros.geometry import Pose, interpolate_poses, wrap_angle, yaw_of_quaternion
from alpamayo_ros.guard import Agreement
from alpamayo_ros.guard_text import judge
from alpamayo_ros.history import Sample
from alpamayo_ros.replay.records import Planned, Record

# Seconds at which errors are stated.
HORIZONS = (1.0, 3.0, 6.4)
# A plan misses where no sample's pose at the horizon is within this of the vehicle's (metres; nuScenes prediction).
MISS = 2.0
# Odometry further apart than this is no future to compare with (ns).
WIDEST_GAP_NS = SECOND_NS // 2

# What is stated apart, of ticks whose future the bag does not cover: its name in the summary -> in a row.
_PARTIAL = {"mean_horizon": "horizon", "min_ade_over_it": "min_ade"}

Row = dict[str, Any]


class Track:
    """Poses as they come, 64 bytes each: a day of odometry fits into memory."""

    def __init__(self) -> None:
        self._stamps, self._values = array("q"), array("d")

    def add(self, stamp_ns: int, sample: Sample) -> None:
        self._stamps.append(stamp_ns)
        self._values.extend(sample)

    def driven(self) -> Driven:
        """All of it by rising stamp; of a stamp that came twice, the first."""
        stamps = np.array(self._stamps, dtype=np.int64)
        values = np.array(self._values, dtype=np.float64).reshape(-1, 7)
        if (np.diff(stamps) <= 0).any():
            stamps, first = np.unique(stamps, return_index=True)
            values = values[first]
        values[:, 3:] /= np.linalg.norm(values[:, 3:], axis=1, keepdims=True)
        return Driven(stamps, Pose(values[:, :3], values[:, 3:]))


@dataclass(frozen=True, eq=False)
class Driven:
    """Where the vehicle was: (N,) int64 rising stamps and N poses of odometry's child frame."""

    stamps_ns: np.ndarray
    poses: Pose

    def ego(self, t0_ns: int, ego: Pose, at_ns: np.ndarray) -> Pose:
        """The ego frame at times within the stamps, in the ego frame of t0.

        `ego` is its pose at t0 in odometry's frame. What lies between odometry's child frame and the ego frame
        is taken as rigid.
        """
        there = interpolate_poses(self.stamps_ns, self.poses, np.concatenate([[t0_ns], at_ns]))
        first = Pose(there.xyz[0], there.quaternion[0])
        offset = first.inverse() @ ego
        return ego.inverse() @ Pose(there.xyz[1:], there.quaternion[1:]) @ offset

    def covered(self, t0_ns: int) -> int:
        """How many of the plan's steps the bag's own future reaches, without a gap."""
        last = self.stamps_ns[-1] if len(self.stamps_ns) else t0_ns
        after = self.stamps_ns[np.searchsorted(self.stamps_ns, t0_ns, side="right") - 1 :]
        gaps = np.flatnonzero(np.diff(after) > WIDEST_GAP_NS)
        if gaps.size:
            last = after[gaps[0]]
        return int(np.searchsorted(t0_ns + np.asarray(PLAN_OFFSETS_NS), last, side="right"))


class Judged(NamedTuple):
    """A record, its numbers, and where the vehicle went: (n, 3) in the ego frame of t0."""

    record: Record
    numbers: Row
    future: np.ndarray


def future(driven: Driven, planned: Planned) -> tuple[np.ndarray, np.ndarray]:
    """(n, 3) positions and (n,) headings of the vehicle at the plan's first n times, as far as the bag goes."""
    t0 = planned.plan.t0_ns
    steps = driven.covered(t0)
    poses = driven.ego(t0, planned.ego, t0 + np.asarray(PLAN_OFFSETS_NS[:steps], dtype=np.int64))
    return poses.xyz, yaw_of_quaternion(poses.quaternion)


def row(planned: Planned, xyz: np.ndarray, yaw: np.ndarray, before: Record | None) -> Row:
    """A planned tick's numbers.

    Args:
        xyz, yaw: the bag's own future, as `future` gives it.
        before: the tick before it in the same epoch, if that came to a plan.
    """
    plan, steps = planned.plan, len(xyz)
    numbers: Row = {"horizon": steps * PLAN_PERIOD}
    if steps:
        numbers |= _errors(plan.xyz, plan.yaw[plan.chosen], plan.chosen, xyz, yaw)
    comfort = metrics.comfort(plan.xyz[plan.chosen], plan.yaw[plan.chosen])
    numbers |= {"comfort": float(np.mean(list(comfort.values())))}
    numbers |= {f"comfort_{name}": bool(held) for name, held in comfort.items()}
    if before is not None:
        numbers["plan_to_plan"] = _plan_to_plan(before.planned, planned)
    agreement = judge(plan, plan.chosen).agreement
    if agreement is not Agreement.UNKNOWN:
        numbers["reasoning_action"] = agreement is Agreement.CONSISTENT
    return numbers


def rows(records: Iterable[Record], driven: Driven) -> Iterator[Judged]:
    """Every record judged; a refusal has no numbers."""
    before: Record | None = None
    for record in records:
        if record.planned is None:
            yield Judged(record, {}, np.empty((0, 3)))
            if record.t0_ns is not None:
                before = None
            continue
        if before is not None and before.epoch != record.epoch:
            before = None
        xyz, yaw = future(driven, record.planned)
        yield Judged(record, row(record.planned, xyz, yaw, before), xyz)
        before = record


class Summary:
    """The mean of every number over the ticks of a replay, taken in one by one."""

    def __init__(self) -> None:
        self._sums: dict[str, tuple[float, int]] = {}
        self.plans = 0
        self.refused: Counter[str] = Counter()
        self.messages_refused: Counter[str] = Counter()

    def add(self, judged: Judged) -> None:
        record, numbers, _ = judged
        for refusal in record.refused:
            self.messages_refused[refusal.reason.value] += 1
        if record.refusal is not None:
            counter = self.refused if record.t0_ns is not None else self.messages_refused
            counter[record.refusal.reason.value] += 1
            return
        self.plans += 1
        partial = 0 < numbers["horizon"] < HORIZONS[-1]
        shown = {name: value for name, value in numbers.items() if name not in _PARTIAL.values()}
        for name, value in (shown | ({new: numbers[old] for new, old in _PARTIAL.items()} if partial else {})).items():
            total, count = self._sums.get(name, (0.0, 0))
            self._sums[name] = total + float(value), count + 1

    def value(self) -> dict[str, Any]:
        """JSON; `ticks` beside a mean is how many it is over."""
        ticks = self.plans + sum(self.refused.values())
        means = {name: {"mean": total / count, "ticks": count} for name, (total, count) in sorted(self._sums.items())}
        partial = {name: means.pop(name, {"mean": None, "ticks": 0}) for name in _PARTIAL}
        return {
            "ticks": ticks,
            "plans": self.plans,
            "refusals": {
                "rate": sum(self.refused.values()) / ticks if ticks else None,
                "by_name": dict(self.refused),
                "messages_by_name": dict(self.messages_refused),
            },
            "metrics": means,
            "partial_horizon": {
                "ticks": partial["mean_horizon"]["ticks"],
                **{name: value["mean"] for name, value in partial.items()},
            },
        }


def _errors(samples: np.ndarray, yaw: np.ndarray, chosen: int, truth: np.ndarray, truth_yaw: np.ndarray) -> Row:
    """Displacement of the chosen and of the best sample at each horizon that is covered, and over what is covered.

    `min_ade_T` is the average over T of the sample that is best over T: minADE_K at that horizon.
    """
    errors = metrics.displacement(samples[:, : len(truth)], truth)
    numbers: Row = {"min_ade": float(errors.mean(axis=-1).min())}
    for seconds in HORIZONS:
        n = round(seconds / PLAN_PERIOD)
        if n > len(truth):
            break
        name = f"{seconds:g}s"
        numbers[f"ade_{name}"] = float(errors[chosen, :n].mean())
        numbers[f"min_ade_{name}"] = float(errors[:, :n].mean(axis=-1).min())
        numbers[f"fde_{name}"] = float(errors[chosen, n - 1])
        numbers[f"min_fde_{name}"] = float(errors[:, n - 1].min())
        numbers[f"miss_{name}"] = bool(errors[:, n - 1].min() > MISS)
        off = samples[chosen, n - 1, :2] - truth[n - 1, :2]
        cos, sin = np.cos(truth_yaw[n - 1]), np.sin(truth_yaw[n - 1])
        numbers[f"longitudinal_{name}"] = float(abs(off[0] * cos + off[1] * sin))
        numbers[f"lateral_{name}"] = float(abs(off[1] * cos - off[0] * sin))
        numbers[f"heading_{name}"] = float(abs(wrap_angle(yaw[n - 1] - truth_yaw[n - 1])))
    return numbers


def _plan_to_plan(before: Planned, now: Planned) -> float:
    """Mean distance of two consecutive chosen plans over the time that both cover, metres."""
    earlier = before.ego.apply(before.plan.xyz[before.plan.chosen])
    later = now.ego.apply(now.plan.xyz[now.plan.chosen])
    times = np.asarray(PLAN_OFFSETS_NS, dtype=np.int64)
    at = now.plan.t0_ns + times
    shared = at <= before.plan.t0_ns + times[-1]
    if not shared.any():
        return 0.0
    there = (at[shared] - before.plan.t0_ns) / SECOND_NS
    known = np.concatenate([[0.0], times / SECOND_NS])
    path = np.concatenate([before.ego.xyz[None], earlier])
    where = np.stack([np.interp(there, known, path[:, axis]) for axis in (0, 1)], axis=-1)
    return float(np.linalg.norm(where - later[shared, :2], axis=-1).mean())


def merged(summaries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The summaries of several bags as one, each tick counting once."""
    names = sorted({name for s in summaries for name in s["metrics"]})
    ticks, plans = (sum(s[key] for s in summaries) for key in ("ticks", "plans"))
    by_name: Counter[str] = Counter()
    for s in summaries:
        by_name.update(s["refusals"]["by_name"])

    def mean(name: str) -> dict[str, Any]:
        found = [s["metrics"][name] for s in summaries if name in s["metrics"]]
        count = sum(each["ticks"] for each in found)
        return {"mean": sum(each["mean"] * each["ticks"] for each in found) / count, "ticks": count}

    return {
        "bags": len(summaries),
        "ticks": ticks,
        "plans": plans,
        "refusals": {"rate": sum(by_name.values()) / ticks if ticks else None, "by_name": dict(by_name)},
        "metrics": {name: mean(name) for name in names},
    }
