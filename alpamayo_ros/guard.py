"""Whether what is said and what is planned agree, both ways, by what a path does.

A text that acts (stop, slow, go, turn, shift) asks that the path does at least a weak form of it; a path that acts
strongly asks for a text that says so. Between weak and strong nothing is held against either, so that a borderline
plan is no inconsistency. Rules on plain numbers: it needs no world, and a route only for turns and shifts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alpamayo_ros.world.causes import Action, Decision

WEAK = {"stop": 0.85, "slow": 0.95, "gain": 0.7, "turn": 0.15, "shift": 0.2}
STRONG = {"slow": 0.5, "drop": 2.5, "gain": 3.5, "turn": 0.8, "shift": 0.55}
STANDS = 1.0  # m/s
_SLOWING = (Action.STOP, Action.SLOW, Action.TURN_LEFT, Action.TURN_RIGHT)
_TURNS = {Action.TURN_LEFT: 1.0, Action.TURN_RIGHT: -1.0}
_SHIFTS = {Action.SHIFT_LEFT: 1.0, Action.SHIFT_RIGHT: -1.0}


@dataclass(frozen=True)
class Motion:
    """What a path does: speeds in m/s, `turn` in radians relative to the road (+ = left), lateral places in metres.

    `aside_now` and `aside` are the lateral position on the route now and where the path is farthest from it within
    the first four seconds; both zero where no route is known.
    """

    speed: float
    lowest: float
    highest: float
    turn: float
    aside_now: float = 0.0
    aside: float = 0.0


def motion(
    speed_now: float, speeds: np.ndarray, turn: float, aside_now: float = 0.0, asides: np.ndarray | None = None
) -> Motion:
    """The motion of one sample: (64,) speeds, its turn, and its (64,) lateral positions where a route is known."""
    aside = 0.0
    if asides is not None:
        early = asides[:40]
        aside = float(early[np.argmax(np.abs(early))])
    return Motion(speed_now, float(np.min(speeds)), float(np.max(speeds)), turn, aside_now, aside)


def text_acts(decision: Decision) -> bool:
    """True where a sentence asks for more than holding lane and speed."""
    return decision.action is not Action.HOLD


def path_acts(path: Motion) -> bool:
    """True where a path does something that a text has to mention."""
    return (
        _slows_hard(path)
        or _stands(path)
        or _speeds_up(path)
        or abs(path.turn) > STRONG["turn"]
        or _shifts(path) != 0.0
    )


def agree(decision: Decision, path: Motion) -> bool:
    """True where the text's act is in the path, and the path's strong acts are in the text."""
    return _path_does(decision, path) and _text_says(decision, path)


def _path_does(decision: Decision, path: Motion) -> bool:
    action = decision.action
    if action is Action.STOP:
        return path.lowest <= max(STANDS, WEAK["stop"] * path.speed)
    if action is Action.SLOW:
        # A car that cuts in is made room for by not going faster, too.
        return path.lowest <= max(STANDS, WEAK["slow"] * path.speed) or path.highest < path.speed + WEAK["gain"]
    if action is Action.GO and decision is Decision.SPEED_UP:
        return path.highest >= path.speed + WEAK["gain"]
    if action in _TURNS:
        return path.turn * _TURNS[action] >= WEAK["turn"]
    if action in _SHIFTS:
        return path.aside * _SHIFTS[action] >= WEAK["shift"]
    return True


def _text_says(decision: Decision, path: Motion) -> bool:
    action = decision.action
    follows = decision in (Decision.FOLLOW, Decision.CUT_IN_LEFT, Decision.CUT_IN_RIGHT)
    if (_slows_hard(path) or _stands(path)) and not (action in _SLOWING or follows):
        return False
    if _speeds_up(path) and action in (Action.STOP, Action.SLOW) and not follows:
        return False
    turning = abs(path.turn) > STRONG["turn"]
    if turning and action not in (*_TURNS, Action.STOP, Action.SLOW) and not follows:
        return False
    side = _shifts(path)
    return side == 0.0 or action in (*_SLOWING, *_TURNS) or follows or _SHIFTS.get(action) == side


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
