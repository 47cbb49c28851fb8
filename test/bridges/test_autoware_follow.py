import math
from dataclasses import replace

import numpy as np
import pytest
from autoware_drives import MS, ORIGIN, T0, meant, place, plan, vehicle
from hypothesis import given, settings
from hypothesis import strategies as st

from alpamayo_ros.follow.stopping import stop
from alpamayo_ros.follow.tracking import Bounds, as_planned, deviation, points, track
from alpamayo_ros.follow.validator import AUTOWARE, STRICT, broken, curvatures
from alpamayo_ros.follow.vehicle import VehicleLog
from alpamayo_ros.geometry import Pose, quaternion_from_yaw, quaternion_multiply, quaternion_to_matrix

BOUNDS = Bounds()


def at(trajectory, seconds):
    return trajectory.poses.xyz[round(10 * seconds)]


def test_on_the_path_at_its_time_a_smoothed_trajectory_is_the_plan():
    made = plan(8.0, curvature=0.02)
    found = track(meant(made), vehicle(8.0, 0.8, 0.02, T0 + 100 * MS), BOUNDS)
    assert found.stamp_ns == T0 + 100 * MS and len(found.times) == 64
    assert np.allclose(np.diff(found.times), 0.1)
    for seconds in (0.0, 1.0, 3.0, 6.0):
        assert np.linalg.norm(at(found, seconds) - place(0.8 + 8.0 * seconds, 0.02).xyz) < 0.1, seconds
    assert found.speed == pytest.approx(8.0, abs=0.05)
    assert found.heading_rate == pytest.approx(0.16, abs=0.02)
    assert found.steering == pytest.approx(math.atan(2.8 * 0.02), abs=0.005)
    assert broken(found, vehicle(8.0, 0.8, 0.02, T0 + 100 * MS), None, STRICT) == {}


def test_a_late_plan_is_entered_where_the_vehicle_is():
    made = plan(8.0, -1.0)
    late = vehicle(7.0, 7.5, stamp=T0 + 1000 * MS, acceleration=-1.0)
    found = track(meant(made), late, BOUNDS)
    assert np.array_equal(found.poses.xyz[0], late.pose.xyz) and found.speed[0] == 7.0
    # 8 t - t^2/2 after another second: the plan's own place and speed, not those of its beginning.
    assert np.linalg.norm(at(found, 1.0) - place(14.0).xyz) < 0.2
    assert found.speed[10] == pytest.approx(6.0, abs=0.2)
    assert len(found.times) == points(meant(made), late.stamp_ns) == 55


def test_a_vehicle_beside_the_path_is_led_back_within_the_bounds():
    beside = vehicle(8.0)
    beside = replace(beside, pose=Pose(beside.pose.xyz + [0.5, -0.5, 0.0], beside.pose.quaternion))
    found = track(meant(plan(8.0)), beside, BOUNDS)
    widest, _ = deviation(meant(plan(8.0)), found)
    assert 0.3 < widest < 0.75
    assert deviation(meant(plan(8.0)), found.from_point(50))[0] < 0.05
    assert broken(found, beside, None, STRICT) == {}


def test_a_stop_is_reached_where_it_was_meant():
    made = meant(plan(6.0, np.where(np.arange(64) < 30, -2.0, 0.0)))
    found = track(made, vehicle(6.0, acceleration=-2.0), BOUNDS)
    assert found.speed[-1] == 0.0 and np.all(np.diff(found.speed) < 0.06)
    assert abs(deviation(made, found)[1]) < 0.4  # 9 m, by an end that is softer than the plan's
    assert found.acceleration[-1] == 0.0


def test_a_standing_models_noise_moves_nothing():
    rng = np.random.default_rng(0)
    noisy = plan(0.0, rng.normal(0.0, 0.05, 64), rng.normal(0.0, 0.3, 64))
    found = track(meant(noisy), vehicle(0.0), BOUNDS)
    assert np.linalg.norm(found.poses.xyz - ORIGIN, axis=1).max() < 0.05
    assert found.speed.max() < 0.05


def test_the_vehicles_own_roll_and_pitch_are_kept():
    tilted = vehicle(5.0)
    half = 0.02
    pitch = np.array([0.0, math.sin(half), 0.0, math.cos(half)])
    pose = Pose(tilted.pose.xyz, quaternion_multiply(quaternion_from_yaw(0.7), pitch))
    tilted = replace(tilted, pose=pose)
    found = track(meant(plan(5.0)), tilted, BOUNDS)
    ahead = quaternion_to_matrix(found.poses.quaternion)[:, 2, 0]
    assert ahead == pytest.approx(-math.sin(2 * half), abs=1e-6)


def test_unsmoothed_the_plans_own_places_follow_the_vehicle():
    made = plan(8.0, 0.5)
    found = as_planned(meant(made), vehicle(8.1, 0.9, stamp=T0 + 100 * MS), BOUNDS)
    assert np.array_equal(found.poses.xyz[0], place(0.9).xyz) and found.speed[0] == 8.1
    assert at(found, 1.0) == pytest.approx(place(8.0 * 1.1 + 0.25 * 1.21).xyz, abs=0.01)
    assert np.allclose(found.times, 0.1 * np.arange(64))


