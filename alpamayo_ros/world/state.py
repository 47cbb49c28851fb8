"""The world at one instant, as values: the ego, cars, pedestrians, lights. No behaviour, and nothing of the future.

Poses are in the world frame (metres, radians counter-clockwise). A car's origin is the middle of its footprint,
the ego's the middle of its rear axle.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from alpamayo_ros.geometry import wrap_angle


class Colour(str, Enum):
    RED = "red"
    YELLOW = "yellow"
    GREEN = "green"


class Blinker(str, Enum):
    OFF = "off"
    LEFT = "left"
    RIGHT = "right"
    HAZARD = "hazard"


@dataclass(frozen=True)
class EgoState:
    """Rear-axle pose; speed m/s, acceleration m/s^2, steering angle of the front wheels in radians (+ = left)."""

    x: float
    y: float
    yaw: float
    speed: float
    acceleration: float = 0.0
    steering: float = 0.0


@dataclass(frozen=True)
class Body:
    """A box on the ground: length, width, height in metres."""

    length: float
    width: float
    height: float


@dataclass(frozen=True)
class CarState:
    """`style` names its shape and paint for the renderer; `role` is what a counterfactual removes it by."""

    name: str
    role: str
    x: float
    y: float
    yaw: float
    speed: float
    body: Body
    style: str
    paint: int
    braking: bool = False
    blinker: Blinker = Blinker.OFF


@dataclass(frozen=True)
class PedestrianState:
    """`speed` along `yaw`; `walked` metres since the start, which is the phase of the gait."""

    name: str
    role: str
    x: float
    y: float
    yaw: float
    speed: float
    walked: float
    clothes: int


@dataclass(frozen=True)
class LightState:
    """The signal of junction number `junction`."""

    junction: int
    colour: Colour


@dataclass(frozen=True)
class Snapshot:
    """Everything that moves or changes, at `t_ns`."""

    t_ns: int
    ego: EgoState
    cars: tuple[CarState, ...] = ()
    pedestrians: tuple[PedestrianState, ...] = ()
    lights: tuple[LightState, ...] = ()

    def without(self, role: str) -> Snapshot:
        """The same instant without the cars and pedestrians of this role."""
        return replace(
            self,
            cars=tuple(car for car in self.cars if car.role != role),
            pedestrians=tuple(person for person in self.pedestrians if person.role != role),
        )

    def with_lights(self, colour: Colour) -> Snapshot:
        """The same instant with every light showing `colour`."""
        return replace(self, lights=tuple(replace(light, colour=colour) for light in self.lights))


PEDESTRIAN_BODY = Body(0.6, 0.7, 1.75)


def blend(before: Snapshot, after: Snapshot, t_ns: int) -> Snapshot:
    """The instant `t_ns` between two snapshots of one cast: poses linear in time, all else as in `before`."""
    if t_ns == before.t_ns:
        return before
    if t_ns == after.t_ns:
        return after
    fraction = (t_ns - before.t_ns) / (after.t_ns - before.t_ns)

    def between(first, second):
        values = {
            name: getattr(first, name) + fraction * (getattr(second, name) - getattr(first, name))
            for name in ("x", "y", "speed")
        }
        yaw = first.yaw + fraction * float(wrap_angle(second.yaw - first.yaw))
        return replace(first, yaw=yaw, **values)

    return Snapshot(
        t_ns,
        between(before.ego, after.ego),
        tuple(between(a, b) for a, b in zip(before.cars, after.cars, strict=True)),
        tuple(between(a, b) for a, b in zip(before.pedestrians, after.pedestrians, strict=True)),
        before.lights,
    )


def footprint(x: float, y: float, yaw: float, body: Body) -> np.ndarray:
    """(4, 2) corners of a box around its middle, counter-clockwise from front left."""
    cos, sin = math.cos(yaw), math.sin(yaw)
    half_length, half_width = body.length / 2, body.width / 2
    along = np.array([half_length, -half_length, -half_length, half_length])
    across = np.array([half_width, half_width, -half_width, -half_width])
    return np.stack([x + cos * along - sin * across, y + sin * along + cos * across], axis=-1)
