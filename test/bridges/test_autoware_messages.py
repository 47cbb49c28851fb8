import subprocess
import sys
import uuid

import numpy as np
import pytest
from autoware_drives import MS, T0, place, plan, vehicle
from test_autoware_keeper import driven, told

from alpamayo_ros.bridges.autoware_messages import Writer, engaged, generator_id, heard, message_classes
from alpamayo_ros.compose import Placed, in_frame
from alpamayo_ros.follow.validator import STRICT, broken
from alpamayo_ros.live.autoware import trajectory_of
from alpamayo_ros.messages import outgoing, stamp_ns

CLASSES, REMARKS = message_classes()


def followable(**how):
    return driven().hear(told(plan(**how)), T0 + 100 * MS)


def test_every_field_of_a_trajectory_is_filled_in_map():
    found = followable(curvature=0.02, samples=1)
    message = Writer(CLASSES, "odometry", 0.0).trajectory(found)
    assert REMARKS == [] and message.header.frame_id == "map"
    assert stamp_ns(message.header.stamp) == T0 + 100 * MS
    times = [(p.time_from_start.sec, p.time_from_start.nanosec) for p in message.points]
    assert times[:3] == [(0, 0), (0, 100_000_000), (0, 200_000_000)] and times[10] == (1, 0)
    point = message.points[30]
    assert point.pose.position.x == found.trajectory.poses.xyz[30, 0]  # 65 km from the origin, exactly
    for name, values in (
        ("longitudinal_velocity_mps", found.trajectory.speed),
        ("acceleration_mps2", found.trajectory.acceleration),
        ("heading_rate_rps", found.trajectory.heading_rate),
        ("front_wheel_angle_rad", found.trajectory.steering),
    ):
        assert getattr(point, name) == pytest.approx(values[30], abs=1e-6) and values[30] != 0.0 or name[0] == "a"
    assert point.heading_rate_rps == pytest.approx(8.0 * 0.02, abs=0.02)
    assert point.lateral_velocity_mps == point.rear_wheel_angle_rad == 0.0


def test_what_is_read_back_from_a_message_still_passes():
    message = Writer(CLASSES, "odometry", 0.25).trajectory(followable(curvature=0.02))
    assert broken(trajectory_of(message), vehicle(8.0, 0.8, 0.0, T0 + 100 * MS), None, STRICT) == {}


def test_in_the_vehicles_frame_the_first_pose_is_the_origin():
    message = Writer(CLASSES, "base_link", 0.0).trajectory(followable())
    first, later = message.points[0].pose, message.points[20].pose
    assert message.header.frame_id == "base_link"
    assert (first.position.x, first.position.y, first.orientation.w) == pytest.approx((0.0, 0.0, 1.0), abs=1e-6)
    assert (later.position.x, later.position.y) == pytest.approx((16.0, 0.0), abs=0.1)


def test_candidates_name_their_generators():
    found = followable(samples=3, chosen=1)
    message = Writer(CLASSES, "odometry", 0.0).candidates(found)
    names = [info.generator_name.data for info in message.generator_info]
    assert names == [f"alpamayo_ros/onnx/{number}" for number in range(3)]
    ids = [bytes(info.generator_id.uuid) for info in message.generator_info]
    assert ids == [bytes(each.generator_id.uuid) for each in message.candidate_trajectories] and len(set(ids)) == 3
    assert {each.header.frame_id for each in message.candidate_trajectories} == {"map"}
    assert {stamp_ns(each.header.stamp) for each in message.candidate_trajectories} == {T0 + 100 * MS}
    assert all(len(each.points) == 64 for each in message.candidate_trajectories)


def test_a_generators_id_is_the_same_in_every_run():
    told = bytes(generator_id("alpamayo_ros/onnx/0").uuid)
    assert uuid.UUID(bytes=told) == uuid.UUID("e90f9d26-77e0-52bf-a19a-2941b16537d9")


