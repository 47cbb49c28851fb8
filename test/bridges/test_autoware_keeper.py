from dataclasses import replace

import numpy as np
import pytest
from autoware_drives import MS, T0, place, plan, sample, vehicle

from alpamayo_ros.contract import NotReady, Reason
from alpamayo_ros.follow.keeper import Followable, Keeper, Rules, heard
from alpamayo_ros.follow.validator import AUTOWARE
from alpamayo_ros.geometry import Pose


def driven(rules=None, until=T0 + 100 * MS, speed=8.0, frame="map") -> Keeper:
    """A keeper that has heard odometry of a straight drive, at T0 - 1 s ... `until`."""
    keeper = Keeper(rules)
    for stamp in range(T0 - 1000 * MS, until + 1, 20 * MS):
        drive_on(keeper, stamp, speed, frame)
    return keeper


def drive_on(keeper, stamp, speed=8.0, frame="map"):
    assert keeper.push_odometry(stamp, sample(vehicle(speed, speed * (stamp - T0) / 1e9, stamp=stamp)), frame) is None


def told(made=None, frame="map", epoch=1, at=None):
    made = plan() if made is None else made
    return heard(made, place(8.0 * (made.t0_ns - T0) / 1e9) if at is None else at, frame, epoch)


def test_the_trajectory_begins_where_the_vehicle_is_when_the_plan_comes():
    made = driven().hear(told(), T0 + 130 * MS)
    assert isinstance(made, Followable) and made.frame_id == "map"
    first = made.trajectory
    assert first.stamp_ns == T0 + 130 * MS
    assert first.poses.xyz[0] == pytest.approx(place(8.0 * 0.13).xyz, abs=1e-6)  # 30 ms beyond odometry
    assert first.poses.xyz[10] == pytest.approx(place(8.0 * 1.13).xyz, abs=0.02)
    assert first.speed[0] == pytest.approx(8.0)


def test_without_compensation_it_is_stamped_t0_and_begins_at_the_pose_of_t0():
    made = driven(Rules(compensate=False, trim=False)).hear(told(), T0 + 130 * MS)
    assert made.trajectory.stamp_ns == T0 and made.trajectory.times[0] == 0.0
    assert made.trajectory.poses.xyz[0] == pytest.approx(place().xyz, abs=1e-9)


def test_trimming_leaves_out_what_is_past_and_keeps_the_stamp():
    made = driven(Rules(compensate=False)).hear(told(), T0 + 130 * MS)
    assert made.trajectory.stamp_ns == T0
    assert made.trajectory.times[0] == pytest.approx(0.2)
    assert made.trajectory.poses.xyz[0] == pytest.approx(place(1.6).xyz, abs=0.02)


def test_all_samples_become_candidates_and_the_chosen_one_is_driven():
    made = driven().hear(told(plan(samples=3, chosen=2)), T0 + 100 * MS)
    assert sorted(made.candidates) == [0, 1, 2] and made.trajectory is made.candidates[2]
    ends = [made.candidates[number].poses.xyz[-1] for number in range(3)]
    assert np.linalg.norm(ends[0] - ends[2]) > 1.0


def test_a_candidate_that_breaks_a_condition_is_left_out():
    made = plan(samples=2)
    made.speed[1, 20] = 30.0  # a jump that no smoothing is asked to take away
    rules = Rules(smooth=False, limits=replace(AUTOWARE, velocity_deviation=1.0))
    found = driven(rules).hear(told(made), T0 + 100 * MS)
    assert sorted(found.candidates) == [0]


@pytest.mark.parametrize(
    ("reason", "heard_plan", "now"),
    [
        (Reason.FRAME_MISMATCH, {"frame": "odom"}, 100),
        (Reason.PLAN_TOO_OLD, {}, 1010),
        (Reason.STAMP_INVALID, {}, -150),
        (Reason.PLAN_INVALID, {"at": place(40.0)}, 100),
    ],
)
def test_a_plan_that_may_not_be_driven_is_refused_by_name(reason, heard_plan, now):
    found = driven().hear(told(**heard_plan), T0 + now * MS)
    assert isinstance(found, NotReady) and found.reason == reason and found.t0_ns == T0


def test_nothing_is_published_without_odometry_or_with_old_one():
    assert Keeper().hear(told(frame=""), T0 + 100 * MS).reason == Reason.ODOMETRY_MISSING
    assert driven().hear(told(), T0 + 350 * MS).reason == Reason.ODOMETRY_STALE


def test_odometry_has_to_reach_the_plans_t0():
    late = plan(t0=T0 + 200 * MS)
    found = driven().hear(told(late), T0 + 220 * MS)
    assert found.reason == Reason.ODOMETRY_STALE


