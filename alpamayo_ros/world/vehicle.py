"""The ego vehicle: a kinematic bicycle about the rear axle, with actuator lag.

x' = v cos(yaw), y' = v sin(yaw), yaw' = v tan(steering) / wheelbase (Rajamani, Vehicle Dynamics and Control, 2.2,
with the reference point on the rear axle, where there is no side slip).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from alpamayo_ros.world.state import Body, EgoState

WHEELBASE = 2.8
REAR_OVERHANG = 0.9
BODY = Body(4.6, 1.9, 1.6)
FRONT_REACH = BODY.length - REAR_OVERHANG  # rear axle to front bumper
CENTRE_AHEAD = BODY.length / 2 - REAR_OVERHANG  # rear axle to the middle of the box

STEERING_LIMIT = 0.6  # rad
STEERING_RATE = 0.6  # rad/s
STEERING_LAG = 0.15  # s, first order
ACCELERATION_LAG = 0.20  # s, first order
ACCELERATION_LIMIT = 3.0
BRAKING_LIMIT = 8.0


@dataclass(frozen=True)
class Control:
    """What the vehicle is asked for: steering angle of the front wheels (rad, + = left), acceleration (m/s^2)."""

    steering: float
    acceleration: float


def drive(state: EgoState, control: Control, dt: float) -> EgoState:
    """The state `dt` seconds later. Never rolls backwards: a standing vehicle with the brake on stays."""
    wanted = min(max(control.steering, -STEERING_LIMIT), STEERING_LIMIT)
    change = (wanted - state.steering) * (1.0 - math.exp(-dt / STEERING_LAG))
    steering = state.steering + min(max(change, -STEERING_RATE * dt), STEERING_RATE * dt)
    wanted = min(max(control.acceleration, -BRAKING_LIMIT), ACCELERATION_LIMIT)
    acceleration = state.acceleration + (wanted - state.acceleration) * (1.0 - math.exp(-dt / ACCELERATION_LAG))
    speed = state.speed + acceleration * dt
    if speed <= 0.0:
        speed, acceleration = 0.0, max(acceleration, 0.0)
    mean_speed = 0.5 * (state.speed + speed)
    yaw_rate = mean_speed * math.tan(0.5 * (state.steering + steering)) / WHEELBASE
    middle = state.yaw + 0.5 * yaw_rate * dt
    return EgoState(
        state.x + mean_speed * math.cos(middle) * dt,
        state.y + mean_speed * math.sin(middle) * dt,
        state.yaw + yaw_rate * dt,
        speed,
        acceleration,
        steering,
    )


@dataclass(frozen=True)
class EgoOnRoad:
    """The ego as the traffic sees it: `s` and `d` of its rear axle along the main road, and its speed."""

    s: float
    d: float
    speed: float

    @property
    def front_s(self) -> float:
        return self.s + FRONT_REACH
