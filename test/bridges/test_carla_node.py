"""The follower's node over DDS: what it presses as paths and odometry come, grow old, jump and fall silent."""

import time

import numpy as np
import pytest
import rclpy
from builtin_interfaces.msg import Time
from carla_msgs.msg import CarlaEgoVehicleControl
from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry, Path
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile
from rosgraph_msgs.msg import Clock

from alpamayo_ros.bridges import carla, carla_topics
from alpamayo_ros.bridges.carla import CarlaFollower
from alpamayo_ros.bridges.carla_vehicle import WheelsUnknown
from alpamayo_ros.contract import SECOND_NS
from alpamayo_ros.live.carla import vehicle_info

T0 = 50 * SECOND_NS


def stamp(at_ns):
    return Time(sec=at_ns // SECOND_NS, nanosec=at_ns % SECOND_NS)


class Rig:
    """What a simulator and the driver publish, and the commands that come back."""

    def __init__(self, *words):
        self.follower = CarlaFollower(cli_args=["--ros-args", *words])
        self.node = rclpy.create_node("rig")
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        make = self.node.create_publisher
        self.info = make(carla_topics.messages().CarlaEgoVehicleInfo, "/carla/hero/vehicle_info", latched)
        self.odometries = make(Odometry, "/carla/hero/odometry", 10)
        self.paths, self.clocks = make(Path, "alpamayo_driver/path", 1), make(Clock, "/clock", 10)
        self.commands = []
        self.node.create_subscription(
            CarlaEgoVehicleControl, "/carla/hero/vehicle_control_cmd", self.commands.append, 10
        )
        self.executor = SingleThreadedExecutor()
        for node in (self.follower, self.node):
            self.executor.add_node(node)
        awaited = (self.odometries, self.paths)
        self.spin_until(lambda: all(each.get_subscription_count() for each in awaited))
        self.spin_until(lambda: self.node.count_publishers("/carla/hero/vehicle_control_cmd"))

    def spin_until(self, condition, seconds=10.0):
        deadline = time.monotonic() + seconds
        while not condition() and time.monotonic() < deadline:
            self.executor.spin_once(timeout_sec=0.02)
        assert condition()

    def drive_at(self, at_ns, speed=8.0):
        """Odometry of a vehicle that drives along x, and the command that answers it."""
        message = Odometry(child_frame_id="hero")
        message.header.frame_id, message.header.stamp = "map", stamp(at_ns)
        message.pose.pose.position.x, message.pose.pose.orientation.w = 1.4, 1.0  # its rear axle is at 0
        message.twist.twist.linear.x = speed
        self.odometries.publish(message)
        self.spin_until(lambda: [each for each in self.commands if each.header.stamp == stamp(at_ns)])
        return next(each for each in self.commands if each.header.stamp == stamp(at_ns))

    def plan(self, t0_ns, aside=0.0, frame="map"):
        """A path at 8 m/s along x that drifts to the left by `aside` a metre."""
        path = Path()
        path.header.frame_id, path.header.stamp = frame, stamp(t0_ns)
        for k in range(64):
            pose = PoseStamped()
            pose.header.frame_id, pose.header.stamp = frame, stamp(t0_ns + (k + 1) * SECOND_NS // 10)
            pose.pose.position.x = 0.8 * (k + 1)
            pose.pose.position.y = aside * pose.pose.position.x
            yaw = np.arctan(aside)
            pose.pose.orientation.z, pose.pose.orientation.w = float(np.sin(yaw / 2)), float(np.cos(yaw / 2))
            path.poses.append(pose)
        self.paths.publish(path)
        self.spin_until(lambda: self.follower._follower._path_t0_ns == t0_ns)

    def close(self):
        self.executor.shutdown()
        self.follower.destroy_node()
        self.node.destroy_node()


@pytest.fixture
def rig():
    rclpy.init()
    made = []

    def make(*words):
        made.append(Rig(*words))
        return made[-1]

    yield make
    for each in made:
        each.close()
    rclpy.try_shutdown()


def test_from_braking_to_following_and_back(rig, capfd):
    car = rig()
    unknown = car.drive_at(T0)
    assert unknown.brake > 0.0 and unknown.throttle == 0.0 and unknown.header.stamp == stamp(T0)
    car.info.publish(vehicle_info(carla_topics.messages(), "hero"))
    car.spin_until(lambda: car.follower._follower.vehicle is not None)
    assert car.drive_at(T0 + 1).brake > 0.0
    car.plan(T0, aside=0.1)
    left = car.drive_at(T0 + SECOND_NS // 10)
    assert left.brake == 0.0 and left.steer < -0.01  # the path leads to the left
    stale = car.drive_at(T0 + 3 * SECOND_NS // 2)
    assert stale.brake >= 0.2 and stale.throttle == 0.0
    car.plan(T0 + 3 * SECOND_NS // 2, aside=-0.1)
    assert car.drive_at(T0 + 8 * SECOND_NS // 5).steer > 0.01
    told = capfd.readouterr().err
    for words in (
        "braking: no vehicle_info yet",
        "braking: no path yet",
        "following the path",
        "braking: stale path 1.5",
    ):
        assert words in told


def test_odometry_that_is_no_pose_counts_as_none(rig, capfd):
    car = rig("-p", "wheelbase:=2.8", "-p", "max_steer_angle:=0.6")
    car.plan(T0)
    car.drive_at(T0)
    broken = Odometry(child_frame_id="hero")
    broken.pose.pose.position.x = float("nan")

    def braked():
        car.odometries.publish(broken)
        return car.commands[-1].brake > 0.2

    car.spin_until(braked)
    told = capfd.readouterr().err
    assert "odometry is no pose" in told and "braking: no odometry" in told


def test_a_path_that_cannot_be_followed_is_named(rig, capfd):
    car, told = rig(), []
    car.paths.publish(Path())

    def named():
        told.append(capfd.readouterr().err)
        return "alpamayo_driver/path: a path of 0 poses" in "".join(told)

    car.spin_until(named)


def test_measures_by_hand_replace_vehicle_info(rig):
    words = ("wheelbase:=2.8", "rear_axle_x:=-1.4", "max_steer_angle:=0.6")
    car = rig(*(word for pair in words for word in ("-p", pair)))
    car.plan(T0)
    assert car.drive_at(T0 + SECOND_NS // 10).brake == 0.0


def test_measures_that_no_vehicle_has_are_refused(rig):
    with pytest.raises(WheelsUnknown, match="wheels that turn 0.0 rad"):
        CarlaFollower(cli_args=["--ros-args", "-p", "wheelbase:=2.8", "-p", "max_steer_angle:=0.0"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("max_path_age:=100.0",), "max_path_age out of range Min: 0.1, Max: 10.0, value: 100.0"),
        (("wheelbase:=0.1", "max_steer_angle:=0.6"), "a wheelbase of 0.1 m"),
    ],
)
def test_values_that_are_no_good_end_it_with_a_sentence(words, said, capfd):
    assert carla.main(["--ros-args", *(word for pair in words for word in ("-p", pair))]) == 1
    told = capfd.readouterr().err
    assert said in told and "Traceback" not in told


def test_a_path_in_another_frame_is_not_followed(rig, capfd):
    car = rig("-p", "wheelbase:=2.8", "-p", "rear_axle_x:=-1.4", "-p", "max_steer_angle:=0.6")
    car.plan(T0, frame="odom")
    assert car.drive_at(T0 + SECOND_NS // 10).brake > 0.0
    assert "path in 'odom', odometry in 'map'" in capfd.readouterr().err


def test_silent_odometry_is_braked_for_by_the_clock(rig):
    car = rig("-p", "use_sim_time:=true", "-p", "wheelbase:=2.8", "-p", "max_steer_angle:=0.6")
    car.clocks.publish(Clock(clock=stamp(T0)))
    car.plan(T0)
    car.drive_at(T0)
    before = len(car.commands)
    now = T0

    def told():
        nonlocal now
        now += SECOND_NS // 20
        car.clocks.publish(Clock(clock=stamp(now)))
        return len(car.commands) > before

    car.spin_until(told)
    assert now >= T0 + SECOND_NS // 2 and car.commands[-1].brake > 0.2


def test_who_does_not_follow_presses_nothing_but_places_the_axle(rig):
    node = CarlaFollower(
        cli_args=["--ros-args", "-p", "follow:=false", "-p", "wheelbase:=2.8", "-p", "max_steer_angle:=0.6"]
    )
    topics = dict(node.get_publisher_names_and_types_by_node("carla_follower", "/"))
    assert "/carla/hero/vehicle_control_cmd" not in topics and "/tf_static" in topics
    node.destroy_node()