def test_a_plan_of_an_ended_epoch_is_not_driven_nor_an_older_one_of_this():
    keeper = driven()
    assert isinstance(keeper.hear(told(epoch=4), T0 + 100 * MS), Followable)
    drive_on(keeper, T0 + 120 * MS)
    drive_on(keeper, T0 + 200 * MS)
    newer = plan(t0=T0 + 100 * MS)
    assert keeper.hear(told(newer, epoch=3), T0 + 200 * MS).reason == Reason.EPOCH_ENDED
    assert keeper.hear(told(epoch=4), T0 + 200 * MS).reason == Reason.PLAN_TOO_OLD
    assert isinstance(keeper.hear(told(newer, epoch=4), T0 + 200 * MS), Followable)


def test_a_driver_that_was_started_again_is_heard_once_its_forerunners_plan_has_aged():
    keeper = driven()
    keeper.hear(told(epoch=9), T0 + 100 * MS)
    for stamp in range(T0 + 120 * MS, T0 + 1201 * MS, 20 * MS):
        drive_on(keeper, stamp)
    again = plan(t0=T0 + 1100 * MS)
    assert isinstance(keeper.hear(told(again, epoch=1), T0 + 1200 * MS), Followable)


def test_after_odometry_was_set_back_no_plan_of_before_is_driven():
    keeper = driven()
    keeper.hear(told(), T0 + 100 * MS)
    drive_on(keeper, T0 - 3000 * MS)
    assert keeper.again(T0 - 3000 * MS) is None
    assert keeper.hear(told(), T0 - 3000 * MS).reason == Reason.STAMP_INVALID


def test_another_frame_of_odometry_starts_anew():
    keeper = driven()
    keeper.hear(told(), T0 + 100 * MS)
    drive_on(keeper, T0 + 120 * MS, frame="odom")
    assert keeper.again(T0 + 120 * MS) is None and keeper.plan_t0_ns is None


def test_a_silent_driver_is_entered_anew_and_then_stopped_for():
    keeper = driven()
    assert keeper.again(T0 + 100 * MS) is None  # nothing has ever come
    first = keeper.hear(told(), T0 + 100 * MS).trajectory
    for stamp in range(T0 + 120 * MS, T0 + 1101 * MS, 20 * MS):
        drive_on(keeper, stamp)
        if stamp == T0 + 400 * MS:
            made = keeper.again(stamp)
            assert not made.stopping and len(made.trajectory.times) < len(first.times)
            assert made.trajectory.poses.xyz[0] == pytest.approx(place(3.2).xyz, abs=1e-6)
    made = keeper.again(T0 + 1100 * MS)
    assert made.stopping == "no plan for 1.1 s" and made.candidates == {}
    assert made.trajectory.speed[0] == pytest.approx(8.0) and made.trajectory.speed[-1] == 0.0
    assert made.trajectory.acceleration.min() > -1.6
    newer = plan(t0=T0 + 1100 * MS)
    assert not keeper.hear(told(newer), T0 + 1100 * MS).stopping


def test_a_watchdog_of_zero_never_stops():
    keeper = driven(Rules(watchdog=0.0))
    keeper.hear(told(), T0 + 100 * MS)
    for stamp in range(T0 + 120 * MS, T0 + 1201 * MS, 20 * MS):
        drive_on(keeper, stamp)
    assert keeper.again(T0 + 1200 * MS) is None  # older than max_age: not driven on either


def test_a_path_that_no_wheels_can_follow_is_refused_with_how_far_they_miss_it():
    sharp = plan(10.0, curvature=np.where(np.arange(64) < 20, 0.0, 0.25))
    found = driven(speed=10.0).hear(heard(sharp, place(), "map"), T0 + 100 * MS)
    assert found.reason == Reason.PLAN_INVALID and found.numbers["aside"] > 1.0


def test_unsmoothed_plans_that_break_a_condition_are_refused_by_its_name():
    rough = plan(8.0, np.where(np.arange(64) == 30, -150.0, 0.0))
    found = driven(Rules(smooth=False)).hear(told(rough), T0 + 100 * MS)
    assert found.reason == Reason.PLAN_INVALID and "deceleration" in found.numbers
    assert isinstance(driven(Rules(smooth=False, validate=False)).hear(told(rough), T0 + 100 * MS), Followable)


def test_a_plan_of_another_vehicle_in_the_same_map_is_refused():
    elsewhere = Pose(place().xyz + [300.0, 0.0, 0.0], place().quaternion)
    found = driven().hear(told(at=elsewhere), T0 + 100 * MS)
    assert found.reason == Reason.PLAN_INVALID and found.numbers["gap"] > 290.0


@pytest.mark.parametrize("spoil", [np.nan, np.inf, 1e300])
def test_a_plan_of_impossible_numbers_is_refused(spoil):
    wrong = told()
    wrong.poses.xyz[0, 40, 1] = spoil
    assert driven().hear(wrong, T0 + 100 * MS).reason == Reason.PLAN_INVALID
    wrong = told()
    wrong.speed[0, 5] = spoil
    assert driven().hear(wrong, T0 + 100 * MS).reason == Reason.PLAN_INVALID
