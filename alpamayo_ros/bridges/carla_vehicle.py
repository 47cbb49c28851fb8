"""What a CARLA vehicle's wheels say of it: where its rear axle is, its wheelbase, how far its wheels turn.

CARLA gives a vehicle's pose at the actor's origin, which lies on the ground somewhere between the axles. `vehicle_info`
has the wheels' places in that frame (metres, ROS axes) and their largest steering angles (radians).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Wheels whose places are nearer than this have no axles between them (m). CARLA 0.10.0 says 0 of all of them.
SHORTEST_WHEELBASE = 0.5
BY_HAND = "say rear_axle_x, wheelbase and max_steer_angle of it (parameters of carla_follower)"


class WheelsUnknown(ValueError):
    """`vehicle_info` from which no vehicle can be made."""


@dataclass(frozen=True)
class Vehicle:
    """A vehicle's measures.

    Attributes:
        rear_axle: (x, y) of the middle of the rear axle in the frame of the actor's origin, m; both are on the ground.
        wheelbase: m.
        max_steer_angle: of the front wheels at |steer| = 1, rad.

    Raises:
        WheelsUnknown: measures that no vehicle has.
    """

    rear_axle: tuple[float, float]
    wheelbase: float
    max_steer_angle: float

    def __post_init__(self) -> None:
        if not (self.wheelbase >= SHORTEST_WHEELBASE and 0.0 < self.max_steer_angle < math.pi / 2):
            raise WheelsUnknown(
                f"a wheelbase of {self.wheelbase} m and wheels that turn {self.max_steer_angle} rad are no vehicle's; "
                f"the wheelbase is {SHORTEST_WHEELBASE} m or more, the angle between 0 and pi/2"
            )


def vehicle_of_wheels(xy: Sequence[tuple[float, float]], max_steer_angles: Sequence[float]) -> Vehicle:
    """A vehicle from its wheels, in any order: the rear axle is what lies behind the middle.

    Args:
        xy: each wheel's place in the frame of the actor's origin, m.
        max_steer_angles: of each wheel, rad.

    Raises:
        WheelsUnknown: fewer than two wheels, no two axles, values that are not finite, or no wheel that turns.
    """
    places, angles = np.asarray(xy, dtype=float).reshape(-1, 2), np.asarray(max_steer_angles, dtype=float)
    told = f"vehicle_info has {len(places)} wheels at x = {places[:, 0].tolist()} m, turning {angles.tolist()} rad"
    if len(places) < 2 or not np.isfinite(places).all() or not np.isfinite(angles).all():
        raise WheelsUnknown(f"{told}; {BY_HAND}")
    middle = (places[:, 0].min() + places[:, 0].max()) / 2
    rear, front = places[places[:, 0] < middle], places[places[:, 0] >= middle]
    if len(rear) == 0:
        raise WheelsUnknown(f"{told}: no two axles; {BY_HAND}")
    x, y = rear.mean(axis=0).tolist()
    try:
        return Vehicle((x, y), float(front[:, 0].mean()) - x, float(angles.max()))
    except WheelsUnknown as error:
        raise WheelsUnknown(f"{told}: {error}; {BY_HAND}") from None
