"""The thread that takes cameras and odometry and keeps their time, apart from the node's executor.

rclpy's executor builds its wait set anew, twice, for every message: with all that a lifecycle node has, a millisecond
each, a hundred and sixty times a second. Here the wait set holds the inputs alone, and is kept. Their events
(incompatible QoS and the like) are looked at once a second: who waits for them is woken by every message too.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.context import Context
from rclpy.guard_condition import GuardCondition
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.subscription import Subscription

from alpamayo_ros.buffers import taker

WaitSet = rclpy_implementation.WaitSet

# A context that is shut down wakes nobody, so a wait lasts no longer than this (s).
LONGEST_WAIT = 0.2
EVENTS_PERIOD = 1.0
SECOND_NS = 1_000_000_000

_log = logging.getLogger(__name__)


@dataclass
class _Timer:
    period: float
    act: Callable[[], None]
    due: float


class Intake:
    """Calls back with every message of its subscriptions, and at steady periods, on a thread of its own.

    No executor may wait for its subscriptions.
    """

    def __init__(self, context: Context):
        self._context = context
        self._take = taker()
        self._inputs: list[tuple[Subscription, Callable[[memoryview | bytes, bytes | None], None]]] = []
        self._timers = [_Timer(EVENTS_PERIOD, self._look_at_events, time.monotonic())]
        self._ending = GuardCondition(None, MutuallyExclusiveCallbackGroup(), context)
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="alpamayo-intake", daemon=True)

    def listen(self, subscription: Subscription, callback: Callable[[memoryview | bytes, bytes | None], None]) -> None:
        """`callback(bytes, publisher)` for each of its messages. Before `start`."""
        self._inputs.append((subscription, callback))

    def every(self, period: float, act: Callable[[], None]) -> None:
        """`act()` every `period` seconds of the steady clock. Before `start`."""
        self._timers.append(_Timer(period, act, time.monotonic() + period))

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread, once its callback returns."""
        self._ended = True
        self._ending.trigger()
        self._thread.join()
        self._ending.destroy()

    def _run(self) -> None:
        with ExitStack() as held:  # nobody destroys meanwhile what is waited for
            for handle in (self._context.handle, self._ending.handle, *(each.handle for each, _ in self._inputs)):
                held.enter_context(handle)
            self._wait_set = WaitSet(len(self._inputs), 1, 0, 0, 0, 0, self._context.handle)
            while not self._ended and self._context.ok():
                try:
                    self._turn()
                except Exception:
                    if self._context.ok():
                        _log.error("an input's callback failed:\n%s", traceback.format_exc())

    def _turn(self) -> None:
        """Waits for the first message or the next timer, and serves whatever is there."""
        self._wait_set.clear_entities()
        for subscription, _ in self._inputs:
            self._wait_set.add_subscription(subscription.handle)
        self._wait_set.add_guard_condition(self._ending.handle)
        due = min(timer.due for timer in self._timers)
        self._wait_set.wait(int(SECOND_NS * min(LONGEST_WAIT, max(0.0, due - time.monotonic()))))
        for index, (subscription, callback) in enumerate(self._inputs):
            if self._wait_set.is_ready("subscription", index) and not self._ended:
                taken = self._take(subscription)
                if taken is not None:
                    callback(*taken)
        for timer in self._timers:
            now = time.monotonic()
            if now >= timer.due and not self._ended:
                timer.due = max(timer.due + timer.period, now)
                timer.act()

    def _look_at_events(self) -> None:
        """Incompatible publishers and the like, which rclpy warns of."""
        events = [handler for subscription, _ in self._inputs for handler in subscription.event_handlers]
        wait_set = WaitSet(0, 0, 0, 0, 0, len(events), self._context.handle)
        with ExitStack() as held:
            wait_set.clear_entities()
            for event in events:
                held.enter_context(event)
                event.add_to_wait_set(wait_set)
            wait_set.wait(0)
            for event in events:
                if event.is_ready(wait_set):
                    with suppress(StopIteration):  # a coroutine that waits for nothing
                        event.execute(event.take_data()).send(None)
