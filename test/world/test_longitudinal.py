import numpy as np
import pytest

from alpamayo_ros.world.curves import Curve
from alpamayo_ros.world.longitudinal import (
    COMFORTABLE_BRAKING,
    HARDEST_BRAKING,
    LATERAL,
    bend_speed,
    follow,
    free_road,
    speed_before_stop,
    stop_within,
)


def test_a_free_road_speeds_up_to_the_limit_and_no_further():
    assert free_road(0.0, 10.0) > 1.0
    assert free_road(10.0, 10.0) == pytest.approx(0.0)
    assert free_road(12.0, 10.0) < 0.0


@pytest.mark.parametrize("speed", (4.0, 8.0, 13.9))
def test_a_stop_begun_in_time_ends_before_the_line_without_hard_braking(speed):
    room = speed**2 / (2 * COMFORTABLE_BRAKING) + 2.0 * speed
    position, hardest = 0.0, 0.0
    for _ in range(2000):
        wish = min(stop_within(speed, room - position), free_road(speed, 13.9))
        hardest = min(hardest, wish)
        speed = max(speed + 0.02 * wish, 0.0)
        position += 0.02 * speed
    assert room - 1.0 < position < room + 0.05
    assert hardest > -2.5


def test_an_emergency_brakes_as_hard_as_needed_up_to_the_hardest():
    assert stop_within(10.0, 12.5) < -3.9
    assert stop_within(14.0, 5.0) == -HARDEST_BRAKING


def test_following_settles_at_the_gap_of_the_headway():
    speed, gap = 10.0, 40.0
    for _ in range(6000):
        speed = max(speed + 0.02 * follow(speed, 13.9, gap, 6.0), 0.0)
        gap += 0.02 * (6.0 - speed)
    assert speed == pytest.approx(6.0, abs=0.02)
    assert 3.0 + 1.4 * 6.0 <= gap < 14.0


def test_a_gap_cut_short_is_opened_gently_when_nobody_closes_in():
    assert -1.6 < follow(8.0, 11.0, 4.0, 8.0) < -0.5
    assert follow(8.0, 11.0, 4.0, 0.0) < -5.0


def test_bend_speeds_keep_to_the_lateral_comfort_and_can_be_braked_to():
    bends = np.zeros(400)
    bends[200:260] = 1 / 25.0
    curve = Curve.from_curvature(bends, 0.0, 0.0, 0.0)
    speeds = bend_speed(curve, 13.9)
    assert np.all(speeds**2 * np.abs(curve.curvature) <= LATERAL + 1e-9)
    assert speeds[0] == pytest.approx(13.9)
    falls = -np.diff(speeds**2) / (2 * 0.5)
    assert falls.max() <= COMFORTABLE_BRAKING


def test_the_speed_before_a_stop_is_zero_at_it_and_grows_with_the_room():
    rooms = [speed_before_stop(room) for room in (-1.0, 0.0, 1.0, 10.0, 50.0)]
    assert rooms[:2] == [0.0, 0.0]
    assert rooms == sorted(rooms)
