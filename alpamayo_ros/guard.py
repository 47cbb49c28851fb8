"""Whether what is said and what is planned agree, both ways, by what a path does.

A text that acts (stop, slow, go, turn, shift) asks that the path does at least a weak form of it; a path that acts
strongly asks for a text that says so. Between weak and strong nothing is held against either, so that a borderline
plan is no contradiction. Where a route is known (the small world), turns and shifts are measured against it; where
none is, they are judged only where the path alone tells, and the answer may be that it is not known.

Rules on plain numbers; what a text claims is guard_text.py's to read.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum

import numpy as np

from alpamayo_ros.contract import PLAN_PERIOD, Plan

WEAK = {"stop": 0.85, "slow": 0.95, "gain": 0.7, "turn": 0.15, "shift": 0.2}
STRONG = {"slow": 0.5, "drop": 2.5, "gain": 3.5, "turn": 0.8, "shift": 0.55}
STANDS = 1.0  # m/s
# Without a route a path that turns by less than this in all is taken to run along a straight road (rad).
STRAIGHT = 0.1
EARLY_STEPS = 40


class Action(str, Enum):
    """What a decision does to the path."""

    HOLD = "hold"
    GO = "go"
    SLOW = "slow"
    STOP = "stop"
    TURN_LEFT = "turn_left"
    TURN_RIGHT = "turn_right"
    SHIFT_LEFT = "shift_left"
    SHIFT_RIGHT = "shift_right"


_SLOWING = {Action.STOP, Action.SLOW, Action.TURN_LEFT, Action.TURN_RIGHT}
_TURNS = {Action.TURN_LEFT: 1.0, Action.TURN_RIGHT: -1.0}
_SHIFTS = {Action.SHIFT_LEFT: 1.0, Action.SHIFT_RIGHT: -1.0}


@dataclass(frozen=True)
class Claim:
    """One thing that a text says the vehicle does.

    `follows`: it keeps to another vehicle, and so may slow, stop and wait with it. `faster`: its speed rises.
    """

    action: Action
    follows: bool = False
    faster: bool = False


@dataclass(frozen=True)
class Motion:
    """What a path does: speeds in m/s, `turn` in radians relative to the road (+ = left), lateral places in metres.

    `aside_now` and `aside` are the lateral position on the route now and where the path is farthest from it within
    the first four seconds. Without a route (`road` False) the road is taken to run straight on from where the
    vehicle stands: `turn` is the path's own, and a shift is known only on a path that is nearly straight.
    """

    speed: float
    lowest: float
    highest: float
    turn: float
    aside_now: float = 0.0
    aside: float = 0.0
    road: bool = True


class Agreement(str, Enum):
    """What came of comparing a text with its path."""

    CONSISTENT = "consistent"
    CONTRADICTED = "contradicted"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Verdict:
    """One sample's: `name` is the contradiction's public name, "" for none."""

    agreement: Agreement
    name: str = ""

    def __str__(self) -> str:
        return self.name or self.agreement.value


UNKNOWN = Verdict(Agreement.UNKNOWN)


def motion(speed_now: float, speeds: np.ndarray, turn: float, aside_now: float, asides: np.ndarray) -> Motion:
    """The motion of one sample on a known route: (64,) speeds, its turn, and its (64,) lateral positions there."""
    return Motion(speed_now, float(np.min(speeds)), float(np.max(speeds)), turn, aside_now, _farthest(asides))


def motion_of(plan: Plan, sample: int) -> Motion:
    """What one sample of a plan does, no route being known."""
    speeds = plan.speed[sample]
    now = float(speeds[0] - plan.acceleration[sample, 0] * PLAN_PERIOD)
    aside = _farthest(plan.xyz[sample, :, 1])
    return Motion(
        now, float(speeds.min()), float(speeds.max()), float(plan.yaw[sample, -1]), aside=aside, road=False
    )  # fmt: skip


def text_acts(claims: Collection[Claim]) -> bool:
    """True where a text asks for more than holding lane and speed."""
    return any(claim.action is not Action.HOLD for claim in claims)


def path_acts(path: Motion) -> bool:
    """True where a path does something that a text has to mention."""
    return (
        _slows_hard(path)
        or _stands(path)
        or _speeds_up(path)
        or abs(path.turn) > STRONG["turn"]
        or _shifts(path) != 0.0
    )


def agree(claims: Collection[Claim], path: Motion) -> bool:
    """True where every act of the text is in the path, and the path's strong acts are in the text."""
    return verdict(claims, path).agreement is Agreement.CONSISTENT


