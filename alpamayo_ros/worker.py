"""The one thread that decodes and infers, its one-slot mailbox, and the epoch that decides what still counts.

Newest wins: a window that waits is replaced by a newer one. A result is delivered only if its epoch is still the
current one and its thread has not been given up. A call that outlasts the timeout cannot be stopped, so its result
is disowned and a fresh thread takes over. No ROS here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from alpamayo_ros.contract import NotReady, Reason
from alpamayo_ros.window import Window

# Threads that hang in a policy hold its memory; with this many given up, another would only hang as well.
MAX_ABANDONED = 3


R = TypeVar("R")


@dataclass
class WorkerCounts:
    """What has become of the windows that were offered."""

    delivered: int = 0
    replaced: int = 0  # by a newer window, before the worker came to it
    outdated: int = 0  # results of an ended epoch
    timed_out: int = 0


class Worker(Generic[R]):
    """Runs windows one at a time on its own thread.

    Args:
        run: a window's work; must not raise.
        deliver: takes each result, on the worker's thread, while no epoch can end: brief, and must not raise.
        timeout: seconds that one `run` may take before it is given up.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        run: Callable[[Window], R],
        deliver: Callable[[R], None],
        timeout: float,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._run = run
        self._deliver = deliver
        self._timeout = timeout
        self._clock = clock
        self._changed = threading.Condition()
        self._waiting: Window | None = None
        self._running: tuple[int | None, float] | None = None  # t0 of a window (None: background work), since when
        self._background: Callable[[], bool] | None = None
        self._epoch = 0
        self._generation = 0
        self._abandoned: list[threading.Thread] = []
        self._thread: threading.Thread | None = None
        self._stopped = False
        self.counts = WorkerCounts()

    @property
    def epoch(self) -> int:
        return self._epoch

    def start(self) -> None:
        self._spawn()

    def offer(self, window: Window) -> None:
        """Hands a window over; one that still waits is replaced. Returns at once."""
        with self._changed:
            if self._waiting is not None:
                self.counts.replaced += 1
            self._waiting = window
            self._changed.notify_all()

    def in_background(self, step: Callable[[], bool]) -> None:
        """Calls `step` again and again while no window waits, until it returns False. It must be brief and not raise.

        It replaces background work that is still going on.
        """
        with self._changed:
            self._background = step
            self._changed.notify_all()

    def new_epoch(self, epoch: int) -> None:
        """Only windows of `epoch` count from now on."""
        with self._changed:
            self._epoch = epoch
            if self._waiting is not None and self._waiting.epoch != epoch:
                self._waiting = None

    def watch(self) -> NotReady | None:
        """Gives up a run that outlasted the timeout. To be called now and then, from any other thread."""
        with self._changed:
            if self._running is None or self._clock() - self._running[1] < self._timeout:
                return None
            t0_ns, since = self._running
            self._abandoned = [thread for thread in self._abandoned if thread.is_alive()]
            numbers = {"timeout": self._timeout, "after": self._clock() - since, "hanging": len(self._abandoned) + 1.0}
            if len(self._abandoned) >= MAX_ABANDONED:
                detail = "and so did the threads before it; no further one is started until one of them returns"
                return NotReady(Reason.POLICY_TIMEOUT, "", detail, numbers, t0_ns)
            self.counts.timed_out += 1
            self._running = None
            self._background = None  # if it was this that hung, it would hang again
            if self._thread is not None:
                self._abandoned.append(self._thread)
            self._spawn()
        return NotReady(Reason.POLICY_TIMEOUT, "", "its result is dropped, a fresh thread took over", numbers, t0_ns)

    def stop(self, timeout: float) -> bool:
        """Ends the thread; False where it did not end within `timeout` seconds (it is busy, and a daemon)."""
        with self._changed:
            self._stopped = True
            self._waiting = None
            self._generation += 1
            self._changed.notify_all()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout)
        return not any(thread.is_alive() for thread in (self._thread, *self._abandoned) if thread is not None)

    def _spawn(self) -> None:
        self._generation += 1
        name = f"alpamayo-worker-{self._generation}"
        self._thread = threading.Thread(target=self._work, args=(self._generation,), name=name, daemon=True)
        self._thread.start()

    def _work(self, generation: int) -> None:
        while True:
            work = self._next(generation)
            if work is None:
                return
            if callable(work):
                self._run_step(work, generation)
            else:
                self._run_window(work, generation)

    def _run_window(self, window: Window, generation: int) -> None:
        result = self._run(window)
        with self._changed:
            if generation != self._generation:
                return
            self._running = None
            if window.epoch != self._epoch:
                self.counts.outdated += 1
                return
            self.counts.delivered += 1
            self._deliver(result)

    def _run_step(self, step: Callable[[], bool], generation: int) -> None:
        more = step()
        with self._changed:
            if generation == self._generation:
                self._running = None
            if not more and self._background is step:
                self._background = None

    def _next(self, generation: int) -> Window | Callable[[], bool] | None:
        """The next window, else a step of background work; None when this thread is no longer the one."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._waiting is not None or self._background is not None or generation != self._generation
            )
            if generation != self._generation:
                return None
            if self._waiting is None:
                self._running = (None, self._clock())
                return self._background
            window, self._waiting = self._waiting, None
            self._running = (window.t0_ns, self._clock())
            return window
