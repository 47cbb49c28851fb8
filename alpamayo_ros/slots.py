"""Which frame of one camera fills which slot of the window. Pure: stamps in, indices out.

`nearest`: every slot takes the frame nearest to it, and a frame fills one slot; where a slot's own frame was
lost, its neighbour may fill it too, at most `max_repeats` times. A frame that is further away than the nearest by
less than a quarter of the camera's period counts as near as the nearest: else jitter around the half-way point
between two frames would double one of them and skip the other. Formally: of all assignments in time order of
frames that near, within the tolerance, the one with the fewest repeats, then the least sum of distances, then the
older frames.

`at_or_before`: every slot takes its last frame at or before it, as the loader of NVIDIA's dataset does.

A limit is kept up to a tenth (`within`): tolerance and skew limit are one period by default, which is just how
far the neighbours of a lost frame are, and the ordinary jitter of a stamp must not decide there.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from alpamayo_ros.contract import Reason

PICKS = ("nearest", "at_or_before")


def within(distance_ns: float, limit_ns: int) -> bool:
    """Whether a distance keeps a limit, up to a tenth of it."""
    return 10 * distance_ns <= 11 * limit_ns


@dataclass(frozen=True)
class SlotRule:
    """How slots are filled; all times in nanoseconds."""

    pick: str = "nearest"
    tolerance_ns: int = 100_000_000
    max_repeats: int = 1

    def __post_init__(self) -> None:
        if self.pick not in PICKS:
            raise ValueError(f"pick is {self.pick!r}; use one of {', '.join(PICKS)}")


@dataclass(frozen=True)
class Unfilled:
    """No assignment: the reason, the slot's index, and how far its best frame is (None: there is no frame)."""

    reason: Reason
    slot: int
    distance_ns: int | None


def fill_slots(
    stamps: Sequence[int], slots: Sequence[int], rule: SlotRule, period_ns: int
) -> tuple[int, ...] | Unfilled:
    """Indices into `stamps` (rising), one a slot (rising), by the rule in the module's docstring.

    Args:
        stamps: the camera's corrected stamps.
        slots: the slots' times.
        period_ns: the camera's own period.
    """
    choose = _nearest if rule.pick == "nearest" else _at_or_before
    chosen = tuple(choose(stamps, slot) for slot in slots)
    for number, (index, slot) in enumerate(zip(chosen, slots, strict=True)):
        if index < 0 or not within(abs(stamps[index] - slot), rule.tolerance_ns):
            distance = abs(stamps[index] - slot) if index >= 0 else None
            return Unfilled(Reason.CAMERA_GAP, number, distance)
    if rule.pick == "nearest" and len(set(chosen)) < len(chosen):
        chosen = _fewest_repeats(stamps, slots, chosen, rule, period_ns)
    if len(chosen) - len(set(chosen)) > rule.max_repeats:
        number = next(k for k in range(1, len(slots)) if chosen[k] == chosen[k - 1])
        return Unfilled(Reason.CAMERA_REPEAT, number, abs(stamps[chosen[number]] - slots[number]))
    return chosen


def _nearest(stamps: Sequence[int], slot: int) -> int:
    after = bisect_left(stamps, slot)
    if after == len(stamps):
        return after - 1
    if after and slot - stamps[after - 1] <= stamps[after] - slot:
        return after - 1
    return after


def _at_or_before(stamps: Sequence[int], slot: int) -> int:
    return bisect_right(stamps, slot) - 1


def _fewest_repeats(
    stamps: Sequence[int], slots: Sequence[int], chosen: Sequence[int], rule: SlotRule, period_ns: int
) -> tuple[int, ...]:
    """Of the assignments that are as near as `chosen` up to a quarter period, the one with the fewest repeats.

    Dynamic programming over slots; the state is the last frame, and its value (repeats, distance, frames) compares
    as the rule orders assignments.
    """
    states: dict[int, tuple[int, int, tuple[int, ...]]] = {-1: (0, 0, ())}
    for slot, nearest in zip(slots, chosen, strict=True):
        reach = min(abs(stamps[nearest] - slot) + period_ns // 4, 11 * rule.tolerance_ns // 10)
        first, stop = bisect_left(stamps, slot - reach), bisect_right(stamps, slot + reach)
        following: dict[int, tuple[int, int, tuple[int, ...]]] = {}
        for last, (repeats, distance, path) in states.items():
            for index in range(max(first, last), stop):
                step = (repeats + (index == last), distance + abs(stamps[index] - slot), (*path, index))
                if index not in following or step < following[index]:
                    following[index] = step
        states = following
    return min(states.values())[2]


def stand_ins(stamps: Sequence[int], slots: Sequence[int], chosen: Sequence[int], period_ns: int) -> tuple[bool, ...]:
    """True for every slot whose own frame was lost, so that a neighbour stands in for it.

    That is a frame further away than three quarters of the camera's period (half a period is the furthest that a
    slot's own frame can be, and jitter has a quarter), and of slots with the same frame all but the nearest.
    """
    distances = [abs(stamps[index] - slot) for index, slot in zip(chosen, slots, strict=True)]
    nearest = {index: min(d for i, d in zip(chosen, distances, strict=True) if i == index) for index in chosen}
    taken: set[int] = set()
    flags = []
    for index, distance in zip(chosen, distances, strict=True):
        own = distance == nearest[index] and index not in taken and 4 * distance <= 3 * period_ns
        flags.append(not own)
        if own:
            taken.add(index)
    return tuple(flags)