def test_the_reasoning_has_the_trajectorys_stamp():
    message = Writer(CLASSES, "odometry", 0.0).reasoning(followable(samples=2, chosen=1))
    assert (message.data, stamp_ns(message.stamp)) == ("Keep lane 1.", T0 + 100 * MS)


def test_a_stop_comes_in_the_same_messages_and_says_so():
    keeper = driven(until=T0 + 1100 * MS)
    keeper.hear(told(), T0 + 990 * MS)
    found, writer = keeper.again(T0 + 1100 * MS), Writer(CLASSES, "odometry", 0.25)
    assert writer.trajectory(found).points[-1].longitudinal_velocity_mps == 0.0
    (candidate,) = writer.candidates(found).candidate_trajectories
    assert candidate.points == writer.trajectory(found).points
    assert writer.candidates(found).generator_info[0].generator_name.data == "alpamayo_ros/stop"
    assert writer.reasoning(found).data == "Stopping: no plan for 1.1 s."


def test_a_vehicle_that_sets_off_is_given_a_first_speed():
    speeds = np.array([0.0, 0.1, 0.2, 0.3, 0.4])
    assert engaged(speeds, 0.25).tolist() == [0.25, 0.25, 0.25, 0.3, 0.4]
    for kept in (speeds * 0.1, np.array([0.0, 0.0, 0.0]), np.array([0.2, 0.1, 0.0]), np.array([3.0, 2.0, 1.0])):
        assert engaged(kept, 0.25) is kept  # creeps, stands, stops, drives
    assert engaged(speeds, 0.0) is speeds


def test_a_driving_plan_is_read_as_it_was_composed():
    made = plan(8.0, 0.3, 0.01, samples=2, chosen=1)
    poses = in_frame(made, place())
    placed = Placed(
        made, "map", poses, 7, "turn left", ("front_wide",), np.full((1, 4), T0), np.zeros((1, 4), dtype=bool)
    )
    read = heard(outgoing(placed, False).plan)
    assert (read.t0_ns, read.epoch, read.frame_id, read.chosen, read.policy) == (T0, 7, "map", 1, "onnx")
    assert np.array_equal(read.poses.xyz, poses.xyz) and read.reasoning == made.reasoning
    assert read.speed == pytest.approx(made.speed, abs=1e-5)


def test_a_plan_without_samples_or_with_odd_lengths_is_refused():
    from alpamayo_ros.msg import DrivingPlan, PlanSample

    with pytest.raises(ValueError, match="0 samples"):
        heard(DrivingPlan())
    with pytest.raises(ValueError, match="lengths"):
        heard(DrivingPlan(samples=[PlanSample(speed=[1.0, 2.0], acceleration=[0.0, 0.0])]))


def without(*packages):
    """The bridge started where these packages are not installed."""
    block = f"import sys; sys.modules.update(dict.fromkeys({[f'{name}.msg' for name in packages]!r}))\n"
    code = block + "from alpamayo_ros.bridges.autoware import main\nsys.exit(main(sys.argv[1:]))"
    return [sys.executable, "-c", code]


def test_without_autowares_messages_the_bridge_says_what_is_missing_and_how_to_get_it():
    done = subprocess.run(without("autoware_planning_msgs"), capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "needs autoware_planning_msgs" in done.stderr and "apt install" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_autowares_messages_the_driver_and_its_package_are_whole():
    blocked = ["autoware_planning_msgs", "autoware_internal_planning_msgs", "autoware_internal_debug_msgs"]
    code = f"import sys; sys.modules.update(dict.fromkeys({blocked + [f'{name}.msg' for name in blocked]!r}))\n"
    code += "import alpamayo_ros.node, alpamayo_ros.live.node, alpamayo_ros.reference; alpamayo_ros.reference.main([])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_without_the_internal_packages_there_is_still_a_trajectory():
    code = "import sys; sys.modules['autoware_internal_planning_msgs.msg'] = None\n"
    code += "from alpamayo_ros.bridges.autoware_messages import message_classes; print(message_classes()[1])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "without autoware_internal_planning_msgs there is no CandidateTrajectories" in done.stdout
