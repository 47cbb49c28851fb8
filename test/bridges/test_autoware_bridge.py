"""The bridge as a node over real DDS, beside a rig that plays localization, the driver and Autoware."""

import threading

import numpy as np
import pytest
import rclpy
from autoware_drives import place, plan, vehicle
from autoware_internal_debug_msgs.msg import StringStamped
from autoware_internal_planning_msgs.msg import CandidateTrajectories
from autoware_planning_msgs.msg import LaneletRoute, Trajectory
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from std_msgs.msg import String
from waiting import wait_for

from alpamayo_ros.bridges.autoware import AutowareBridge
from alpamayo_ros.bridges.autoware_topics import NAMINGS, remappings
from alpamayo_ros.compose import Placed, in_frame
from alpamayo_ros.follow.validator import AUTOWARE, broken
from alpamayo_ros.live.autoware import trajectory_of
from alpamayo_ros.messages import outgoing, stamp_ns, time_msg
from alpamayo_ros.msg import DrivingPlan

NAMES = NAMINGS["autoware"]
MS = 1_000_000
START = 1_000_000_000_000


class Rig:
    """Localization at 8 m/s on a straight line, on a /clock that this test moves."""

    def __init__(self, **parameters):
        rclpy.init()
        self.node = rclpy.create_node("rig")
        self.now = START
        values = {"use_sim_time": True, "diagnostics_period": 0.2, **parameters}
        overrides = [Parameter(name, value=value) for name, value in values.items()]
        arguments = [word for pair in remappings("autoware") for word in ("-r", f"{pair[0]}:={pair[1]}")]
        self.bridge = AutowareBridge(parameter_overrides=overrides, cli_args=["--ros-args", *arguments])
        self.trajectories, self.candidates, self.reasonings, self.commands, self.diagnostics = [], [], [], [], []
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        for kind, topic, into, qos in (
            (Trajectory, NAMES["trajectory"], self.trajectories, 50),
            (CandidateTrajectories, NAMES["candidate_trajectories"], self.candidates, 50),
            (StringStamped, NAMES["reasoning"], self.reasonings, 50),
            (String, "command", self.commands, latched),
            (DiagnosticArray, "/diagnostics", self.diagnostics, 50),
        ):
            self.node.create_subscription(kind, topic, into.append, qos)
        make = self.node.create_publisher
        self.clock, self.plans = make(Clock, "/clock", 10), make(DrivingPlan, "alpamayo_driver/plan", 10)
        self.localization = make(Odometry, NAMES["odometry"], QoSProfile(depth=1))
        self.route, self.goal = make(LaneletRoute, NAMES["route"], latched), make(PoseStamped, NAMES["goal"], 10)
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)
        self.executor.add_node(self.bridge)
        self.spinning = True
        self.thread = threading.Thread(target=self.spin, daemon=True)
        self.thread.start()
        publishers = (self.clock, self.plans, self.localization, self.route)
        wait_for(lambda: all(each.get_subscription_count() for each in publishers))
        wait_for(lambda: self.bridge._out_trajectory.get_subscription_count())

    def spin(self):
        while self.spinning:
            self.executor.spin_once(timeout_sec=0.05)

    def s(self, stamp):
        return 8.0 * (stamp - START) / 1e9

    def drive(self, milliseconds, frame="map", odometry=True):
        """Moves the clock and the vehicle on, and waits until the bridge has taken it in."""
        for _ in range(0, milliseconds, 20):
            self.now += 20 * MS
            self.clock.publish(Clock(clock=time_msg(self.now)))
            wait_for(lambda: self.bridge.get_clock().now().nanoseconds == self.now)
            if odometry:
                self.odometry(frame)

    def odometry(self, frame="map", child="base_link"):
        truth = vehicle(8.0, self.s(self.now), stamp=self.now)
        message = Odometry(child_frame_id=child)
        message.header.frame_id, message.header.stamp = frame, time_msg(self.now)
        p, q = message.pose.pose.position, message.pose.pose.orientation
        p.x, p.y, p.z = truth.pose.xyz.tolist()
        q.x, q.y, q.z, q.w = truth.pose.quaternion.tolist()
        message.twist.twist.linear.x = truth.speed
        self.localization.publish(message)
        if child == "base_link":
            wait_for(lambda: self.bridge.keeper.newest_odometry_ns == self.now)

    def plan(self, back=60, frame="map", epoch=1, **how):
        """The driver's plan of `back` milliseconds ago."""
        t0 = self.now - back * MS
        made = plan(t0=t0, **how)
        slots = np.full((1, 4), t0), np.zeros((1, 4), dtype=bool)
        poses = in_frame(made, place(self.s(t0)))
        self.plans.publish(outgoing(Placed(made, frame, poses, epoch, "", ("front_wide",), *slots), False).plan)

    def state(self):
        mine = [s for array in self.diagnostics for s in array.status if s.name.startswith("autoware_bridge")]
        return (mine[-1].level, mine[-1].message, {p.key: p.value for p in mine[-1].values}) if mine else None

    def close(self):
        self.spinning = False
        self.thread.join(5)
        self.executor.shutdown(timeout_sec=5)
        self.bridge.destroy_node()
        self.node.destroy_node()
        rclpy.shutdown()


