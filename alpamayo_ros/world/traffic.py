"""Plays a cast: cars, pedestrians and lights that act on the ego's motion and on the time, step by step.

Deterministic: the same plans and the same ego motion give the same states. It knows nothing of cameras or policies.
"""

from __future__ import annotations

import numpy as np

from alpamayo_ros.world.cast import Cast
from alpamayo_ros.world.motorists import Motorist
from alpamayo_ros.world.roads import RoadMap
from alpamayo_ros.world.signals import Light
from alpamayo_ros.world.state import CarState, Colour, EgoState, LightState, PedestrianState
from alpamayo_ros.world.vehicle import EgoOnRoad
from alpamayo_ros.world.walkers import Walker


class Traffic:
    """All actors of one drive. `step` moves them; the states are read by `cars`, `pedestrians`, `lights`."""

    def __init__(self, cast: Cast, roads: RoadMap) -> None:
        self._main = roads.main.curve
        self._cars = [Motorist(plan) for plan in cast.cars]
        self._pedestrians = [Walker(plan) for plan in cast.pedestrians]
        self._lights = [Light(plan, roads.junctions[plan.junction].stop_s) for plan in cast.lights]

    def step(self, time_s: float, dt: float, ego: EgoState) -> None:
        """Moves everybody by `dt` seconds, `time_s` after the start of the drive."""
        s, d = self._main.frenet(np.array([ego.x, ego.y]))
        seen = EgoOnRoad(float(s), float(d), ego.speed)
        for light in self._lights:
            light.step(dt, seen)
        stop_at = [light.stop_s for light in self._lights if light.colour is not Colour.GREEN]
        for car in self._cars:
            car.step(time_s, dt, seen, self._ahead_of(car), stop_at)
        for pedestrian in self._pedestrians:
            pedestrian.step(dt, seen)

    def _ahead_of(self, car: Motorist) -> tuple[float, float] | None:
        """(gap, speed) of the nearest car ahead on the same path and lane."""
        nearest = None
        for other in self._cars:
            if other is car or other.plan.curve is not car.plan.curve or other.plan.direction != car.plan.direction:
                continue
            gap = (other.s - car.s) * car.plan.direction - (other.length + car.length) / 2
            if abs(other.d - car.d) < 1.8 and gap > -2.0 and (nearest is None or gap < nearest[0]):
                nearest = (gap, other.speed)
        return nearest

    @property
    def cars(self) -> tuple[CarState, ...]:
        return tuple(car.state() for car in self._cars)

    @property
    def pedestrians(self) -> tuple[PedestrianState, ...]:
        return tuple(pedestrian.state(self._main) for pedestrian in self._pedestrians)

    @property
    def lights(self) -> tuple[LightState, ...]:
        return tuple(light.state() for light in self._lights)
