"""What lives between activation and deactivation: subscriptions, observer, worker, and what they count.

Two threads carry a tick: the intake's, whose callbacks take microseconds (keep a message's bytes, read its stamp,
push), and the worker's, which decodes, plans and publishes. What is rare (commands, reset, a clock's jump) comes from
the executor, in turn with the intake.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial, wraps
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Odometry
from rclpy.callback_groups import CallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import String
from std_srvs.srv import Trigger

from alpamayo_ros import serialized
from alpamayo_ros.ages import StampAges
from alpamayo_ros.answers import Answering
from alpamayo_ros.cdr import CdrError, header
from alpamayo_ros.compose import Outgoing, place
from alpamayo_ros.contract import CAMERA_ROLES, SECOND_NS, NotReady, Policy, Reason
from alpamayo_ros.diagnostics import State, diagnostics_msg, state_of
from alpamayo_ros.frames import Frames
from alpamayo_ros.imaging import decoder, too_large
from alpamayo_ros.input_watch import InputWatch
from alpamayo_ros.intake import Intake
from alpamayo_ros.messages import outgoing
from alpamayo_ros.observer import Observer, Outcome
from alpamayo_ros.params import image_limits, observer_config
from alpamayo_ros.rig_listener import RigListener
from alpamayo_ros.statistics import Statistics
from alpamayo_ros.tf_listener import listen
from alpamayo_ros.tick import Decoding, Refused, TickRunner
from alpamayo_ros.window import Window
from alpamayo_ros.worker import Worker

# A quarter of a second of the fastest stream: what may pile up while the interpreter is busy elsewhere.
CAMERA_DEPTH = 15
ODOMETRY_DEPTH = 100
WATCH_PERIOD, RIG_PERIOD = 0.05, 0.2
# How long ending waits for an inference that is under way (s).
PATIENCE = 1.0


def _in_turn(method: Callable) -> Callable:
    """A method that the intake and the executor may both call, one at a time."""

    @wraps(method)
    def waiting(self: Session, *arguments):
        with self._turn:
            return method(self, *arguments)

    return waiting


class Session:
    """One active period of the driver.

    Args:
        node: the node to subscribe with.
        apart: the callback group of the intake's subscriptions, which the node keeps from its executor.
        values: every parameter's value.
        policy: loaded and warm.
        publish: takes the messages of a tick, on the worker's thread.
        report: takes diagnostics, on the executor's thread.
        answer: takes the answer to a question, on the worker's thread.
        epoch: the first epoch's number.
    """

    def __init__(
        self,
        node: Node,
        apart: CallbackGroup,
        values: Mapping[str, Any],
        policy: Policy,
        publish: Callable[[Outgoing], None],
        report: Callable[[DiagnosticArray], None],
        answer: Callable[[str], None],
        epoch: int,
    ):
        self._node = node
        self._turn = threading.RLock()
        self._values = values
        self._publish = publish
        self._report = report
        self._answer = answer
        self._policy = policy
        self.observer = Observer(observer_config(values), epoch)
        self.statistics = Statistics(started_at=time.monotonic())
        self._ages = StampAges()
        self._inputs = InputWatch(self.observer.config.reference, node.get_parameter("use_sim_time").value)
        self._rig: RigListener | None = None
        self._state: State | None = None
        self._frames = Frames(partial(listen, node), values["ego_frame"], values["output_frame"], values["tf_timeout"])
        self._limits = image_limits(values)
        decode = decoder(values["image_transport"], self._limits)
        self._decoding = Decoding(dict.fromkeys(CAMERA_ROLES, decode), values["decode_threads"])
        self._runner = TickRunner(policy, self._decoding, self._frames.locate)
        self._began_at = 0.0
        self._worker: Worker[Outgoing | Refused] = Worker(self._run, self._deliver, values["policy_timeout"])
        self._worker.new_epoch(epoch)
        self._worker.start()
        self._destroy: list[Callable[[], Any]] = []
        self._intake = Intake(node.context)
        self._subscribe(apart)
        self._intake.start()

    def close(self) -> bool:
        """Ends it; False where an inference is still under way after a second (its result is disowned)."""
        self._intake.stop()
        for destroy in self._destroy:
            destroy()
        ended = self._worker.stop(PATIENCE)
        self._frames.close()
        self._decoding.close()
        if self._rig is not None:
            self._rig.close()
        return ended

    @_in_turn
    def new_epoch(self, cause: str) -> None:
        """Drops all histories and whatever is under way."""
        self.observer.new_epoch(cause)
        self._follow_epoch()

    # --- the intake's and the executor's threads, in turn ---------------------------------------------------------

    def _subscribe(self, apart: CallbackGroup) -> None:
        node, values = self._node, self._values
        compressed = values["image_transport"] == "compressed"
        kind, suffix = (CompressedImage, "/compressed") if compressed else (Image, "")
        self._topics = {role: f"camera/{role}/image{suffix}" for role in CAMERA_ROLES}
        self._check_rig()
        for role, topic in self._topics.items():
            self._take_in(apart, kind, topic, role, partial(self._on_image, role), CAMERA_DEPTH)
        self._take_in(apart, Odometry, "odometry", "odometry", self._on_odometry, ODOMETRY_DEPTH)
        # A volatile request matches every publisher but gets no latched text, a latched one matches latched ones only.
        command = partial(self._gated, "command", self._on_command)
        for durability in (DurabilityPolicy.VOLATILE, DurabilityPolicy.TRANSIENT_LOCAL):
            self._listen(String, "command", command, QoSProfile(depth=1, durability=durability))
        self._listen(String, "~/question", partial(self._gated, "question", self._on_question), QoSProfile(depth=1))
        reset = node.create_service(Trigger, "~/reset", self._on_reset)
        self._destroy.append(partial(node.destroy_service, reset))
        looks = node.create_timer(RIG_PERIOD, self._look_at_rig, clock=Clock(clock_type=ClockType.STEADY_TIME))
        self._destroy.append(partial(node.destroy_timer, looks))
        # Steady periods: a paused /clock must silence neither the diagnostics nor the watch over the policy.
        self._intake.every(WATCH_PERIOD, self._on_watch)
        self._intake.every(values["diagnostics_period"], self._diagnose)

    def _take_in(
        self, apart: CallbackGroup, kind: type, topic: str, stream: str, callback: Callable, depth: int
    ) -> None:
        """Subscribes to one of the inputs, on the intake's thread."""
        gated = partial(self._gated, stream, callback)
        overridable = QoSOverridingOptions.with_default_policies()
        subscription = self._listen(
            kind, topic, gated, _sensor_qos(depth), qos_overriding_options=overridable, callback_group=apart
        )
        self._intake.listen(subscription, gated)

    def _listen(self, kind: type, topic: str, callback: Callable, qos: QoSProfile, **options: Any) -> Subscription:
        subscription = self._node.create_subscription(
            kind, topic, lambda data: callback(data), qos, raw=True, **options
        )
        self._destroy.append(partial(self._node.destroy_subscription, subscription))
        return subscription

    @_in_turn
    def _gated(self, stream: str, callback: Callable, data: memoryview | bytes, publisher: bytes | None = None) -> None:
        """Takes a message, unless a second publisher sent it or it is none: such are refused by name."""
        refusal = self._inputs.arrived(stream, publisher, time.monotonic())
        try:
            if refusal is None:
                callback(data)
        except CdrError as error:
            refusal = NotReady(Reason.MESSAGE_CORRUPT, stream, str(error))
        if refusal is not None:
            self._take([refusal])

    def _on_image(self, role: str, data: memoryview | bytes) -> None:
        stamp, frame_id = header(data)
        refusal = too_large(role, data, self._limits)
        if refusal is not None:
            self._take([refusal])
            return
        if role == self.observer.config.reference:
            self._ages.received(stamp, self._now_ns())
            self._inputs.frame(stamp, time.monotonic())
        self._take(self.observer.push_frame(role, stamp, data, frame_id))

    def _on_odometry(self, data: memoryview | bytes) -> None:
        got = serialized.odometry(data)
        self._frames.expect_child(got.child_frame_id)
        self._take(self.observer.push_odometry(got.stamp_ns, got.sample, got.frame_id, got.child_frame_id))

    def _on_command(self, data: bytes) -> None:
        text = serialized.text(data)
        if self._short_enough("command", text):
            self.observer.command = text

    def _on_question(self, data: bytes) -> None:
        text = serialized.text(data)
        if self._short_enough("question", text):
            answering = Answering(self._policy, self._runner.last, text, self._answer)
            self._worker.in_background(answering.step)

    def _short_enough(self, stream: str, text: str) -> bool:
        limit = self._values["max_command_length"]
        if len(text) > limit:
            detail = f"{len(text)} characters, {limit} are allowed (max_command_length)"
            self._take([NotReady(Reason.COMMAND_TOO_LONG, stream, detail)])
        return len(text) <= limit

    def _check_rig(self) -> None:
        if self._rig is not None:
            self._rig.close()
        if self._values["rig_check"] != "off":
            self._rig = RigListener(self._node, self._topics, self._values["ego_frame"], self._turn)

    def _swaps(self) -> list[NotReady]:
        refuses = self._rig is not None and self._values["rig_check"] == "refuse"
        return self._rig.check.swaps() if refuses else []

    @_in_turn
    def _look_at_rig(self) -> None:
        # On the executor, whose own subscriptions it ends.
        for swap in self._rig.look() if self._rig is not None else ():
            self.statistics.message_refusal(swap, time.monotonic())

    @_in_turn
    def _on_reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        self.new_epoch("reset was called")
        self._check_rig()
        response.success, response.message = True, f"epoch {self.observer.epoch}"
        return response

    @_in_turn
    def _on_watch(self) -> None:
        given_up = self._worker.watch()
        if given_up is not None:
            self._node.get_logger().error(str(given_up), throttle_duration_sec=5.0)
            self.statistics.tick_refusal(given_up, time.monotonic())
        now = time.monotonic()
        for remark in self._inputs.look(now, self._now_ns()):
            self.statistics.message_refusal(remark, now)
        silence = self._inputs.silent(now)
        if silence is not None:
            self.statistics.tick_refusal(silence, now)
        if state_of(self.statistics, now) != self._state or self.statistics.news(now):
            self._diagnose()

    def _take(self, outcomes: list[Outcome]) -> None:
        """Windows go to the worker, refusals into the statistics."""
        if self.observer.epoch != self._worker.epoch:
            self._follow_epoch()
        for outcome in outcomes:
            if isinstance(outcome, Window):
                swaps = self._swaps()
                for swap in swaps:
                    self.statistics.tick_refusal(replace(swap, t0_ns=outcome.t0_ns), time.monotonic())
                if not swaps:
                    self._worker.offer(outcome)
            elif outcome.t0_ns is None:
                self.statistics.message_refusal(outcome, time.monotonic())
            else:
                self.statistics.tick_refusal(outcome, time.monotonic())

    def _follow_epoch(self) -> None:
        self._worker.new_epoch(self.observer.epoch)  # first: from here on no result of the old one comes out
        cause = self.observer.epoch_cause
        self._node.get_logger().info(f"epoch {self.observer.epoch}: {cause}")
        self.statistics.message_refusal(NotReady(Reason.EPOCH_ENDED, "epoch", cause), time.monotonic())
        self._frames.clear()
        self._ages.reset()

    @_in_turn
    def _diagnose(self) -> None:
        now = time.monotonic()
        self._state = state_of(self.statistics, now)
        self._report(
            diagnostics_msg(
                self._values["policy"], self._state, self.statistics, self.observer, self._worker.counts,
                self._rig.check if self._rig is not None else None, self._now_ns(), now,
            )
        )  # fmt: skip

    def _now_ns(self) -> int:
        return self._node.get_clock().now().nanoseconds

    # --- worker thread -----------------------------------------------------------------------------------------

    def _run(self, window: Window) -> Outgoing | Refused:
        self._began_at = time.monotonic()
        result = self._runner(window)
        if isinstance(result, Refused):
            return result
        self.statistics.guard(result.plan.notes[-1].removeprefix("guard="))
        placement = self._frames.output(result)
        if isinstance(placement, NotReady):
            return Refused(placement, result.refused)
        return outgoing(place(result, *placement), self._values["markers"])

    def _deliver(self, result: Outgoing | Refused) -> None:
        """Publishes a tick unless it has become too old. No epoch can end meanwhile."""
        now = time.monotonic()
        for refused in result.refused:
            self.statistics.message_refusal(refused, now)
        if isinstance(result, Refused):
            if result.traceback:
                self._node.get_logger().error(f"{result.reason}\n{result.traceback}", throttle_duration_sec=5.0)
            self.statistics.tick_refusal(result.reason, now)
            return
        age = self._ages.age_ns(result.t0_ns, self._now_ns()) / SECOND_NS
        limit = self._values["max_plan_age"]
        if age > limit:
            numbers = {"age": age, "max_plan_age": limit}
            late = NotReady(Reason.PLAN_TOO_OLD, "", "the plan was ready too late", numbers, result.t0_ns)
            self.statistics.tick_refusal(late, now)
            return
        self._publish(result)
        now = time.monotonic()
        self.statistics.plan(age, now, now - self._began_at)


def _sensor_qos(depth: int) -> QoSProfile:
    """Best effort, which every publisher of sensor data can serve (REP-2003); never a shared profile object."""
    return QoSProfile(depth=depth, reliability=ReliabilityPolicy.BEST_EFFORT)
