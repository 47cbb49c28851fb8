"""The driver as a lifecycle node: parameters, transitions, publishers. What it does when active is in session.py.

`on_configure` loads the policy and warms it up (services wait meanwhile), `on_activate` subscribes and starts to
plan, `on_deactivate` stops, `on_cleanup` frees the policy.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Iterator

from diagnostic_msgs.msg import DiagnosticArray
from nav_msgs.msg import Path
from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import TimeJump
from rclpy.executors import ExternalShutdownException
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from rclpy.waitable import Waitable
from std_msgs.msg import String
from visualization_msgs.msg import MarkerArray

from alpamayo_ros import params, policies
from alpamayo_ros.clock_jump import CLOCK_JUMP
from alpamayo_ros.compose import Outgoing
from alpamayo_ros.contract import SECOND_NS, Policy, make_example
from alpamayo_ros.msg import DrivingPlan
from alpamayo_ros.session import Session
from alpamayo_ros.spinning import spin

# The worker takes the interpreter back dozens of times a tick; each time it would wait this long for a callback (s).
SWITCH_INTERVAL = 5e-4


class _ToRosout(logging.Handler):
    """What the package's own modules log (a model's loading progress, say) goes where the node's log goes."""

    def __init__(self, node: LifecycleNode):
        super().__init__()
        self._node = node

    def emit(self, record: logging.LogRecord) -> None:
        log = self._node.get_logger()
        {logging.WARNING: log.warning, logging.ERROR: log.error}.get(record.levelno, log.info)(record.getMessage())


class AlpamayoDriver(LifecycleNode):
    """Four cameras and odometry in; path, reasoning and plan out. Topics and parameters are in the README."""

    def __init__(self, **options):
        self._apart = MutuallyExclusiveCallbackGroup()  # of the inputs, which the session's intake waits for
        super().__init__("alpamayo_driver", **options)
        params.declare(self)
        self.add_on_set_parameters_callback(self._on_parameters)
        self._log = _ToRosout(self)
        logging.getLogger("alpamayo_ros").addHandler(self._log)
        logging.getLogger("alpamayo_ros").setLevel(logging.INFO)
        self._policy: Policy | None = None
        self._session: Session | None = None
        self._epoch = 0
        self._out_diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._jumps = self.get_clock().create_jump_callback(CLOCK_JUMP, post_callback=self._on_clock_jump)

    @property
    def subscriptions(self) -> Iterator[Subscription]:
        """What an executor waits for; the intake's subscriptions are left out."""
        inherited = super().subscriptions
        return (each for each in inherited if each.callback_group is not self._apart)

    @property
    def waitables(self) -> Iterator[Waitable]:
        """Likewise: events of the intake's subscriptions are left out."""
        inherited = super().waitables
        return (each for each in inherited if each.callback_group is not self._apart)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Reads the parameters, loads the policy and warms it up. A failure leaves the node unconfigured."""
        self._values = params.read(self)
        name = self._values["policy"]
        try:
            self.get_logger().info(f"loading policy {name!r}")
            started = time.monotonic()
            self._policy = policies.load(name, **params.policy_options(self._values))
            self._policy(make_example(height=1080, width=1920))
            self._policy.reset()
        except Exception as error:  # rclpy would swallow it without a word
            self.get_logger().error(f"cannot configure: {type(error).__name__}: {error}")
            self._free_policy()
            return TransitionCallbackReturn.FAILURE
        self.get_logger().info(f"policy {name!r} is loaded and warm after {time.monotonic() - started:.1f} s")
        latest = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)  # volatile: a latched plan is a hazard
        self._out_path = self.create_lifecycle_publisher(Path, "~/path", latest)
        self._out_reasoning = self.create_lifecycle_publisher(String, "~/reasoning", latest)
        self._out_plan = self.create_lifecycle_publisher(DrivingPlan, "~/plan", latest)
        self._out_markers = self.create_lifecycle_publisher(MarkerArray, "~/markers", latest)
        self._out_answer = self.create_lifecycle_publisher(String, "~/answer", latest)
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Begins a new epoch: subscribes and plans."""
        result = super().on_activate(state)
        self._epoch += 1
        self._session = Session(
            self, self._apart, self._values, self._policy, self._publish, self._out_diagnostics.publish,
            self._publish_answer, self._epoch,
        )  # fmt: skip
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribes; what is under way is disowned."""
        self._end_session()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Frees the policy."""
        for publisher in (
            self._out_path, self._out_reasoning, self._out_plan, self._out_markers, self._out_answer
        ):  # fmt: skip
            self.destroy_publisher(publisher)
        self._free_policy()
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Ends everything, from any state."""
        self.close()
        return TransitionCallbackReturn.SUCCESS

    def close(self) -> bool:
        """Stops and frees; False where an inference is still under way after a second (its policy is not freed)."""
        ended = self._end_session()
        if ended:
            self._free_policy()
        return ended

    def destroy_node(self) -> None:
        logging.getLogger("alpamayo_ros").removeHandler(self._log)
        super().destroy_node()

    def _end_session(self) -> bool:
        session, self._session = self._session, None
        if session is None:
            return True
        self._epoch = session.observer.epoch
        return session.close()

    def _free_policy(self) -> None:
        policy, self._policy = self._policy, None
        if policy is not None:
            policy.close()

    def _publish(self, messages: Outgoing) -> None:
        self._out_path.publish(messages.path)
        self._out_reasoning.publish(messages.reasoning)
        self._out_plan.publish(messages.plan)
        if messages.markers is not None:
            self._out_markers.publish(messages.markers)

    def _publish_answer(self, answer: str) -> None:
        self._out_answer.publish(String(data=answer))

    def _on_parameters(self, changed: list[Parameter]) -> SetParametersResult:
        table = {parameter.name: parameter for parameter in params.table()}
        for parameter in changed:
            if parameter.name not in table:
                continue
            broken = params.check(table[parameter.name], parameter.value)
            if self._policy is not None:
                broken = f"{parameter.name} is read when the node is configured: deactivate and clean up first"
            if broken is not None:
                return SetParametersResult(successful=False, reason=broken)
        return SetParametersResult(successful=True)

    def _on_clock_jump(self, jump: TimeJump) -> None:
        if self._session is not None:
            self._session.new_epoch(f"/clock jumped by {jump.delta.nanoseconds / SECOND_NS:.3f} s")


def main(args: list[str] | None = None) -> int:
    """Runs the node until it is told to end; 1 where `autostart` could not start it."""
    import rclpy

    sys.setswitchinterval(SWITCH_INTERVAL)
    rclpy.init(args=args)
    node = AlpamayoDriver()
    code, ended = 0, True
    try:
        if node.get_parameter("autostart").value:
            configured = node.trigger_configure() == TransitionCallbackReturn.SUCCESS
            code = 0 if configured and node.trigger_activate() == TransitionCallbackReturn.SUCCESS else 1
        if code == 0:
            spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a shell and a launcher both send one: the second is no news
        ended = node.close()
        if ended:
            node.destroy_node()
        rclpy.try_shutdown()
    if not ended:
        # A thread is deep in an inference that nothing can interrupt; leaving by the front door would wait for it.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code
