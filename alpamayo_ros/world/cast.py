"""Who takes part in a scenario, as frozen plans: cars, pedestrians, lights, cones. `traffic.py` plays them.

A plan's triggers are the ego's distance or the time, so a drive unfolds from the ego's own motion alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alpamayo_ros.world.curves import Curve
from alpamayo_ros.world.roads import LANE, SECOND_EVENT_AFTER, RoadMap
from alpamayo_ros.world.scenario import Family, Layout, Scenario, Zone
from alpamayo_ros.world.state import Body, Colour

CAR_BODIES = {
    "sedan": Body(4.5, 1.85, 1.5),
    "hatch": Body(4.0, 1.8, 1.55),
    "suv": Body(4.7, 1.95, 1.8),
    "van": Body(5.4, 2.05, 2.5),
}
CONE_INTRUSION = 0.85  # metres from the lane's centre to the cones that narrow it
WALKING_SPEED = 1.25
BYSTANDER_ASIDE = (2.0, 3.2)  # metres beyond the paving; who wants to cross stands nearer


@dataclass(frozen=True)
class Brake:
    """Brake to `to_speed` once the drive is `after_s` seconds old and the ego within 40 m; hold, then go on."""

    after_s: float
    to_speed: float
    hold_s: float


@dataclass(frozen=True)
class Merge:
    """Indicate when the ego's front is `gap` metres behind, then move from the lane beside into the ego's.

    The car loses `slower` m/s with it, and drives away at `away` m/s some seconds later, which opens the road again.
    """

    gap: float
    slower: float
    away: float


@dataclass(frozen=True, eq=False)
class CarPlan:
    """One car: its path, where and how fast it starts, and what it will do. `direction` -1 drives it backwards in s."""

    name: str
    role: str
    style: str
    paint: int
    curve: Curve
    s: float
    d: float
    speed: float
    cruise: float
    direction: int = 1
    brakes: tuple[Brake, ...] = ()
    merge: Merge | None = None
    broken_down_s: float | None = None  # seconds that it stands on after the ego has come up behind it
    parked: bool = False
    obeys_lights: bool = False


@dataclass(frozen=True)
class PedestrianPlan:
    """Stands at (s, d) of the main road, or walks: to `to_d` across it once the ego comes near, or along it."""

    name: str
    role: str
    s: float
    d: float
    to_d: float
    clothes: int
    margin_s: float = 0.0  # seconds of driving beyond the braking distance, at which it sets out
    along: int = 0  # +-1: walks along the road


@dataclass(frozen=True)
class LightPlan:
    """One junction's signal: its first colour, and when the next ones come.

    `braking`: turns yellow when stopping at the line would need this deceleration (m/s^2); None: never.
    `red_s`: how long it stays red, counted from when the ego is within 30 m or from when it turned red.
    """

    junction: int
    first: Colour
    braking: float | None = None
    red_s: float = 6.0


@dataclass(frozen=True)
class ConeRow:
    """Cones from s to end along the main road, on the right (side -1) or left (+1) of the ego's lane."""

    s: float
    end: float
    side: int
    places: tuple[tuple[float, float], ...]


@dataclass(frozen=True, eq=False)
class Cast:
    cars: tuple[CarPlan, ...] = ()
    pedestrians: tuple[PedestrianPlan, ...] = ()
    lights: tuple[LightPlan, ...] = ()
    cones: tuple[ConeRow, ...] = ()
    zebras: tuple[float, ...] = ()


def build_cast(scenario: Scenario, roads: RoadMap) -> Cast:
    """Everybody that a scenario names, and bystanders that the ego need not mind."""
    rng = scenario.stream("cast")
    events = (scenario.event_s, scenario.event_s + SECOND_EVENT_AFTER)
    pedestrians = _crossers(scenario, roads, events, rng) + _bystanders(scenario, roads, rng)
    return Cast(
        cars=_actors(scenario, roads, rng) + _other_cars(scenario, roads, rng),
        pedestrians=pedestrians,
        lights=_lights(scenario, roads, rng),
        cones=_cones(scenario, events),
        zebras=events if scenario.family is Family.PEDESTRIAN or scenario.behaviour == "zebra" else (),
    )


