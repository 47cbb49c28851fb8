"""The metrics against their definitions, on trajectories whose errors are known."""

import numpy as np
import pytest

from alpamayo_ros import metrics
from alpamayo_ros.geometry import matrix_from_yaw

T = 64
TRUTH = np.stack([np.arange(1, T + 1) * 0.8, np.zeros(T), np.zeros(T)], axis=-1)
LEVEL = np.tile(np.eye(3), (T, 1, 1))


def shifted(*sideways):
    """One sample for each shift to the left, metres; a shift may be (T,)."""
    return np.stack([TRUTH + np.stack([np.zeros(T), np.broadcast_to(y, T), np.zeros(T)], axis=-1) for y in sideways])


def test_ade_is_the_first_samples_and_min_ade_the_best_ones():
    assert metrics.ade(shifted(2.0, -0.5), TRUTH) == pytest.approx(2.0)
    assert metrics.min_ade(shifted(2.0, -0.5), TRUTH) == pytest.approx(0.5)
    assert metrics.best_sample(shifted(2.0, -0.5), TRUTH) == 1


def test_height_does_not_count():
    high = TRUTH + [0, 0, 9.0]
    assert metrics.min_ade(high[None], TRUTH) == 0


def test_min_ade_by_time_does_not_choose_again():
    """The second sample is the best over all, though the first one is perfect for the first second."""
    late = np.where(np.arange(T) < 10, 0.0, 3.0)
    early = np.where(np.arange(T) < 10, 1.0, 0.2)
    by_time = metrics.min_ade_by_time(shifted(late, early), TRUTH)
    assert by_time == pytest.approx({0.5: 1.0, 1.0: 1.0, 3.0: (10 + 20 * 0.2) / 30, 5.0: (10 + 40 * 0.2) / 50})


def test_horizons_beyond_the_trajectory_are_left_out():
    assert set(metrics.min_ade_by_time(shifted(0.1)[:, :30], TRUTH[:30])) == {0.5, 1.0, 3.0}


def test_corner_distance_of_a_shift_is_the_shift():
    prediction = shifted(0.7)
    assert metrics.corner_distance(prediction, LEVEL[None], TRUTH, LEVEL) == pytest.approx(0.7)


def test_corner_distance_of_a_turn_on_the_spot_is_the_chord_of_each_corner():
    turned = np.broadcast_to(matrix_from_yaw(0.3), (1, T, 3, 3))
    chord = 2 * np.sin(0.15) * np.hypot(2.0, 1.5)
    assert metrics.corner_distance(TRUTH[None], turned, TRUTH, LEVEL) == pytest.approx(chord)


def test_corner_distance_takes_the_best_sample_for_each_step():
    first, second = np.where(np.arange(T) < 32, 0.0, 5.0), np.where(np.arange(T) < 32, 5.0, 0.0)
    rotation = np.broadcast_to(LEVEL, (2, T, 3, 3))
    assert metrics.corner_distance(shifted(first, second), rotation, TRUTH, LEVEL) == pytest.approx(0.0)


def drive(acceleration=0.0, curvature=0.0, speed=8.0):
    """A drive of constant acceleration and curvature, finely stepped: (T, 3), (T,)."""
    t = np.arange(1, T + 1) * 0.1
    distance = speed * t + acceleration * t**2 / 2
    yaw = curvature * distance
    along = distance if curvature == 0 else np.sin(yaw) / curvature
    across = np.zeros(T) if curvature == 0 else (1 - np.cos(yaw)) / curvature
    return np.stack([along, across, np.zeros(T)], axis=-1), yaw


def test_a_calm_drive_is_comfortable_in_everything():
    assert all(bool(ok) for ok in metrics.comfort(*drive()).values())
    assert metrics.comfort_score(*drive(acceleration=1.0)) == 1.0


@pytest.mark.parametrize(
    ("motion", "broken"),
    [
        ({"acceleration": 2.6}, {"longitudinal_acceleration"}),
        ({"acceleration": -4.2, "speed": 30.0}, {"longitudinal_acceleration"}),
        ({"acceleration": -3.9, "speed": 30.0}, set()),
        ({"curvature": 0.2, "speed": 5.0}, {"yaw_rate"}),
    ],
)
def test_each_bound_is_found_broken_alone(motion, broken):
    result = metrics.comfort(*drive(**motion))
    assert {name for name, ok in result.items() if not ok} == broken
    assert metrics.comfort_score(*drive(**motion)) == pytest.approx(1 - len(broken) / 6)


def test_an_acceleration_held_to_the_end_is_no_jolt():
    assert metrics.comfort(*drive(acceleration=2.0))["jerk"]


def test_a_jolt_breaks_both_jerks():
    xyz, yaw = drive()
    xyz = xyz.copy()
    xyz[32:, 0] += np.cumsum(np.full(T - 32, 0.1))
    broken = {name for name, ok in metrics.comfort(xyz, yaw).items() if not ok}
    assert {"jerk", "longitudinal_jerk"} <= broken


def test_yaw_that_passes_pi_is_no_spin():
    xyz, yaw = drive(curvature=0.05)
    wrapped = (yaw + 3.0 + np.pi) % (2 * np.pi) - np.pi
    turned = xyz @ matrix_from_yaw(3.0).T
    assert np.abs(np.diff(wrapped)).max() > 6
    assert all(bool(ok) for ok in metrics.comfort(turned, wrapped).values())


def test_samples_are_judged_each():
    xyz, yaw = zip(*(drive(acceleration=a) for a in (0.0, 3.0)), strict=True)
    assert metrics.comfort(np.stack(xyz), np.stack(yaw))["longitudinal_acceleration"].tolist() == [True, False]