def test_a_comfortable_stop_follows_the_last_path_and_stays():
    made, now = meant(plan(10.0, curvature=0.03)), vehicle(10.0, 10.0, 0.03, T0 + 1000 * MS)
    found = stop(now, BOUNDS, 1.5, made)
    assert np.array_equal(found.poses.xyz[0], now.pose.xyz) and found.speed[0] == 10.0
    assert found.speed[-1] == 0.0 and found.acceleration.min() > -1.6
    assert np.abs(np.diff(found.acceleration) / 0.1).max() < BOUNDS.jerk + 0.01
    assert deviation(made, found)[0] < 0.2
    assert broken(found, now, None, AUTOWARE) == {}


def test_a_stop_takes_its_way_and_in_a_bend_more_for_the_validators_lateral_jerk():
    ways = []
    for bend in (0.0, 0.03):
        found = stop(vehicle(10.0, 0.0, bend), BOUNDS, 1.5)
        ways.append(np.linalg.norm(np.diff(found.poses.xyz, axis=0), axis=1).sum())
        sideways = found.speed * np.abs(found.heading_rate)
        assert np.max(3.0 * sideways * np.abs(found.acceleration)) <= BOUNDS.lateral_jerk + 0.01
    assert 10.0**2 / 3.0 <= ways[0] < 10.0**2 / 3.0 + 6.0 < ways[1]


def test_without_a_path_the_stop_keeps_the_arc():
    found = stop(vehicle(6.0, 0.0, 0.05), BOUNDS, 1.5)
    middle = found.poses.xyz[20]
    gone = np.linalg.norm(np.diff(found.poses.xyz[:21], axis=0), axis=1).sum()
    assert np.linalg.norm(middle - place(float(gone), 0.05).xyz) < 0.3
    assert found.speed[-1] == 0.0


def test_a_standing_vehicle_stays_when_it_is_to_stop():
    found = stop(vehicle(0.0), BOUNDS, 1.5)
    assert found.speed.max() == 0.0 and len(found.times) > 2
    assert broken(found, vehicle(0.0), None, AUTOWARE) == {}


@settings(max_examples=60, deadline=None)
@given(
    speed=st.floats(0.0, 14.0),
    seed=st.integers(0, 10_000),
    latency=st.floats(0.0, 0.8),
    noise=st.floats(0.0, 1.0),
    aside=st.floats(-0.3, 0.3),
)
def test_whatever_a_noisy_model_plans_is_made_consistent_and_bounded(speed, seed, latency, noise, aside):
    rng = np.random.default_rng(seed)
    bend = rng.uniform(-1.0, 1.0) * min(0.12, 2.0 / max(speed, 1.0) ** 2)
    wish = rng.uniform(-2.0, 1.5) + noise * rng.normal(0.0, 1.0, 64)
    made = plan(speed, wish, bend + 0.01 * noise * rng.normal(0.0, 1.0, 64))
    now = vehicle(speed, speed * latency, bend, T0 + round(latency * 1e9))
    side = np.array([-math.sin(now.yaw), math.cos(now.yaw), 0.0]) * aside
    now = replace(now, pose=Pose(now.pose.xyz + side, now.pose.quaternion))
    found = track(meant(made), now, BOUNDS)
    wrong = broken(found, now, None, STRICT)
    assert set(wrong) <= {"forward_trajectory_length"}, wrong  # a plan that brakes harder than 3 m/s^2 is its own
    assert found.acceleration.max() <= BOUNDS.acceleration and found.acceleration.min() >= -BOUNDS.deceleration


def circle(bend, count=40, step=0.8):
    angle = np.arange(count) * step * bend
    return np.stack([np.sin(angle) / bend, (1 - np.cos(angle)) / bend], axis=-1)


@pytest.mark.parametrize("bend", [0.3, 0.05, -0.12])
def test_curvatures_are_those_of_a_circle(bend):
    assert curvatures(circle(bend)) == pytest.approx(bend, rel=0.02)


def changed(**fields):
    """A good trajectory with something wrong in it."""
    good = track(meant(plan(8.0, curvature=0.02)), vehicle(8.0, 0.0, 0.02), BOUNDS)
    new = {name: change(getattr(good, name).copy()) for name, change in fields.items()}
    return replace(good, **new)


def put(index, value):
    def change(values):
        values[index] = value
        return values

    return change


def moved(index, by):
    def change(poses):
        xyz = poses.xyz.copy()
        xyz[index] += by
        return Pose(xyz, poses.quaternion)

    return change