@pytest.fixture
def rig():
    made = []

    def start(**parameters):
        made.append(Rig(**parameters))
        return made[-1]

    yield start
    for each in made:
        each.close()


def test_a_plan_becomes_autowares_messages_at_the_vehicles_place(rig):
    rig = rig(again_after=0.0)
    rig.drive(400)
    rig.plan(samples=3, chosen=1)
    message = wait_for(lambda: rig.trajectories)[0]
    assert message.header.frame_id == "map" and stamp_ns(message.header.stamp) == rig.now
    trajectory = trajectory_of(message)
    truth = vehicle(8.0, rig.s(rig.now), stamp=rig.now)
    assert trajectory.poses.xyz[0] == pytest.approx(truth.pose.xyz, abs=1e-6)
    assert message.points[0].longitudinal_velocity_mps == pytest.approx(8.0)
    assert broken(trajectory, truth, None, AUTOWARE) == {}
    assert len(wait_for(lambda: rig.candidates)[0].candidate_trajectories) == 3
    assert wait_for(lambda: rig.reasonings)[0].data == "Keep lane 1."
    assert rig.reasonings[0].stamp == message.header.stamp
    wait_for(lambda: rig.state() and rig.state()[1] == "following")


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"back": 1200}, "plan_too_old"),
        ({"frame": "odom"}, "frame_mismatch"),
        ({"back": -300}, "stamp_invalid"),
        ({"epoch": 0}, "epoch_ended"),
        ({"back": 120}, "plan_too_old"),  # older than the one before
    ],
)
def test_what_may_not_be_driven_is_not_published(rig, wrong, reason):
    rig = rig(again_after=0.0, watchdog=0.0)
    rig.drive(1400)
    rig.plan()
    wait_for(lambda: rig.trajectories)
    rig.plan(**wrong)
    wait_for(lambda: rig.state() and rig.state()[2].get(f"refused.{reason}") == "1")
    assert len(rig.trajectories) == 1


def test_a_silent_driver_is_stopped_for_until_it_speaks_again(rig):
    rig = rig(watchdog=0.5)
    rig.drive(200)
    rig.plan()
    wait_for(lambda: rig.trajectories)
    rig.drive(300)
    entered = wait_for(lambda: [m for m in rig.trajectories if stamp_ns(m.header.stamp) >= rig.now - 200 * MS])
    assert len(entered[-1].points) < len(rig.trajectories[0].points)
    assert entered[-1].points[-1].longitudinal_velocity_mps == pytest.approx(8.0, abs=0.1)
    rig.drive(400)
    wait_for(lambda: rig.reasonings[-1].data.startswith("Stopping: no plan for 0."))
    stop = rig.trajectories[-1]
    assert stop.points[-1].longitudinal_velocity_mps == 0.0
    assert stop.points[0].longitudinal_velocity_mps == pytest.approx(8.0)
    wait_for(lambda: rig.state()[0] == b"\x02" and rig.state()[1] == "stopping: no plan")
    rig.plan()
    wait_for(lambda: rig.reasonings[-1].data == "Keep lane 0.")