def _car(
    rng: np.random.Generator, name: str, role: str, curve: Curve, s: float, d: float, speed: float, **rest
) -> CarPlan:
    style = str(rng.choice(list(CAR_BODIES), p=[0.35, 0.25, 0.25, 0.15]))
    rest.setdefault("cruise", speed)
    return CarPlan(name, role, style, int(rng.integers(8)), curve, s, d, speed, **rest)


def _actors(scenario: Scenario, roads: RoadMap, rng: np.random.Generator) -> tuple[CarPlan, ...]:
    """The cars that the ego has to mind."""
    curve, limit, start = roads.main.curve, scenario.speed_limit, scenario.start_speed
    near = 12.0 + 1.2 * start + rng.uniform(0.0, 14.0)
    family = scenario.family
    if family is Family.LEAD_STEADY:
        cruise = limit * (0.7 if scenario.behaviour == "slow" else 0.5)
        return (_car(rng, "lead", "lead", curve, near + 8.0, 0.0, cruise),)
    if family is Family.LEAD_BRAKING:
        low = 0.0 if scenario.behaviour == "to_stop" else 0.3 * limit
        first = 4.0 + 3.0 * scenario.urgency
        brakes = tuple(Brake(first + k * 11.0, low, float(rng.uniform(1.5, 4.0))) for k in range(3))
        return (_car(rng, "lead", "lead", curve, near + 4.0, 0.0, 0.8 * limit, brakes=brakes),)
    if family is Family.LEAD_STOPPED:
        stands = float(rng.uniform(3.0, 7.0))
        return (
            _car(rng, "lead", "lead", curve, scenario.event_s, 0.0, 0.0, cruise=0.85 * limit, broken_down_s=stands),
        )
    if family is Family.CUT_IN:
        side = 1.0 if scenario.behaviour == "left" else -1.0
        merge = Merge(gap=18.0 - 8.0 * scenario.urgency, slower=0.1 * limit, away=0.98 * limit)
        places = ((near + 14.0, 0.7 * limit), (near + 65.0, 0.5 * limit))
        return tuple(
            _car(rng, f"cut_in_{k}", "lead", curve, s, side * LANE, speed, merge=merge)
            for k, (s, speed) in enumerate(places)
        )
    if family is Family.LIGHT_QUEUE:
        cruise = 0.85 * limit
        gaps = (near + 4.0, near + 4.0 + rng.uniform(12.0, 18.0))
        return tuple(
            _car(rng, f"lead_{k}", "lead", curve, gap, 0.0, min(start + 2.0, cruise), cruise=cruise, obeys_lights=True)
            for k, gap in enumerate(gaps)
        )
    return ()


def _other_cars(scenario: Scenario, roads: RoadMap, rng: np.random.Generator) -> tuple[CarPlan, ...]:
    """Oncoming and neighbouring cars, and cars that wait at the crossing road: none of them in the ego's way."""
    curve, limit = roads.main.curve, scenario.speed_limit
    cars: list[CarPlan] = []
    if scenario.layout is Layout.TWO_WAY and not roads.junctions and rng.random() < 0.7:
        s = 50.0
        for k in range(int(rng.integers(1, 6))):
            s += rng.uniform(25.0, 110.0)
            cars.append(
                _car(rng, f"oncoming_{k}", "other", curve, s, LANE, rng.uniform(0.7, 0.95) * limit, direction=-1)
            )
    if scenario.layout is Layout.DUAL and scenario.family is not Family.CUT_IN and rng.random() < 0.6:
        side = 1.0 if roads.main.left > -roads.main.right else -1.0
        speed = rng.uniform(0.75, 0.95) * limit
        lights = bool(roads.junctions)
        cars.append(
            _car(rng, "beside", "other", curve, rng.uniform(12.0, 45.0), side * LANE, speed, obeys_lights=lights)
        )
    for k, (junction, road) in enumerate(zip(roads.junctions, roads.roads[1:], strict=True)):
        if rng.random() < 0.5:
            s = roads.main.right - 9.0
            cars.append(_car(rng, f"crossing_{k}", "other", road.curve, s, -LANE / 2, 0.0, parked=True))
        if scenario.layout is Layout.TWO_WAY and rng.random() < 0.4:
            s = 2 * junction.s - junction.stop_s + 4.0
            cars.append(_car(rng, f"opposite_{k}", "other", curve, s, LANE, 0.0, parked=True, direction=-1))
    return tuple(cars)


