"""The numbers against futures that are known."""

import numpy as np
import pytest

from alpamayo_ros import metrics
from alpamayo_ros.contract import NotReady, Plan, Reason
from alpamayo_ros.geometry import Pose, quaternion_from_yaw
from alpamayo_ros.replay.evaluate import Driven, Judged, Summary, merged, row, rows
from alpamayo_ros.replay.records import Planned, Record
from alpamayo_ros.unicycle import integrate
from alpamayo_ros.world.causes import Decision

T0 = 1_800_000_000_000_000_000
SPEED, CURVATURE = 8.0, 0.02


def truth(seconds):
    """Poses of a constant turn at these seconds after t0, in the ego frame of t0."""
    yaw = SPEED * CURVATURE * np.asarray(seconds)
    xyz = np.stack([np.sin(yaw) / CURVATURE, (1 - np.cos(yaw)) / CURVATURE, 0 * yaw], axis=-1)
    return Pose(xyz, quaternion_from_yaw(yaw))


def driven(ego, until=8.0, rate=100, gap=None):
    """The same turn as odometry of a child frame half a metre ahead of the ego frame and to its left."""
    seconds = np.arange(-2.0, until + 1e-9, 1 / rate)
    if gap:
        seconds = seconds[(seconds < gap[0]) | (seconds > gap[1])]
    child = Pose(np.array([0.5, 0.2, 0.0]), np.array([0.0, 0.0, 0.0, 1.0]))
    poses = ego @ truth(seconds) @ child
    return Driven(T0 + np.round(seconds * 1e9).astype(np.int64), poses)


EGO = Pose(np.array([100.0, -50.0, 2.0]), quaternion_from_yaw(2.2))
STEPS = np.arange(1, 65) / 10


def planned(xyz, yaw, reasoning="", speed=None, chosen=0, t0=T0, ego=EGO):
    samples = len(xyz)
    speed = np.full((samples, 64), SPEED) if speed is None else speed
    zero = np.zeros((samples, 64))
    plan = Plan(t0, xyz, yaw, speed, zero, zero, (reasoning,) * samples, chosen, "test")
    return Planned(plan, "", ("front_wide",), np.full((1, 4), t0), np.zeros((1, 4), bool), "odom", ego, "odom", ego)


def record(p):
    return Record(p.plan.t0_ns, p.plan.t0_ns, 0, None, p)


def perfect(samples=1):
    pose = truth(STEPS)
    yaw = SPEED * CURVATURE * STEPS
    return np.repeat(pose.xyz[None], samples, 0), np.repeat(yaw[None], samples, 0)


def numbers_of(p, d):
    (judged,) = rows([record(p)], d)
    return judged.numbers


def test_the_plan_that_was_driven_has_no_error():
    numbers = numbers_of(planned(*perfect()), driven(EGO))
    for name in ("ade", "min_ade", "fde", "lateral", "longitudinal", "heading"):
        for horizon in ("1s", "3s", "6.4s"):
            assert numbers[f"{name}_{horizon}"] < 1e-4, name
    assert numbers["horizon"] == pytest.approx(6.4) and not numbers["miss_6.4s"]


def test_errors_are_along_and_across_the_way_that_was_driven():
    xyz, yaw = perfect()
    for along, across in ((1.5, 0.0), (0.0, -0.7)):
        cos, sin = np.cos(yaw), np.sin(yaw)
        step = np.stack([cos * along - sin * across, sin * along + cos * across], axis=-1)
        moved = xyz.copy()
        moved[..., :2] += step
        numbers = numbers_of(planned(moved, yaw + 0.1), driven(EGO))
        assert numbers["longitudinal_3s"] == pytest.approx(abs(along), abs=1e-3)
        assert numbers["lateral_3s"] == pytest.approx(abs(across), abs=1e-3)
        assert numbers["ade_6.4s"] == pytest.approx(abs(along + across), abs=1e-3)
        assert numbers["heading_6.4s"] == pytest.approx(0.1, abs=1e-4)