@pytest.mark.parametrize(
    ("name", "limits", "wrong"),
    [
        ("finite", AUTOWARE, {"speed": put(5, math.nan)}),
        ("finite", AUTOWARE, {"heading_rate": put(5, math.inf)}),
        ("deceleration", AUTOWARE, {"acceleration": put(9, -11.0)}),
        ("acceleration", AUTOWARE, {"acceleration": put(9, 11.0)}),
        ("time", AUTOWARE, {"times": put(7, 0.6)}),
        ("steering", AUTOWARE, {"steering": put(4, 1.5)}),
        ("lateral_acceleration", AUTOWARE, {"speed": put(slice(20, 60), 30.0)}),
        ("velocity_deviation", STRICT, {"speed": put(0, 6.0)}),
        ("wheel_rate", STRICT, {"steering": put(slice(30, None), 0.4)}),
        ("jerk", STRICT, {"acceleration": put(slice(30, None), 1.5)}),
        ("consistent", STRICT, {"heading_rate": put(3, 0.5)}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_validator_names_what_is_wrong(name, limits, wrong):
    assert name in broken(changed(**wrong), vehicle(8.0, 0.0, 0.02), None, limits)


@pytest.mark.parametrize(
    ("name", "limits", "index", "by"),
    [
        ("interval", AUTOWARE, slice(40, None), (200.0, 0.0, 0.0)),
        ("relative_angle", AUTOWARE, 30, (0.0, 30.0, 0.0)),
        ("curvature", STRICT, 30, (-0.7, 0.8, 0.0)),
        ("longitudinal_distance_deviation", AUTOWARE, slice(None), (2.0, 1.5, 0.0)),
        ("distance_deviation", AUTOWARE, slice(None), (150.0, -150.0, 0.0)),
        ("start", STRICT, 0, (0.05, 0.0, 0.0)),
    ],
)
def test_the_validator_names_what_is_out_of_place(name, limits, index, by):
    good = changed()
    bad = replace(good, poses=moved(index, np.array(by))(good.poses))
    assert name in broken(bad, vehicle(8.0, 0.0, 0.02), None, limits)


def test_the_validator_wants_room_to_stop_and_no_jumps():
    good = changed()
    assert "forward_trajectory_length" in broken(stub(good, 12), vehicle(12.0, 0.0, 0.02), None, AUTOWARE)
    assert broken(stub(good, 12), vehicle(0.05, 0.0, 0.02), None, AUTOWARE) == {}
    left = np.array([-math.sin(0.7), math.cos(0.7), 0.0])
    before = replace(good, poses=Pose(good.poses.xyz - 0.8 * left, good.poses.quaternion))
    beside = vehicle(8.0)
    beside = replace(beside, pose=Pose(ORIGIN - 0.8 * left, beside.pose.quaternion))
    assert "lateral_shift" in broken(good, beside, before, AUTOWARE)
    assert "lateral_shift" not in broken(before, beside, before, AUTOWARE)


def stub(trajectory, count):
    kept = slice(None, count)
    fields = ("times", "speed", "acceleration", "heading_rate", "steering")
    poses = Pose(trajectory.poses.xyz[kept], trajectory.poses.quaternion[kept])
    return replace(trajectory, poses=poses, **{name: getattr(trajectory, name)[kept] for name in fields})


def log_of(speeds, period=20 * MS, yaw_rate=0.1):
    log, x = VehicleLog(), 0.0
    for number, speed in enumerate(speeds):
        quaternion = quaternion_from_yaw(0.1 * number * period / 1e9).tolist()
        assert log.push(T0 + number * period, (x, 0.0, 0.0, *quaternion, speed, yaw_rate)) is None
        x += speed * period / 1e9
    return log


def test_the_past_is_interpolated_and_the_present_predicted():
    log = log_of(np.linspace(5.0, 6.0, 51))  # 1 m/s^2 for a second
    then = log.at(T0 + 510 * MS)
    assert then.speed == pytest.approx(5.51, abs=1e-6) and then.yaw == pytest.approx(0.051, abs=1e-6)
    assert then.acceleration == pytest.approx(1.0, abs=1e-6)
    now = log.newest().after(0.1)
    assert now.stamp_ns == T0 + 1100 * MS and now.speed == pytest.approx(6.1)
    assert now.pose.xyz[0] - log.newest().pose.xyz[0] == pytest.approx(0.605, abs=0.01)
    assert log.at(T0 - 1) is None and log.at(T0 + 1001 * MS) is None


def test_a_braking_vehicle_is_not_predicted_backwards():
    stopping = vehicle(0.1, acceleration=-2.0).after(0.2)
    assert stopping.speed == 0.0


@pytest.mark.parametrize(
    ("sample", "reason"),
    [
        ((math.nan, 0, 0, 0, 0, 0, 1, 0, 0), "odometry_not_finite"),
        ((0, 0, 0, 0, 0, 0, 1, math.inf, 0), "odometry_not_finite"),
        ((0, 0, 0, 0, 0, 0, 2, 0, 0), "quaternion_not_unit"),
        ((0, 0, 0, 0, 0, 0, 1, 1e200, 0), "odometry_jump"),
        ((0, 0, 0, 0, 0, 0, 1, 5.0, 1e200), "odometry_jump"),
    ],
)
def test_odometry_that_is_no_pose_is_refused(sample, reason):
    assert VehicleLog().push(T0, sample).reason == reason