def verdict(claims: Collection[Claim], path: Motion, complete: bool = True) -> Verdict:
    """Compares a text's claims with a path.

    Args:
        claims: what is said; none is unknown.
        complete: whether the whole text was understood. Else what the path does unsaid is not held against it.
    """
    if not claims:
        return UNKNOWN
    known = False
    for claim in claims:
        done = _path_does(claim, path)
        if done is False:
            return Verdict(Agreement.CONTRADICTED, f"says_{claim.action.value}_path_does_not")
        known = known or done is True
    unsaid = _unsaid({claim.action for claim in claims}, any(claim.follows for claim in claims), path)
    if unsaid and complete:
        return Verdict(Agreement.CONTRADICTED, unsaid)
    return Verdict(Agreement.CONSISTENT) if known and not unsaid else UNKNOWN


def _path_does(claim: Claim, path: Motion) -> bool | None:
    """Whether the path does what is claimed; None where that cannot be told."""
    action = claim.action
    if action is Action.STOP:
        return bool(path.lowest <= max(STANDS, WEAK["stop"] * path.speed))
    if action is Action.SLOW:
        # A car that cuts in is made room for by not going faster, too.
        slower = path.lowest <= max(STANDS, WEAK["slow"] * path.speed)
        return bool(slower or path.highest < path.speed + WEAK["gain"])
    if claim.faster:
        return bool(path.highest >= path.speed + WEAK["gain"])
    if action in _TURNS:
        return _does(path.turn * _TURNS[action], WEAK["turn"], path.road)
    if action in _SHIFTS:
        if not path.road and abs(path.turn) > STRAIGHT:
            return None
        return _does(path.aside * _SHIFTS[action], WEAK["shift"], path.road)
    return True


def _does(there: float, least: float, road: bool) -> bool | None:
    """A turn or shift may be further ahead than the path goes: without a route only its opposite denies it."""
    if there >= least:
        return True
    return False if road or there <= -least else None


def _unsaid(actions: Collection[Action], follows: bool, path: Motion) -> str:
    """The name of a strong act of the path that the text does not say."""
    if follows:
        return ""
    slowing = not _SLOWING.isdisjoint(actions)
    if _slows_hard(path) and not slowing:
        return "brakes_unsaid"
    if _stands(path) and not slowing:
        return "stands_unsaid"
    if _speeds_up(path) and not {Action.STOP, Action.SLOW}.isdisjoint(actions) and Action.GO not in actions:
        return "speeds_up_against_text"
    if not path.road:
        return ""
    if abs(path.turn) > STRONG["turn"] and {*_TURNS, Action.STOP, Action.SLOW}.isdisjoint(actions):
        return "turns_unsaid"
    side = _shifts(path)
    said = slowing or any(_SHIFTS.get(action) == side for action in actions)
    return "shifts_unsaid" if side and not said else ""


def _farthest(asides: np.ndarray) -> float:
    early = asides[:EARLY_STEPS]
    return float(early[np.argmax(np.abs(early))])


def _slows_hard(path: Motion) -> bool:
    return path.lowest < STRONG["slow"] * path.speed and path.speed - path.lowest > STRONG["drop"]


def _stands(path: Motion) -> bool:
    return path.speed < STANDS and path.highest < STANDS


def _speeds_up(path: Motion) -> bool:
    return path.highest > path.speed + STRONG["gain"] and path.lowest > WEAK["stop"] * path.speed


def _shifts(path: Motion) -> float:
    """+1 where the path moves left out of its line, -1 right, 0 where it keeps or comes back to it."""
    moved = path.aside - path.aside_now
    leaves = abs(path.aside) > STRONG["shift"] and abs(moved) > WEAK["shift"] and moved * path.aside > 0.0
    return float(np.sign(path.aside)) if leaves else 0.0
