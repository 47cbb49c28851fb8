import math

import numpy as np
import pytest

from alpamayo_ros.contract import PLAN_OFFSETS_NS, Plan
from alpamayo_ros.world.follower import EXPIRED_BRAKING, Path, path_in_world, track
from alpamayo_ros.world.state import EgoState
from alpamayo_ros.world.vehicle import WHEELBASE, drive

T0 = 5_000_000_000
TIMES = np.asarray(PLAN_OFFSETS_NS) / 1e9


def straight(speed: float, acceleration: float = 0.0) -> Path:
    x = speed * TIMES + 0.5 * acceleration * TIMES**2
    return Path(T0 + np.asarray(PLAN_OFFSETS_NS), np.stack([x, np.zeros_like(x)], axis=-1), np.zeros(64))


def arc(speed: float, bend: float) -> Path:
    yaw = bend * speed * TIMES
    xy = np.stack([np.sin(yaw) / bend, (1 - np.cos(yaw)) / bend], axis=-1)
    return Path(T0 + np.asarray(PLAN_OFFSETS_NS), xy, yaw)


def followed(path: Path, state: EgoState, seconds: float) -> EgoState:
    for step in range(round(seconds * 100)):
        if step % 5 == 0:
            control = track(path, state, T0 + step * 10_000_000)
        state = drive(state, control, 0.01)
    return state


def test_on_the_path_at_its_time_nothing_is_corrected():
    control = track(straight(8.0), EgoState(4.0, 0.0, 0.0, 8.0), T0 + 500_000_000)
    assert (control.steering, control.acceleration) == (pytest.approx(0.0, abs=1e-9), pytest.approx(0.0, abs=1e-9))


def test_the_path_is_looked_up_by_its_stamps_so_lateness_counts():
    braking = straight(8.0, -1.0)
    early = track(braking, EgoState(0.0, 0.0, 0.0, 8.0), T0)
    late = track(braking, EgoState(8.0, 0.0, 0.0, 8.0), T0 + 1_000_000_000)
    assert early.acceleration == pytest.approx(-1.0, abs=0.2)
    assert late.acceleration < early.acceleration - 0.5  # still 8 m/s where the path has 7


def test_an_arc_is_held():
    state = followed(arc(6.0, 0.05), EgoState(0.0, 0.0, 0.0, 6.0, 0.0, math.atan(WHEELBASE * 0.05)), 5.0)
    assert math.hypot(state.x, state.y - 20.0) == pytest.approx(20.0, abs=0.15)


def test_a_lateral_error_is_taken_away_without_overshoot():
    path, state, worst = straight(10.0), EgoState(0.0, 0.5, 0.0, 10.0), 0.5
    for step in range(500):
        if step % 5 == 0:
            control = track(path, state, T0 + step * 10_000_000)
        state = drive(state, control, 0.01)
        worst = min(worst, state.y)
    assert abs(state.y) < 0.05
    assert worst > -0.1


def test_a_stop_is_held():
    stop = 12.0
    distance = np.minimum(8.0 * TIMES - 0.5 * (64 / 24) * TIMES**2, stop)
    distance[np.argmax(distance) :] = stop
    path = Path(T0 + np.asarray(PLAN_OFFSETS_NS), np.stack([distance, np.zeros(64)], axis=-1), np.zeros(64))
    state = followed(path, EgoState(0.0, 0.0, 0.0, 8.0), 6.0)
    assert state.speed == 0.0
    assert state.x == pytest.approx(stop, abs=0.8)


def test_beyond_the_last_stamp_it_brakes():
    control = track(straight(8.0), EgoState(52.0, 0.0, 0.0, 8.0, 0.0, 0.1), T0 + 6_500_000_000)
    assert (control.steering, control.acceleration) == (0.1, EXPIRED_BRAKING)


def test_a_path_that_does_not_move_keeps_the_wheels():
    still = Path(T0 + np.asarray(PLAN_OFFSETS_NS), np.zeros((64, 2)), np.zeros(64))
    assert track(still, EgoState(0, 0, 0, 0.0, 0.0, 0.2), T0).steering == 0.2


def test_a_crawling_path_is_followed():
    state = followed(straight(0.4), EgoState(0.0, 0.0, 0.0, 0.4), 3.0)
    assert state.x == pytest.approx(1.2, abs=0.3)
    assert abs(state.y) < 0.01


@pytest.mark.parametrize("speed", [0.14, -0.2])
def test_a_path_of_less_than_a_metre_is_a_halt(speed):
    """A stop that a model draws with some noise: fresh plans of it, one after another, lead nowhere."""
    state = EgoState(0.0, 0.0, 0.0, 0.6)
    for _ in range(20):
        here = straight(speed)
        state = followed(Path(here.stamps_ns, here.xy + [state.x, 0.0], here.yaw), state, 0.2)
    assert state.speed == 0.0
    assert 0.0 < state.x < 0.35


def test_a_standing_vehicle_sets_off_on_a_path_that_leads_away():
    state = followed(straight(0.0, 1.2), EgoState(0.0, 0.0, 0.0, 0.0), 3.0)
    assert state.x == pytest.approx(5.4, abs=0.8)


def test_a_plan_is_placed_by_the_ego_pose_of_its_t0():
    xyz = np.zeros((2, 64, 3))
    xyz[1, :, 0], xyz[1, :, 1] = TIMES, 0.5
    zeros = np.zeros((2, 64))
    path = path_in_world(Plan(T0, xyz, zeros, zeros, zeros, zeros, ("", ""), chosen=1), 10.0, 20.0, math.pi / 2)
    assert path.xy[9] == pytest.approx([10.0 - 0.5, 20.0 + 1.0])
    assert path.yaw[0] == pytest.approx(math.pi / 2)
    assert path.stamps_ns[0] == T0 + 100_000_000
