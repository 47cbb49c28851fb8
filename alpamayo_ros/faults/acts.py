"""Faults that are done to processes, to the policy and to the graph, rather than to messages."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from alpamayo_ros.contract import CAMERA_ROLES
from alpamayo_ros.faults.policy import ORDER

if TYPE_CHECKING:
    from alpamayo_ros.faults.lane import Lane


@dataclass(frozen=True)
class Done:
    """When a fault began and ended (monotonic s), the feed's stamp at its end, and the stream it was about.

    `named_from`: when it could be named first, where that is not its beginning. `failed`: what else went wrong.
    """

    began: float
    ended: float
    stamp_ns: int
    about: str = ""
    named_from: float = 0.0
    failed: str = ""


Act = Callable[["Lane", random.Random, float], Done]


def _ordered(order: str) -> Act:
    """The fake policy misbehaves for as long as the fault lasts."""

    def act(lane: Lane, rng: random.Random, lasts: float) -> Done:
        began = lane.order(say=f"{ORDER}{order} {rng.random()}")["said"]
        time.sleep(lasts)
        ended = lane.order(say="")
        return Done(began, ended["said"], ended["stamp"])

    return act


def subscriber_gone(lane: Lane, rng: random.Random, lasts: float) -> Done:
    began = time.monotonic()
    lane.ears.leave()
    time.sleep(lasts)
    lane.ears.listen()
    ended = lane.order(say="")
    return Done(began, ended["said"], ended["stamp"])


def driver_stopped(lane: Lane, rng: random.Random, lasts: float) -> Done:
    began = time.monotonic()
    lane.driver.send_signal(signal.SIGSTOP)
    time.sleep(lasts)
    ended = lane.order(say="")
    lane.driver.send_signal(signal.SIGCONT)
    return Done(began, ended["said"], ended["stamp"], named_from=ended["said"])


def world_stopped(lane: Lane, rng: random.Random, lasts: float) -> Done:
    began = time.monotonic()
    lane.feed.send_signal(signal.SIGSTOP)
    time.sleep(lasts)
    lane.feed.send_signal(signal.SIGCONT)
    ended = lane.order(say="")
    return Done(began, ended["said"], ended["stamp"])


def world_killed(lane: Lane, rng: random.Random, lasts: float) -> Done:
    """Ends when DDS has introduced the new sensors to the driver: what they send before is lost to everybody.

    Fast DDS announces a participant five times within half a second, and what misses these meets it 3 s later.
    """
    began = time.monotonic()
    lane.feed.kill()
    time.sleep(lasts)
    lane.restart_feed()
    ended = lane.order(heard=True)
    return Done(began, ended["heard"], ended["stamp"], failed=ended["failed"])


def lifecycle_random(lane: Lane, rng: random.Random, lasts: float) -> Done:
    """Asks for transitions, right ones and wrong ones, at random moments, and brings the node back up."""
    from lifecycle_msgs.msg import Transition
    from lifecycle_msgs.srv import ChangeState, GetState

    def change(transition: int) -> None:
        lane.ears.call(ChangeState, "change_state", ChangeState.Request(transition=Transition(id=transition)))

    began = time.monotonic()
    wanted = (
        Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_ACTIVATE, Transition.TRANSITION_CLEANUP,
        Transition.TRANSITION_CONFIGURE,
    )  # fmt: skip
    for _ in range(rng.randrange(4, 9)):
        change(rng.choice(wanted))
        time.sleep(rng.uniform(0.0, 0.3))
    state = lane.ears.call(GetState, "get_state", GetState.Request())
    up = {"unconfigured": wanted[3:0:-2], "inactive": wanted[1:2], "active": ()}
    failed = "" if state is not None else "no answer from get_state"
    for transition in () if state is None else up.get(state.current_state.label, ()):
        change(transition)
    ended = lane.order(say="")
    return Done(began, ended["said"], ended["stamp"], failed=failed)


def parameters_random(lane: Lane, rng: random.Random, lasts: float) -> Done:
    """Sets parameters while the node drives: every one has to be refused, with a reason."""
    from rcl_interfaces.srv import SetParameters
    from rclpy.parameter import Parameter

    from alpamayo_ros import params

    began = time.monotonic()
    table = [parameter for parameter in params.table() if not parameter.name.startswith(("vla.", "fake."))]
    failed = ""
    for parameter in rng.sample(table, 12):
        value = rng.choice((parameter.default, -1, 0, 1 << 40, 1e9, float("nan"), "", "x" * 5000, True))
        request = SetParameters.Request(parameters=[Parameter(parameter.name, value=value).to_parameter_msg()])
        answer = lane.ears.call(SetParameters, "set_parameters", request)
        if answer is None:
            failed = f"no answer to setting {parameter.name}"
        elif answer.results[0].successful or not answer.results[0].reason:
            failed = f"{parameter.name} := {value!r} while driving: {answer.results[0]}"
    ended = lane.order(say="")
    return Done(began, ended["said"], ended["stamp"], failed=failed)


def rig_swapped_at_start(lane: Lane, rng: random.Random, lasts: float) -> Done:
    """The driver is activated when left and right have already changed places."""
    from lifecycle_msgs.msg import Transition
    from lifecycle_msgs.srv import ChangeState

    def change(transition: int) -> None:
        lane.ears.call(ChangeState, "change_state", ChangeState.Request(transition=Transition(id=transition)))

    change(Transition.TRANSITION_DEACTIVATE)
    lane.order(begin="cameras_swapped", seed=rng.randrange(1 << 30))
    time.sleep(0.5)
    began = time.monotonic()
    change(Transition.TRANSITION_ACTIVATE)
    time.sleep(2.0 + lasts)
    change(Transition.TRANSITION_DEACTIVATE)
    ended = lane.order(end=True)
    change(Transition.TRANSITION_ACTIVATE)
    return Done(began, time.monotonic(), ended["stamp"], rng.choice([r for r in CAMERA_ROLES if "cross" in r]))


ACTS: dict[str, Act] = {
    **{f"policy_{order}": _ordered(word) for order, word in (
        ("raises", "raise"), ("hangs", "hang"), ("nan", "nan"), ("memory", "memory"), ("shape", "shape"),
        ("far", "far"),
    )},
    "subscriber_gone": subscriber_gone,
    "driver_stopped": driver_stopped,
    "world_stopped": world_stopped,
    "world_killed": world_killed,
    "lifecycle_random": lifecycle_random,
    "parameters_random": parameters_random,
    "rig_swapped_at_start": rig_swapped_at_start,
}  # fmt: skip
