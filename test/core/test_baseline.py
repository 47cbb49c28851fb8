from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alpamayo_ros.checks import check_plan
from alpamayo_ros.contract import HISTORY_OFFSETS_NS, make_example
from alpamayo_ros.geometry import matrix_from_yaw
from alpamayo_ros.policies.baseline import Baseline
from alpamayo_ros.unicycle import integrate

SECONDS = np.asarray(HISTORY_OFFSETS_NS) / 1e9


def observed(speed, acceleration=0.0, curvature=0.0):
    """An observation after 1.5 s of constant acceleration and curvature."""
    distance = speed * SECONDS + acceleration * SECONDS**2 / 2
    yaw = curvature * distance
    if curvature:
        xyz = np.stack([np.sin(yaw), 1 - np.cos(yaw), 0 * yaw], axis=-1) / curvature
    else:
        xyz = np.stack([distance, 0 * yaw, 0 * yaw], axis=-1)
    return replace(make_example(), history_xyz=xyz, history_rotation=matrix_from_yaw(yaw))


def test_it_says_that_it_is_a_baseline():
    plan = Baseline()(make_example())
    assert plan.policy == "baseline" and "Baseline" in plan.reasoning[0]


def test_a_straight_steady_drive_goes_on_straight():
    plan = Baseline()(observed(10.0))
    assert np.allclose(plan.xyz[0, :, 0], np.arange(1, 65), atol=1e-6) and np.allclose(plan.xyz[0, :, 1], 0)


def test_a_left_turn_goes_on_to_the_left_and_straightens():
    plan = Baseline()(observed(8.0, curvature=0.05))
    assert plan.curvature[0, 0] == pytest.approx(0.05, rel=0.02) and plan.curvature[0, -1] < 0.01
    assert plan.xyz[0, -1, 1] > 3


def test_a_braking_vehicle_stops_and_stays():
    plan = Baseline()(observed(2.0, acceleration=-4.0))
    assert plan.speed[0, -1] == 0 and np.all(plan.speed >= 0)
    assert np.allclose(np.diff(plan.xyz[0, -10:], axis=0), 0)


def test_a_reversing_vehicle_is_held_at_a_stop():
    plan = Baseline()(observed(-3.0))
    assert np.all(plan.speed == 0) and np.allclose(plan.xyz, 0)


@given(st.floats(0, 40), st.floats(-6, 4), st.floats(-0.2, 0.2))
def test_every_plan_keeps_the_invariants(speed, acceleration, curvature):
    observation = observed(speed, acceleration, curvature)
    plan = Baseline()(observation)
    assert check_plan(plan, observation) is None
    assert np.all(plan.speed >= 0)


def test_the_unicycle_gives_the_specifications_golden_path():
    # spec/model.md 2.8: float32 statistics, the curved history's v0.
    k = np.arange(64)
    acceleration = 0.5 * np.sin(0.1 * k) * 0.6810426736454882 + 0.02902694707164455
    curvature = 0.8 * np.cos(0.07 * k) * 0.026148280660833106 + 0.0002692167976330542
    xyz, yaw, _ = integrate(7.999530, acceleration, curvature)
    golden = {
        0: (0.80004, 0.00678, 0.016952),
        1: (1.60031, 0.02713, 0.033873),
        9: (8.02413, 0.66428, 0.159197),
        31: (26.28155, 4.95550, 0.208717),
        63: (53.11094, 4.18815, -0.233604),
    }
    for step, (x, y, heading) in golden.items():
        assert (xyz[step, 0], xyz[step, 1], yaw[step]) == pytest.approx((x, y, heading), abs=2e-5)


def test_a_batch_of_samples_is_rolled_out_at_once():
    one, _, _ = integrate(5.0, np.full(64, 0.3), np.full(64, 0.01))
    many, yaw, speed = integrate(np.full((2, 3), 5.0), np.full((2, 3, 64), 0.3), np.full((2, 3, 64), 0.01))
    assert many.shape == (2, 3, 64, 3) and yaw.shape == speed.shape == (2, 3, 64)
    assert np.allclose(many[1, 2], one)