def _crossers(
    scenario: Scenario, roads: RoadMap, events: tuple[float, ...], rng: np.random.Generator
) -> tuple[PedestrianPlan, ...]:
    if scenario.family is not Family.PEDESTRIAN:
        return ()
    ends = (roads.main.right - 1.2, roads.main.left + 1.2)
    plans = []
    for k, s in enumerate(events):
        from_left = (scenario.behaviour == "left") == (k == 0)
        start, end = (ends[1], ends[0]) if from_left else ends
        margin = 1.3 + 1.1 * (1.0 - scenario.urgency)
        plans.append(PedestrianPlan(f"crosser_{k}", "pedestrian", s, start, end, int(rng.integers(6)), margin))
    return tuple(plans)


def _bystanders(scenario: Scenario, roads: RoadMap, rng: np.random.Generator) -> tuple[PedestrianPlan, ...]:
    """People on the verge, who stand or walk along the road and never step onto it."""
    chance = {Zone.TOWN: 0.7, Zone.SUBURB: 0.35, Zone.RURAL: 0.1}[scenario.zone]
    if scenario.behaviour == "walkers":
        chance = 1.0
    plans = []
    for k in range(6):
        if rng.random() > chance:
            continue
        side = rng.random() < 0.5
        aside = rng.uniform(*BYSTANDER_ASIDE)
        d = roads.main.left + aside if side else roads.main.right - aside
        s = 20.0 + 55.0 * k + rng.uniform(0.0, 35.0)
        if any(abs(s - junction.s) < 25.0 for junction in roads.junctions):
            continue
        along = int(rng.choice([-1, 0, 1]))
        plans.append(PedestrianPlan(f"bystander_{k}", "bystander", s, d, d, int(rng.integers(6)), along=along))
    return tuple(plans)


def _lights(scenario: Scenario, roads: RoadMap, rng: np.random.Generator) -> tuple[LightPlan, ...]:
    if scenario.family not in (Family.TRAFFIC_LIGHT, Family.LIGHT_QUEUE, Family.LIGHT_TURN):
        return ()
    kinds = [scenario.behaviour.removeprefix("left_").removeprefix("right_")]
    kinds += [str(rng.choice(["red", "green", "turns_red_far", "turns_red_near"]))] * (len(roads.junctions) - 1)
    return tuple(_light(index, kind, rng) for index, kind in enumerate(kinds))


def _light(junction: int, kind: str, rng: np.random.Generator) -> LightPlan:
    if kind == "red":
        return LightPlan(junction, Colour.RED, red_s=float(rng.uniform(3.0, 9.0)))
    # Far is well inside comfortable braking and near well beyond it: a driver is never left in doubt.
    braking = {"green": None, "turns_red_far": rng.uniform(1.2, 2.0), "turns_red_near": rng.uniform(4.5, 7.0)}[kind]
    return LightPlan(junction, Colour.GREEN, None if braking is None else float(braking), float(rng.uniform(4.0, 7.0)))


def _cones(scenario: Scenario, events: tuple[float, ...]) -> tuple[ConeRow, ...]:
    if scenario.family is not Family.CONES:
        return ()
    rows = []
    for k, start in enumerate(events):
        side = (1 if scenario.behaviour == "left" else -1) * (1 if k == 0 else -1)
        outer = 1.7
        taper = [(start + 3.0 * i, side * (outer + (CONE_INTRUSION - outer) * i / 4)) for i in range(5)]
        straight = [(start + 12.0 + 4.0 * i, side * CONE_INTRUSION) for i in range(1, 5 + int(4 * scenario.urgency))]
        places = tuple(taper + straight)
        rows.append(ConeRow(start, places[-1][0], side, places))
    return tuple(rows)
