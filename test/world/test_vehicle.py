import math

import pytest

from alpamayo_ros.world.state import EgoState
from alpamayo_ros.world.vehicle import WHEELBASE, Control, drive


def driven(state: EgoState, control: Control, seconds: float, dt: float = 0.01) -> EgoState:
    for _ in range(round(seconds / dt)):
        state = drive(state, control, dt)
    return state


def test_steady_steering_drives_the_bicycles_circle():
    steering = 0.2
    radius = WHEELBASE / math.tan(steering)
    lap = 2 * math.pi * radius / 5.0
    state = EgoState(0.0, 0.0, 0.0, 5.0, 0.0, steering)
    half = driven(state, Control(steering, 0.0), lap / 2)
    assert (half.x, half.y) == (pytest.approx(0.0, abs=0.05), pytest.approx(2 * radius, abs=0.05))


def test_acceleration_lags_and_then_holds():
    state = driven(EgoState(0, 0, 0, 5.0), Control(0.0, 1.0), 0.1)
    assert 0.2 < state.acceleration < 0.6
    later = driven(state, Control(0.0, 1.0), 3.0)
    assert later.acceleration == pytest.approx(1.0, abs=1e-3)


def test_braking_stops_and_never_rolls_back():
    state = driven(EgoState(0, 0, 0, 4.0), Control(0.0, -3.0), 4.0)
    assert state.speed == 0.0
    assert driven(state, Control(0.0, -3.0), 1.0).x == state.x


def test_steering_is_limited_in_rate_and_angle():
    assert drive(EgoState(0, 0, 0, 5.0), Control(0.5, 0.0), 0.01).steering <= 0.6 * 0.01 + 1e-12
    assert driven(EgoState(0, 0, 0, 0.0), Control(2.0, 0.0), 3.0).steering == pytest.approx(0.6, abs=1e-3)