def test_without_localization_nothing_is_made_up(rig):
    rig = rig(watchdog=0.5)
    rig.drive(200)
    rig.plan()
    wait_for(lambda: rig.trajectories)
    rig.drive(100)
    rig.drive(300, odometry=False)
    count = len(rig.trajectories)
    rig.drive(500, odometry=False)
    wait_for(lambda: rig.state()[1].startswith("odometry_stale"))
    assert len(rig.trajectories) == count


def test_a_clock_that_is_set_back_ends_what_was_known(rig):
    rig = rig()
    rig.drive(200)
    rig.plan()
    wait_for(lambda: rig.trajectories)
    rig.now -= 5_000 * MS
    rig.drive(20)
    wait_for(lambda: rig.bridge.keeper.plan_t0_ns is None)
    count = len(rig.trajectories)
    rig.drive(200)
    assert len(rig.trajectories) == count
    rig.plan()
    wait_for(lambda: len(rig.trajectories) > count)


def test_odometry_of_another_body_is_refused_with_its_name(rig):
    rig = rig()
    rig.drive(40)
    rig.odometry(child="imu_link")
    level, message, _ = wait_for(lambda: rig.state() if "imu_link" in (rig.state() or ("", ""))[1] else None)
    assert message.startswith("frame_mismatch") and level == b"\x01"


def test_a_routes_goal_and_a_goal_become_the_drivers_command(rig):
    rig = rig()
    rig.drive(100)
    route = LaneletRoute()
    route.header.frame_id = "map"
    corner = place(rig.s(rig.now) + 40.0)
    left = np.array([-np.sin(0.7), np.cos(0.7), 0.0])
    p, q = route.goal_pose.position, route.goal_pose.orientation
    p.x, p.y, p.z = (corner.xyz + 30.0 * left).tolist()
    q.z, q.w = float(np.sin(0.35 + np.pi / 4)), float(np.cos(0.35 + np.pi / 4))
    rig.route.publish(route)
    assert wait_for(lambda: rig.commands)[-1].data == "Turn left in 40m"
    rig.drive(1500)  # 12 m on
    wait_for(lambda: rig.commands[-1].data == "Turn left in 30m")
    goal = PoseStamped(pose=route.goal_pose)
    goal.header.frame_id = "map"
    goal.pose.position.x, goal.pose.position.y, _ = place(rig.s(rig.now) + 80.0).xyz.tolist()
    goal.pose.orientation.z, goal.pose.orientation.w = float(np.sin(0.35)), float(np.cos(0.35))
    rig.goal.publish(goal)
    wait_for(lambda: rig.commands[-1].data == "Continue straight")


def test_what_the_bridge_offers_and_asks_of_each_topic(rig):
    node = rig().node
    reliable, best_effort = ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT
    volatile, latched = DurabilityPolicy.VOLATILE, DurabilityPolicy.TRANSIENT_LOCAL
    for topic, kind, of, reliability, durability in (
        ("/planning/trajectory", "autoware_planning_msgs/msg/Trajectory", "publishers", reliable, volatile),
        ("/planning/route", "autoware_planning_msgs/msg/LaneletRoute", "subscriptions", reliable, latched),
        ("/localization/kinematic_state", "nav_msgs/msg/Odometry", "subscriptions", best_effort, volatile),
        (
            "/planning/generator/alpamayo/candidate_trajectories",
            "autoware_internal_planning_msgs/msg/CandidateTrajectories", "publishers", reliable, volatile,
        ),
    ):  # fmt: skip
        (found,) = [e for e in getattr(node, f"get_{of}_info_by_topic")(topic) if e.node_name == "autoware_bridge"]
        assert found.topic_type == kind
        assert (found.qos_profile.reliability, found.qos_profile.durability) == (reliability, durability)


def test_parameters_that_contradict_each_other_are_refused():
    rclpy.init()
    try:
        values = {"frame": "base_link", "compensate": False}
        with pytest.raises(ValueError, match="frame: base_link needs compensate"):
            AutowareBridge(parameter_overrides=[Parameter(name, value=value) for name, value in values.items()])
    finally:
        rclpy.shutdown()
