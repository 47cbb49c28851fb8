"""From a situation and its rollout to the decision: which one of the closed set says what the driver does, and why.

The decision follows from the rollout: what is said is what the path does, and what is cited is what limits it.
"""

from __future__ import annotations

import numpy as np

from alpamayo_ros.world.causes import Decision
from alpamayo_ros.world.driver import Limit, Rollout, shift_begins
from alpamayo_ros.world.perception import Manner, Situation
from alpamayo_ros.world.scene import Scene
from alpamayo_ros.world.state import Colour

LOST = 1.0  # m/s over the horizon, from which a limit counts
SLOWED = 0.7  # share of the present speed to which a path falls that slows down
STANDING = 1.0  # m/s, below which a path stops
SPED_UP = 1.5  # m/s gained, or lost in a bend
BEND_SLOWED = 0.85
SOON_STEPS = 25  # 2.6 s
TURNED = 0.3  # rad of a junction's turn within the horizon
GREEN_WITHIN = 45.0  # metres to the stop line
INSTRUCTED_WITHIN = 35.0  # metres to a junction that is gone straight over
SHIFT_SOON_S = 2.5
LAST_CONE_BEHIND = 2.5  # metres before the last cone's line, where the side cameras lose it

_CUT_IN = {Manner.FROM_LEFT: Decision.CUT_IN_LEFT, Manner.FROM_RIGHT: Decision.CUT_IN_RIGHT}


def decide(scene: Scene, now: Situation, rollout: Rollout) -> Decision:
    """The decision of this instant: what forces a stop first, then where the path goes, then its speed."""
    return (
        _limited(now, rollout)
        or _turning(scene, now, rollout)
        or _nudging(now)
        or _bending(scene, now, rollout)
        or _passing(scene, now)
        or (Decision.SPEED_UP if _speeds_up(now, rollout) else Decision.KEEP)
    )


def slows(speed_now: float, speeds: np.ndarray) -> bool:
    """True where a path falls clearly below the present speed, or stands."""
    lowest = float(speeds.min())
    return lowest < STANDING or lowest < SLOWED * speed_now


def _speeds_up(now: Situation, rollout: Rollout) -> bool:
    """Clearly faster within the horizon, and no slower at first."""
    return rollout.speed.max() - now.speed > SPED_UP and rollout.speed[SOON_STEPS] >= now.speed


def _limited(now: Situation, rollout: Rollout) -> Decision | None:
    """Other road users and lights, the one that costs most speed."""
    limit = max((Limit.LEAD, Limit.SIGNAL, Limit.CROSSER), key=lambda each: rollout.lost[each])
    if rollout.lost[limit] < LOST:
        return None
    slowing = slows(now.speed, rollout.speed)
    if limit is Limit.LEAD and now.lead is not None:
        manner = now.lead.manner
        if manner is Manner.STANDING:
            return Decision.STOP_BEHIND_CAR if slowing else None
        if manner is Manner.BRAKING and slowing:
            return Decision.SLOW_FOR_BRAKING_CAR
        return _CUT_IN.get(manner, Decision.FOLLOW)
    if not slowing:
        return None
    if limit is Limit.CROSSER:
        return Decision.STOP_FOR_PEDESTRIAN
    yellow = now.signal is not None and now.signal.colour is Colour.YELLOW
    return Decision.STOP_FOR_YELLOW if yellow else Decision.STOP_FOR_RED


def _turning(scene: Scene, now: Situation, rollout: Rollout) -> Decision | None:
    span = scene.roads.turn_s
    if span is None or not now.junction_ahead or now.s > span[1]:
        return None
    heads = [scene.roads.route.at(min(max(s, span[0]), span[1]))[2] for s in (now.s, float(rollout.s[-1]))]
    if abs(heads[1] - heads[0]) < TURNED:
        return None
    return Decision.TURN_LEFT if heads[1] > heads[0] else Decision.TURN_RIGHT


def _nudging(now: Situation) -> Decision | None:
    cones = now.narrowing
    if (
        cones is None
        or now.s > cones.end - LAST_CONE_BEHIND
        or now.s + SHIFT_SOON_S * now.speed < shift_begins(cones, now.speed)
    ):
        return None
    return Decision.NUDGE_LEFT if cones.side < 0 else Decision.NUDGE_RIGHT


def _bending(scene: Scene, now: Situation, rollout: Rollout) -> Decision | None:
    """A bend that the path slows down for, named by where the road goes at the slowest point's far side."""
    lowest = float(rollout.speed.min())
    if rollout.lost[Limit.BEND] < LOST or lowest > BEND_SLOWED * now.speed or now.speed - lowest < SPED_UP:
        return None
    span = np.arange(now.s, float(rollout.s[-1]) + 25.0, 1.0)
    bends = np.array([scene.roads.route.at(float(s))[3] for s in span])
    sharpest = bends[np.argmax(np.abs(bends))]
    return Decision.SLOW_FOR_BEND_LEFT if sharpest > 0 else Decision.SLOW_FOR_BEND_RIGHT


def _passing(scene: Scene, now: Situation) -> Decision | None:
    """A junction that is gone straight over: on green, or as instructed."""
    if scene.roads.turn_s is not None:
        return None
    if now.signal is not None and now.signal.colour is Colour.GREEN and now.signal.room < GREEN_WITHIN:
        return Decision.GO_ON_GREEN
    near = any(j.entry - INSTRUCTED_WITHIN < now.s and now.s < j.exit for j in scene.roads.junctions)
    return Decision.STRAIGHT_ON if scene.scenario.command and near else None
