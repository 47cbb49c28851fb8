"""Throttle, steer and brake from a path: signs, reasons to brake, a drive of a vehicle that is not quite as assumed."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alpamayo_ros.bridges.carla_follow import Follower, Odometry
from alpamayo_ros.bridges.carla_vehicle import Vehicle
from alpamayo_ros.contract import PLAN_OFFSETS_NS, SECOND_NS
from alpamayo_ros.geometry import Pose, quaternion_from_yaw
from alpamayo_ros.live import carla as world
from alpamayo_ros.world.follower import Path
from alpamayo_ros.world.state import EgoState
from alpamayo_ros.world.vehicle import STEERING_LIMIT, WHEELBASE, drive

T0 = 20 * SECOND_NS
VEHICLE = Vehicle((-world.ORIGIN_AHEAD, 0.0), WHEELBASE, STEERING_LIMIT)


def path(speed=8.0, bend=0.0, t0_ns=T0, start=0.0):
    """64 waypoints at a steady speed along an arc from the origin; `bend` 1/m, positive to the left."""
    s = start + speed * 0.1 * np.arange(1, 65)
    yaw = bend * s
    xy = np.stack([s, 0 * s], -1) if bend == 0 else np.stack([np.sin(yaw), 1 - np.cos(yaw)], -1) / bend
    return Path(t0_ns + np.asarray(PLAN_OFFSETS_NS, dtype=np.int64), xy, yaw)


def odometry(ego: EgoState, now_ns=T0, frame="map", child="hero"):
    x, y = world.origin(ego)
    pose = Pose(np.array([x, y, 0.0]), quaternion_from_yaw(ego.yaw))
    return Odometry(now_ns, frame, child, pose, ego.speed)


def follower(**changes):
    return Follower(**{"body": "hero", "max_path_age_ns": SECOND_NS, "vehicle": VEHICLE, **changes})


def pressed(made, ego, route, now_ns=T0):
    made.hear(route, T0, "map")
    return made.pedals(odometry(ego, now_ns))


def test_a_bend_to_the_left_is_a_negative_steer_and_to_the_right_a_positive_one():
    ego = EgoState(0.0, 0.0, 0.0, 8.0)
    left, right = (pressed(follower(), ego, path(bend=bend)) for bend in (0.02, -0.02))
    assert left.steer < -0.05 and right.steer > 0.05 and left.steer == pytest.approx(-right.steer, abs=1e-6)
    assert left.steer == pytest.approx(-math.atan(WHEELBASE * 0.02) / STEERING_LIMIT, abs=0.03)


def test_what_the_wheel_does_depends_on_the_vehicle():
    wide = Vehicle((-1.5, 0.0), 3.0, 1.22)
    ego = EgoState(0.0, 0.0, 0.0, 8.0)
    seen = Odometry(T0, "map", "hero", Pose(np.array([1.5, 0.0, 0.0]), quaternion_from_yaw(0.0)), 8.0)
    made = follower(vehicle=wide)
    made.hear(path(bend=0.02), T0, "map")
    ours, other = pressed(follower(), ego, path(bend=0.02)), made.pedals(seen)
    assert math.tan(other.steer * 1.22) / 3.0 == pytest.approx(math.tan(ours.steer * STEERING_LIMIT) / WHEELBASE)


def test_odometry_is_that_of_the_actors_origin():
    """With the vehicle turned by 90 degrees its origin is beside the path while its rear axle is on it."""
    north = Path(path().stamps_ns, path().xy[:, ::-1], np.full(64, math.pi / 2))
    assert abs(pressed(follower(), EgoState(0.0, 0.0, math.pi / 2, 8.0), north).steer) < 1e-6


def test_too_slow_is_throttle_and_too_fast_is_brake():
    slow, fast = (pressed(follower(), EgoState(0.0, 0.0, 0.0, speed), path(8.0)) for speed in (6.0, 11.0))
    assert slow.throttle > 0.2 and slow.brake == 0.0 and fast.brake > 0.1 and fast.throttle == 0.0


@pytest.mark.parametrize(
    ("reason", "changes", "hear", "now_ns"),
    [
        ("no vehicle_info yet", {"vehicle": None}, ("map",), T0),
        ("no path yet", {}, (), T0),
        ("path in another frame", {}, ("odom",), T0),
        ("stale path", {}, ("map",), T0 + SECOND_NS + 1),
    ],
)
def test_what_it_brakes_for(reason, changes, hear, now_ns):
    made = follower(**changes)
    for frame in hear:
        made.hear(path(), T0, frame)
    command = made.pedals(odometry(EgoState(0.0, 0.0, 0.0, 8.0), now_ns))
    assert made.braking_for == reason and command.brake >= 0.2 and command.throttle == 0.0


def test_a_fresh_path_ends_the_braking_and_an_older_one_does_not_replace_it():
    made = follower()
    ego = EgoState(0.0, 0.0, 0.0, 8.0)
    assert pressed(made, ego, path(), T0 + 2 * SECOND_NS).brake > 0.2
    newer = T0 + 2 * SECOND_NS
    made.hear(path(t0_ns=newer), newer, "map")
    made.hear(path(t0_ns=T0), T0, "map")
    command = made.pedals(odometry(ego, newer))
    assert made.braking_for == "" and command.brake < 0.05


def test_silent_odometry_is_braked_for():
    made = follower()
    assert made.without_odometry(9 * SECOND_NS) is None  # nothing has begun yet
    pressed(made, EgoState(0.0, 0.0, 0.0, 8.0), path())
    assert made.without_odometry(SECOND_NS // 2) is None
    assert made.without_odometry(SECOND_NS).brake >= 0.2 and made.braking_for == "no odometry"


def test_a_simulation_that_begins_anew_is_another_drive():
    made = follower()
    pressed(made, EgoState(0.0, 0.0, 0.0, 8.0), path())
    command = made.pedals(odometry(EgoState(0.0, 0.0, 0.0, 8.0), T0 - 5 * SECOND_NS))
    assert made.braking_for == "no path yet" and command.brake > 0.0


def test_odometry_of_another_body_is_braked_for():
    made = follower()
    made.hear(path(), T0, "map")
    assert made.pedals(odometry(EgoState(0.0, 0.0, 0.0, 8.0), child="base_link")).brake >= 0.2
    assert made.braking_for == "odometry of another body" and "base_link" in made.detail


def test_a_path_of_the_time_before_does_not_stand_in_the_way_of_a_new_one():
    made, ego = follower(), EgoState(0.0, 0.0, 0.0, 8.0)
    made.hear(path(t0_ns=T0 + 30 * SECOND_NS), T0 + 30 * SECOND_NS, "map")
    assert made.pedals(odometry(ego)).brake > 0.0 and made.braking_for == "no path yet"
    assert pressed(made, ego, path()).brake == 0.0 and made.braking_for == ""


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (lambda p: Path(p.stamps_ns[:1], p.xy[:1], p.yaw[:1]), "a path of 1 poses"),
        (lambda p: Path(p.stamps_ns[:0], p.xy[:0], p.yaw[:0]), "a path of 0 poses"),
        (lambda p: Path(p.stamps_ns, p.xy * np.nan, p.yaw), "finite"),
        (lambda p: Path(p.stamps_ns[:1].repeat(64), p.xy, p.yaw), "do not rise"),
    ],
)
def test_a_path_that_cannot_be_followed_is_refused(broken, said):
    with pytest.raises(ValueError, match=said):
        follower().hear(broken(path()), T0, "map")


@pytest.mark.parametrize("change", [{"speed": math.nan}, {"xyz": (math.inf, 0, 0)}, {"quaternion": (0, 0, 0, 0)}])
def test_odometry_that_is_no_pose_is_not_sound(change):
    values = {"xyz": (1.4, 0, 0), "quaternion": (0, 0, 0, 1), "speed": 8.0, **change}
    pose = Pose(np.array(values["xyz"], float), np.array(values["quaternion"], float))
    assert Odometry(T0, "map", "hero", pose, values["speed"]).sound == (not change)
    assert odometry(EgoState(0.0, 0.0, 0.3, 8.0)).sound


def test_a_standing_vehicle_that_is_to_stand_is_held():
    still = Path(path().stamps_ns, np.zeros((64, 2)), np.zeros(64))
    command = pressed(follower(), EgoState(0.0, 0.0, 0.0, 0.0), still)
    assert command.brake >= 0.3 and command.throttle == 0.0


@given(
    st.tuples(st.floats(-30, 30), st.floats(-30, 30), st.floats(-4, 4), st.floats(-3, 40)),
    st.floats(0, 30),
    st.floats(-0.3, 0.3),
    st.integers(0, 9),
)
def test_commands_are_within_carlas_ranges(ego, speed, bend, late):
    made = follower()
    for tick in range(3):
        command = pressed(made, EgoState(*ego), path(speed, bend), T0 + late * SECOND_NS // 10 + tick)
        assert 0.0 <= command.throttle <= 1.0 and 0.0 <= command.brake <= 1.0 and -1.0 <= command.steer <= 1.0
        assert command.throttle == 0.0 or command.brake == 0.0


@pytest.mark.parametrize("bend", [0.0, 0.02, -0.02])
@pytest.mark.parametrize("load", [0.0, 1.0])
def test_a_vehicle_with_other_pedals_and_a_hill_is_brought_to_the_path_and_its_speed(bend, load):
    """`load`: m/s^2 of drag more than the world's vehicle has. A new path every 0.1 s, made of the present speed."""
    made, ego, wanted = follower(), EgoState(0.0, 0.8, 0.0, 5.0), 8.0
    for tick in range(160):
        now = T0 + tick * SECOND_NS // 20
        if tick % 2 == 0:
            s = math.atan2(bend * ego.x, 1 - bend * ego.y) / bend if bend else ego.x
            made.hear(path(ego.speed + min(wanted - ego.speed, 1.0), bend, now, s), now, "map")
        command = made.pedals(odometry(ego, now))
        for _ in range(5):
            control = world.response(command.throttle, command.steer, command.brake, ego)
            ego = drive(ego, type(control)(control.steering, control.acceleration - load), 0.01)
    aside = abs(1 / bend) - math.hypot(ego.x, ego.y - 1 / bend) if bend else ego.y
    assert abs(aside) < 0.2 and ego.speed == pytest.approx(wanted, abs=0.5)
