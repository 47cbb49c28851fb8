"""Scenarios: a frozen value drawn from (family, seed), with factors that vary independently of each other.

A scenario says what is to happen; `scene.py` builds the road and the cast from it. Which scenarios are kept from
training is said in `split.py` alone.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from enum import Enum

import numpy as np


class Family(str, Enum):
    """What a scenario is about. The value is its public name."""

    EMPTY_ROAD = "empty_road"
    LEAD_STEADY = "lead_steady"
    LEAD_BRAKING = "lead_braking"
    LEAD_STOPPED = "lead_stopped"
    CUT_IN = "cut_in"
    PEDESTRIAN = "pedestrian"
    TRAFFIC_LIGHT = "traffic_light"
    LIGHT_QUEUE = "light_queue"
    CONES = "cones"
    JUNCTION = "junction"
    LIGHT_TURN = "light_turn"


class Zone(str, Enum):
    """The surroundings, which tell the speed limit: kerbs and houses, hedges, or open country with posts."""

    TOWN = "town"
    SUBURB = "suburb"
    RURAL = "rural"


class Daylight(str, Enum):
    DAY = "day"
    DUSK = "dusk"


class Layout(str, Enum):
    """Lanes of the main road: one one-way lane; one each way; two in the ego's direction."""

    ONE_LANE = "one_lane"
    TWO_WAY = "two_way"
    DUAL = "dual"


class Bend(str, Enum):
    """How the main road runs."""

    STRAIGHT = "straight"
    GENTLE = "gentle"
    WINDING = "winding"
    SHARP_LEFT = "sharp_left"
    SHARP_RIGHT = "sharp_right"


SPEED_LIMIT = {Zone.TOWN: 8.3, Zone.SUBURB: 11.1, Zone.RURAL: 13.9}  # m/s: 30, 40 and 50 km/h

# What the traffic does, a family's own choice. The first word of a side or of a turn is the ego's left or right.
BEHAVIOURS: dict[Family, tuple[str, ...]] = {
    Family.EMPTY_ROAD: ("plain", "zebra", "walkers"),
    Family.LEAD_STEADY: ("slow", "slower"),
    Family.LEAD_BRAKING: ("to_stop", "to_crawl"),
    Family.LEAD_STOPPED: ("breakdown",),
    Family.CUT_IN: ("left", "right"),
    Family.PEDESTRIAN: ("left", "right"),
    Family.TRAFFIC_LIGHT: ("red", "green", "turns_red_far", "turns_red_near"),
    Family.LIGHT_QUEUE: ("red", "turns_red_far"),
    Family.CONES: ("left", "right"),
    Family.JUNCTION: ("left", "right", "straight"),
    Family.LIGHT_TURN: ("left_red", "left_green", "right_red", "right_green"),
}
_LAYOUTS: dict[Family, tuple[Layout, ...]] = {
    Family.CUT_IN: (Layout.DUAL,),
    Family.TRAFFIC_LIGHT: (Layout.TWO_WAY, Layout.DUAL),
    Family.LIGHT_QUEUE: (Layout.TWO_WAY, Layout.DUAL),
    Family.JUNCTION: (Layout.TWO_WAY,),
    Family.LIGHT_TURN: (Layout.TWO_WAY,),
}
_SHARP = (Bend.SHARP_LEFT, Bend.SHARP_RIGHT)
_BENDS: dict[Family, tuple[Bend, ...]] = {
    Family.EMPTY_ROAD: tuple(Bend) + _SHARP,
    Family.LEAD_STEADY: tuple(Bend),
}
_CALM_BENDS = (Bend.STRAIGHT, Bend.GENTLE, Bend.WINDING)
TURN_FAMILIES = (Family.JUNCTION, Family.LIGHT_TURN)
LIGHT_FAMILIES = (Family.TRAFFIC_LIGHT, Family.LIGHT_QUEUE, Family.LIGHT_TURN)
TURN_COMMANDS = {"left": "turn left", "right": "turn right", "straight": "go straight"}


@dataclass(frozen=True)
class Scenario:
    """One drive, before anything of it is built.

    Attributes:
        family, seed: where it comes from; `draw(family, seed)` gives it again.
        zone, daylight, layout, bend, behaviour: the named factors.
        command: the user's text, "" for none.
        event_s: metres along the route from the start to the first event.
        lateral_offset: metres to the left of the lane's centre at the start.
        heading_error: radians at the start.
        start_speed: m/s at the start.
        urgency: 0 (early, mild) to 1 (late, hard): when the traffic acts.
        exposure: the cameras' gain, about 1.
    """

    family: Family
    seed: int
    zone: Zone
    daylight: Daylight
    layout: Layout
    bend: Bend
    behaviour: str
    command: str
    event_s: float
    lateral_offset: float
    heading_error: float
    start_speed: float
    urgency: float
    exposure: float

    @property
    def speed_limit(self) -> float:
        return SPEED_LIMIT[self.zone]

    @property
    def turn(self) -> str:
        """ "left", "right" or "straight": where the route goes at its junction."""
        first = self.behaviour.split("_")[0]
        return first if self.family in TURN_FAMILIES else "straight"

    def stream(self, purpose: str) -> np.random.Generator:
        """Random numbers for one purpose ("scenery", "noise", ...), the same in every process."""
        return _generator(self.family, self.seed, purpose)


def draw(family: Family | str, seed: int) -> Scenario:
    """The scenario of this family and seed.

    Raises:
        ValueError: no such family, or a negative seed.
    """
    family = Family(family)
    if seed < 0:
        raise ValueError(f"a scenario's seed is zero or more, not {seed}")
    rng = _generator(family, seed, "factors")
    zone = _pick(rng, tuple(Zone))
    behaviour = _pick(rng, BEHAVIOURS[family])
    limit = SPEED_LIMIT[zone]
    turn = behaviour.split("_")[0] if family in TURN_FAMILIES else "straight"
    said = family in TURN_FAMILIES or (family in LIGHT_FAMILIES and rng.random() < 0.5)
    return Scenario(
        family=family,
        seed=seed,
        zone=zone,
        daylight=_pick(rng, tuple(Daylight)),
        layout=_pick(rng, _LAYOUTS.get(family, tuple(Layout))),
        bend=_pick(rng, _BENDS.get(family, _CALM_BENDS)),
        behaviour=behaviour,
        command=TURN_COMMANDS[turn] if said else "",
        event_s=float(rng.uniform(70.0, 120.0)),
        lateral_offset=float(rng.uniform(-0.5, 0.5)),
        heading_error=float(rng.uniform(-0.04, 0.04)),
        start_speed=float(limit * (rng.uniform(0.85, 1.0) if rng.random() < 0.6 else rng.uniform(0.0, 0.6))),
        urgency=float(rng.random()),
        exposure=float(rng.uniform(0.9, 1.1)),
    )


def _generator(family: Family, seed: int, purpose: str) -> np.random.Generator:
    return np.random.default_rng([zlib.crc32(family.value.encode()), seed, zlib.crc32(purpose.encode())])


def _pick(rng: np.random.Generator, choices: tuple):
    return choices[int(rng.integers(len(choices)))]
