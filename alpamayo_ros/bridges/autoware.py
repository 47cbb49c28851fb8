"""The Autoware bridge: the driver's plans as Autoware's trajectories, and Autoware's route as the driver's command.

A node of its own beside the driver, fed by `~/plan` (a message of 20 kB; a hop of about a millisecond), so that a
fault of one does not stop the other. What it publishes is decided in follow/keeper.py.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType, TimeJump
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import String

from alpamayo_ros import params
from alpamayo_ros.ages import StampAges
from alpamayo_ros.bridges.autoware_messages import MissingMessages, Writer, heard, message_classes
from alpamayo_ros.bridges.autoware_options import TABLE, rules
from alpamayo_ros.bridges.autoware_route import Guidance, guidance
from alpamayo_ros.bridges.run import run
from alpamayo_ros.clock_jump import CLOCK_JUMP
from alpamayo_ros.contract import SECOND_NS, NotReady, Reason
from alpamayo_ros.follow.keeper import Followable, Keeper
from alpamayo_ros.geometry import Pose, yaw_of_quaternion
from alpamayo_ros.messages import stamp_ns, time_msg
from alpamayo_ros.msg import DrivingPlan

# Between two looks at the watchdog, and at the route (s).
WATCH_PERIOD, ROUTE_PERIOD = 0.05, 0.5
LATEST = 1


class AutowareBridge(Node):
    """See the module. In: `alpamayo_driver/plan`, `odometry`, `route`, `goal`; out: `trajectory`,
    `candidate_trajectories`, `reasoning`, `command`.

    Raises:
        MissingMessages: without autoware_planning_msgs.
        ValueError: parameters that contradict each other.
    """

    def __init__(self, **options) -> None:
        classes, remarks = message_classes()
        super().__init__("autoware_bridge", **options)
        params.declare(self, TABLE)
        self._values = params.read(self, TABLE)
        self.add_on_set_parameters_callback(_refuse_changes)
        for remark in remarks:
            self.get_logger().warning(remark)
        self.keeper = Keeper(rules(self._values))
        frame = self._values["ego_frame"] if self._values["frame"] == "base_link" else "odometry"
        self._writer = Writer(classes, frame, float(self._values["engage_speed"]))
        self._ages = StampAges()
        self._acted_ns: int | None = None
        self._goal: tuple[str, Pose] | None = None
        self._guidance = Guidance("", "no route and no goal have come")
        self._told: str | None = None
        self._counts: Counter[str] = Counter()
        self._state, self._numbers = "waiting for odometry and plans", {}
        self._reported = ""
        self._connect(classes)

    def _connect(self, classes) -> None:
        latest, latched = QoSProfile(depth=LATEST), QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        sensor = QoSProfile(depth=100, reliability=ReliabilityPolicy.BEST_EFFORT)
        self._out_trajectory = self.create_publisher(classes.Trajectory, "trajectory", latest)
        self._out_candidates = self._out_reasoning = None
        if hasattr(classes, "CandidateTrajectories") and self._values["candidates"]:
            kind = classes.CandidateTrajectories
            self._out_candidates = self.create_publisher(kind, "candidate_trajectories", latest)
        if hasattr(classes, "StringStamped"):
            self._out_reasoning = self.create_publisher(classes.StringStamped, "reasoning", latest)
        self._out_command = self.create_publisher(String, "command", latched)
        self._out_diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.create_subscription(DrivingPlan, "alpamayo_driver/plan", self._on_plan, latest)
        self.create_subscription(Odometry, "odometry", self._on_odometry, sensor)
        self.create_subscription(classes.LaneletRoute, "route", self._on_route, latched)
        self.create_subscription(PoseStamped, "goal", self._on_goal, latest)
        self.create_timer(WATCH_PERIOD, self._on_watch)
        self.create_timer(ROUTE_PERIOD, self._guide)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(self._values["diagnostics_period"], self._diagnose, clock=steady)
        self._jumps = self.get_clock().create_jump_callback(CLOCK_JUMP, post_callback=self._on_clock_jump)

    # --- in ----------------------------------------------------------------------------------------------------

    def _on_odometry(self, message: Odometry) -> None:
        ego = self._values["ego_frame"]
        if message.child_frame_id not in ("", ego):
            detail = f"odometry's child is '{message.child_frame_id}', it has to be '{ego}' (ego_frame)"
            return self._refuse(NotReady(Reason.FRAME_MISMATCH, "odometry", detail))
        stamp, twist = stamp_ns(message.header.stamp), message.twist.twist
        self._ages.received(stamp, self._clock_ns())
        p, q = message.pose.pose.position, message.pose.pose.orientation
        sample = (p.x, p.y, p.z, q.x, q.y, q.z, q.w, twist.linear.x, twist.angular.z)
        refusal = self.keeper.push_odometry(stamp, sample, message.header.frame_id)
        if refusal is not None:
            self._refuse(refusal)

    def _on_plan(self, message: DrivingPlan) -> None:
        try:
            plan = heard(message)
        except ValueError as error:
            return self._refuse(NotReady(Reason.PLAN_INVALID, "plan", str(error), {}, stamp_ns(message.header.stamp)))
        self._give(self.keeper.hear(plan, self._now_ns()))

    def _on_route(self, message) -> None:
        self._take_goal(message.header.frame_id, message.goal_pose)

    def _on_goal(self, message: PoseStamped) -> None:
        self._take_goal(message.header.frame_id, message.pose)

    def _take_goal(self, frame_id: str, pose) -> None:
        p, q = pose.position, pose.orientation
        self._goal = frame_id, Pose((p.x, p.y, p.z), (q.x, q.y, q.z, q.w))
        self._guide()

    def _on_clock_jump(self, jump: TimeJump) -> None:
        self.keeper.clear()
        self._ages.reset()
        self._acted_ns = None
        self._say("the clock has jumped")

    # --- out ---------------------------------------------------------------------------------------------------

    def _on_watch(self) -> None:
        """Publishes again, or a stop, where no plan has brought anything new for a while."""
        now, after = self._now_ns(), float(self._values["again_after"])
        if self._acted_ns is None:
            return
        since = (now - self._acted_ns) / SECOND_NS
        t0 = self.keeper.plan_t0_ns
        watchdog = self.keeper.rules.watchdog
        overdue = bool(watchdog) and t0 is not None and (now - t0) / SECOND_NS > watchdog
        if overdue and since >= 2 * WATCH_PERIOD or after and since >= after:
            found = self.keeper.again(now)
            self._acted_ns = now
            if found is not None:
                self._give(found)

    def _give(self, found: Followable | NotReady) -> None:
        if isinstance(found, NotReady):
            return self._refuse(found)
        self._out_trajectory.publish(self._writer.trajectory(found))
        if self._out_candidates is not None:
            self._out_candidates.publish(self._writer.candidates(found))
        if self._out_reasoning is not None:
            self._out_reasoning.publish(self._writer.reasoning(found))
        self._acted_ns = self._now_ns()
        self._counts["stops" if found.stopping else "trajectories"] += 1
        age = (self._acted_ns - found.heard.t0_ns) / SECOND_NS
        self._numbers = {"plan_age": age, "aside": found.aside, "overrun": found.overrun}
        self._say(f"stopping: {found.stopping.split(' for ')[0]}" if found.stopping else "following")

    def _guide(self) -> None:
        """The goal as text, relative to where the vehicle is now."""
        vehicle = self.keeper.vehicle(self._now_ns())
        if self._goal is None or isinstance(vehicle, NotReady):
            return
        frame_id, goal = self._goal
        if frame_id != self.keeper.frame_id:
            self._guidance = Guidance("", f"the goal is in '{frame_id}', odometry in '{self.keeper.frame_id}'")
        else:
            (x, y, _), (goal_x, goal_y, _) = vehicle.pose.xyz, goal.xyz
            goal_yaw = float(yaw_of_quaternion(goal.quaternion))
            self._guidance = guidance(float(x), float(y), vehicle.yaw, goal_x, goal_y, goal_yaw)
        if self._guidance.text != self._told:
            self._told = self._guidance.text
            self._out_command.publish(String(data=self._told))

    def _refuse(self, refusal: NotReady) -> None:
        self._counts[f"refused.{refusal.reason.value}"] += 1
        self._counts["refused"] += 1
        self._numbers = dict(refusal.numbers)
        self.get_logger().warning(str(refusal), throttle_duration_sec=2.0)
        self._say(f"{refusal.reason.value}: {refusal.detail}" if refusal.detail else refusal.reason.value)

    def _say(self, state: str) -> None:
        self._state = state
        if state != self._reported:
            self._diagnose()

    def _diagnose(self) -> None:
        self._reported = self._state
        level = DiagnosticStatus.WARN
        if self._state == "following":
            level = DiagnosticStatus.OK
        elif self._state.startswith("stopping"):
            level = DiagnosticStatus.ERROR
        values = {**self._counts, **self._numbers, "command": self._guidance.text, "unknown": self._guidance.unknown}
        array = DiagnosticArray(status=[_status("autoware_bridge: trajectories", level, self._state, values)])
        array.header.stamp = time_msg(self._clock_ns())
        self._out_diagnostics.publish(array)

    def _clock_ns(self) -> int:
        return self.get_clock().now().nanoseconds

    def _now_ns(self) -> int:
        """Now on the stamps' own clock."""
        return self._clock_ns() - self._ages.foreign_ns


def _refuse_changes(changed: list[Parameter]) -> SetParametersResult:
    names = {parameter.name for parameter in TABLE}
    fixed = [parameter.name for parameter in changed if parameter.name in names]
    reason = f"{', '.join(fixed)} is read when the bridge starts" if fixed else ""
    return SetParametersResult(successful=not fixed, reason=reason)


def _status(name: str, level: bytes, message: str, values: Mapping[str, object]) -> DiagnosticStatus:
    pairs = [
        KeyValue(key=key, value=f"{value:.4f}" if isinstance(value, float) else str(value))
        for key, value in values.items()
    ]
    return DiagnosticStatus(name=name, hardware_id="alpamayo", level=level, message=message, values=pairs)


def main(argv: list[str]) -> int:
    """Runs the bridge until it is told to end; everything in `argv` goes to ROS."""
    arguments = [sys.argv[0], *(argv if "--ros-args" in argv else ["--ros-args", *argv])]
    return run("autoware_bridge", AutowareBridge, (MissingMessages, ValueError), arguments)