def test_the_best_sample_counts_for_minimum_and_miss_and_the_chosen_one_for_the_rest():
    xyz, yaw = perfect(3)
    xyz[0, :, 1] += 5.0
    xyz[1, :, 1] += 3.0
    numbers = numbers_of(planned(xyz, yaw), driven(EGO))
    assert numbers["ade_6.4s"] == pytest.approx(5.0, abs=1e-3) and numbers["min_ade_6.4s"] < 1e-3
    assert not numbers["miss_6.4s"]
    without = numbers_of(planned(xyz[:2], yaw[:2]), driven(EGO))
    assert without["miss_6.4s"] and without["min_fde_6.4s"] == pytest.approx(3.0, abs=1e-3)
    prediction, real = xyz, truth(STEPS).xyz
    assert numbers["min_ade_6.4s"] == pytest.approx(metrics.min_ade(prediction, real), abs=1e-3)


@pytest.mark.parametrize(
    "until, horizons", [(0.55, []), (2.45, ["1s"]), (5.0, ["1s", "3s"]), (7.0, ["1s", "3s", "6.4s"])]
)
def test_a_future_that_ends_early_counts_as_far_as_it_goes(until, horizons):
    numbers = numbers_of(planned(*perfect()), driven(EGO, until))
    assert [name[4:] for name in numbers if name.startswith("ade_")] == horizons
    assert numbers["horizon"] == pytest.approx(min(6.4, np.floor(until * 10 + 1e-6) / 10))


def test_a_gap_in_the_odometry_ends_the_future():
    assert numbers_of(planned(*perfect()), driven(EGO, gap=(2.0, 4.0)))["horizon"] <= 2.0


def test_two_plans_of_one_drive_are_consistent_and_a_swerve_is_not():
    d = driven(EGO)
    later = EGO @ Pose(truth([0.1]).xyz[0], truth([0.1]).quaternion[0])
    first = planned(*perfect())
    second = planned(*perfect(), t0=T0 + 10**8, ego=later)
    assert list(rows([record(first), record(second)], d))[1].numbers["plan_to_plan"] < 1e-3
    xyz, yaw = perfect()
    xyz[..., 1] += 2.0
    swerved = planned(xyz, yaw, t0=T0 + 10**8, ego=later)
    assert list(rows([record(first), record(swerved)], d))[1].numbers["plan_to_plan"] == pytest.approx(2.0, abs=0.01)


def test_no_plan_is_compared_with_one_before_a_refusal():
    refused = Record(T0 + 10**7, T0, 0, NotReady(Reason.CAMERA_GAP, "front_wide", "", {}, T0))
    judged = list(rows([record(planned(*perfect())), refused, record(planned(*perfect(), t0=T0 + 10**8))], driven(EGO)))
    assert "plan_to_plan" not in judged[2].numbers


@pytest.mark.parametrize(
    "decision, acceleration, agrees",
    [(Decision.STOP_FOR_RED, -3.0, True), (Decision.STOP_FOR_RED, 0.0, False), (Decision.KEEP, 0.0, True)],
)
def test_what_is_said_is_held_against_what_is_planned(decision, acceleration, agrees):
    steps = np.full(64, acceleration)
    steps[np.cumsum(steps) * 0.1 < -SPEED] = 0.0
    xyz, yaw, speed = integrate(SPEED, steps, np.zeros(64))
    p = planned(xyz[None], yaw[None], decision.text, np.maximum(speed, 0.0)[None])
    assert numbers_of(p, driven(EGO))["reasoning_action"] is agrees


def test_a_text_of_another_vocabulary_is_not_judged():
    assert "reasoning_action" not in numbers_of(planned(*perfect(), "Nudge left, as the cyclist wobbles."), driven(EGO))


def test_summaries_count_every_tick_once():
    summaries = []
    for count, error in ((3, 1.0), (1, 5.0)):
        summary = Summary()
        xyz, yaw = perfect()
        xyz[..., 1] += error
        for judged in rows([record(planned(xyz, yaw))] * count, driven(EGO)):
            summary.add(judged)
        summary.add(Judged(Record(T0, T0, 0, NotReady(Reason.CAMERA_GAP, "", "", {}, T0)), {}, np.empty((0, 3))))
        summaries.append(summary.value())
    whole = merged(summaries)
    assert whole["ticks"] == 6 and whole["plans"] == 4 and whole["refusals"]["by_name"] == {"camera_gap": 2}
    assert whole["metrics"]["ade_3s"] == {"mean": pytest.approx(2.0, abs=1e-3), "ticks": 4}


def test_a_row_needs_no_future_to_judge_comfort():
    numbers = row(planned(*perfect()), np.empty((0, 3)), np.empty(0), None)
    assert numbers["horizon"] == 0.0 and 0.0 < numbers["comfort"] <= 1.0 and "min_ade" not in numbers
