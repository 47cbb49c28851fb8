import threading
import time
from types import SimpleNamespace

import pytest

from alpamayo_ros.contract import Reason
from alpamayo_ros.worker import MAX_ABANDONED, Worker


def window(t0, epoch=0):
    return SimpleNamespace(t0_ns=t0, epoch=epoch)


class Bench:
    """A worker whose runs wait for a gate, and what it delivered."""

    def __init__(self, timeout=60.0):
        self.gate, self.started, self.delivered = threading.Semaphore(0), threading.Semaphore(0), []
        self.now = 0.0
        self.worker = Worker(self.run, self.deliver, timeout, clock=lambda: self.now)
        self.worker.start()

    def run(self, window):
        self.started.release()
        assert self.gate.acquire(timeout=10)
        return window.t0_ns

    def deliver(self, result):
        self.delivered.append(result)

    def settle(self, count):
        deadline = time.monotonic() + 5
        while len(self.delivered) < count and time.monotonic() < deadline:
            time.sleep(0.001)


@pytest.fixture
def bench():
    made = Bench(timeout=1.0)
    yield made
    for _ in range(20):
        made.gate.release()
    made.worker.stop(5)


def wait_started(bench):
    assert bench.started.acquire(timeout=5)


def test_the_newest_window_wins(bench):
    bench.worker.offer(window(1))
    wait_started(bench)
    for t0 in (2, 3, 4):
        bench.worker.offer(window(t0))
    bench.gate.release()
    bench.gate.release()
    bench.settle(2)
    assert bench.delivered == [1, 4] and bench.worker.counts.replaced == 2


def test_a_result_of_an_ended_epoch_is_dropped(bench):
    bench.worker.offer(window(1))
    wait_started(bench)
    bench.worker.offer(window(2))
    bench.worker.new_epoch(1)
    bench.worker.offer(window(3, epoch=1))
    bench.gate.release()
    bench.gate.release()
    bench.settle(1)
    assert bench.delivered == [3] and bench.worker.counts.outdated == 1


def test_a_hanging_run_is_given_up_and_a_fresh_thread_takes_over(bench):
    bench.worker.offer(window(1))
    wait_started(bench)
    assert bench.worker.watch() is None
    bench.now = 2.0
    assert bench.worker.watch().reason is Reason.POLICY_TIMEOUT
    assert bench.worker.watch() is None
    bench.worker.offer(window(2))
    wait_started(bench)
    bench.gate.release()
    bench.gate.release()
    bench.settle(1)
    time.sleep(0.02)
    assert bench.delivered == [2] and bench.worker.counts.timed_out == 1


def test_threads_that_hang_are_not_piled_up(bench):
    before = threading.active_count()
    for t0 in range(10):
        bench.worker.offer(window(t0))
        if t0 <= MAX_ABANDONED:
            wait_started(bench)
        bench.now += 2.0
        refused = bench.worker.watch()
        assert refused.reason is Reason.POLICY_TIMEOUT
    assert "no further one" in refused.detail
    assert threading.active_count() - before == MAX_ABANDONED


def test_stopping_ends_an_idle_worker_at_once():
    idle = Bench()
    assert idle.worker.stop(5)


def test_stopping_does_not_wait_for_a_busy_one(bench):
    bench.worker.offer(window(1))
    wait_started(bench)
    assert not bench.worker.stop(0.01)
    bench.gate.release()
    assert bench.worker.stop(5)
    assert bench.delivered == []


def test_background_work_runs_in_steps_while_nothing_waits(bench):
    steps = []

    def step():
        steps.append(len(bench.delivered))
        return len(steps) < 5

    bench.worker.in_background(step)
    deadline = time.monotonic() + 5
    while len(steps) < 5 and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.01)
    assert len(steps) == 5


def test_a_window_goes_before_the_next_step_of_background_work(bench):
    before, first = [], threading.Event()

    def step():
        before.append(len(bench.delivered))
        first.set()
        time.sleep(0.02)
        return len(before) < 6

    bench.worker.in_background(step)
    assert first.wait(5)
    bench.gate.release()
    bench.worker.offer(window(1))
    bench.settle(1)
    deadline = time.monotonic() + 5
    while len(before) < 6 and time.monotonic() < deadline:
        time.sleep(0.001)
    assert before[0] == 0 and before[-1] == 1 and before.count(0) <= 2


def test_background_work_that_hangs_is_given_up(bench):
    hung = threading.Event()
    bench.worker.in_background(lambda: hung.wait(10))
    deadline = time.monotonic() + 5
    while bench.worker._running is None and time.monotonic() < deadline:
        time.sleep(0.001)
    bench.now = 2.0
    assert bench.worker.watch().reason is Reason.POLICY_TIMEOUT
    bench.gate.release()
    bench.worker.offer(window(1))
    bench.settle(1)
    assert bench.delivered == [1]
    hung.set()
