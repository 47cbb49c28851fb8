"""A scenario built: its road map, cast and scenery, and the profiles along the route. Nothing in it moves."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from alpamayo_ros.world.cast import Cast, build_cast
from alpamayo_ros.world.longitudinal import bend_speed
from alpamayo_ros.world.roads import RoadMap, build_roads
from alpamayo_ros.world.scenario import Scenario
from alpamayo_ros.world.scenery import Prop, beacons, build_scenery, cone_prop, line_posts, signal_posts


@dataclass(frozen=True, eq=False)
class Scene:
    """Everything that stays as it is during a drive.

    `signals[j]` are the posts of junction j's signal (empty where it has none); `cones` the placed cones;
    `speed_profile` (N,) the speeds that limit and bends allow at the route's samples.
    """

    scenario: Scenario
    roads: RoadMap
    cast: Cast
    scenery: tuple[Prop, ...]
    signals: tuple[tuple[Prop, ...], ...]
    cones: tuple[Prop, ...]

    @cached_property
    def speed_profile(self) -> np.ndarray:
        return bend_speed(self.roads.route, self.scenario.speed_limit)

    @property
    def props(self) -> tuple[Prop, ...]:
        return self.scenery + tuple(post for posts in self.signals for post in posts) + self.cones


@lru_cache(maxsize=8)
def build(scenario: Scenario) -> Scene:
    """The scene of a scenario: the same for the same scenario, in every process."""
    roads = build_roads(scenario)
    cast = build_cast(scenario, roads)
    lit = {plan.junction for plan in cast.lights}
    marks = tuple(post for index in sorted(lit) for post in line_posts(roads, index))
    marks += tuple(beacon for s in cast.zebras for beacon in beacons(roads, s))
    return Scene(
        scenario,
        roads,
        cast,
        build_scenery(scenario, roads) + marks,
        tuple(signal_posts(roads, index) if index in lit else () for index in range(len(roads.junctions))),
        tuple(cone_prop(roads, s, d) for row in cast.cones for s, d in row.places),
    )
