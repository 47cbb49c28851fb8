"""Clock jumps, looped bags, resets: histories empty, and no result of the old epoch comes out."""

import threading
import time

import pytest
from core.drives import START_NS, drive
from ros import fake_policy
from waiting import wait_for

MS = 1_000_000


def test_three_laps_of_a_looped_bag_plan_alike(graph):
    graph.start()
    laps = []
    for _ in range(3):
        before = len(graph.plans)
        graph.play(seconds=4)
        graph.settle()
        laps.append(graph.plans[before:])
    assert [len(lap) >= 20 for lap in laps] == [True] * 3
    assert len({plan.epoch for lap in laps for plan in lap}) == 3
    shared = set.intersection(*({(p.header.stamp.sec, p.header.stamp.nanosec) for p in lap} for lap in laps))
    assert len(shared) >= 18
    for key in shared:
        paths = [next(p for p in lap if (p.header.stamp.sec, p.header.stamp.nanosec) == key) for lap in laps]
        assert paths[0].samples == paths[1].samples == paths[2].samples


def gate_policy():
    """The policy waits for the gate; `entered` tells that it is inside."""
    gate, entered = threading.Event(), threading.Event()

    def wait(_, plan):
        entered.set()
        assert gate.wait(20)
        return plan

    fake_policy.hook = wait
    return gate, entered


@pytest.mark.parametrize("jump_s", [-100, 100])
def test_a_clock_jump_drops_the_result_in_flight(graph, jump_s):
    graph.start(use_sim_time=True)
    graph.clock(START_NS)
    wait_for(lambda: graph.driver.get_clock().now().nanoseconds == START_NS)
    gate, entered = gate_policy()
    epoch = graph.driver._session.observer.epoch
    graph.play(seconds=2.0, speed=4.0)
    assert entered.wait(5)
    graph.clock(START_NS + jump_s * 1000 * MS)
    wait_for(lambda: graph.driver._session._worker.epoch == epoch + 1)
    assert "/clock jumped" in graph.driver._session.observer.epoch_cause
    gate.set()
    wait_for(lambda: graph.driver._session._worker.counts.outdated == 1)
    graph.settle()
    assert not graph.plans


def test_a_steady_clock_begins_no_epoch(graph):
    graph.start(use_sim_time=True)
    for k in range(20):
        graph.clock(START_NS + k * 100 * MS)
        time.sleep(0.01)
    graph.settle()
    epoch = graph.driver._session.observer.epoch
    for k in range(20, 40):
        graph.clock(START_NS + k * 100 * MS)
        time.sleep(0.01)
    graph.settle()
    assert graph.driver._session.observer.epoch == epoch


def test_a_rewind_of_the_stamps_drops_the_result_in_flight(graph):
    graph.start()
    gate, entered = gate_policy()
    epoch = graph.driver._session.observer.epoch
    graph.play(seconds=2.0, speed=4.0)
    assert entered.wait(5)
    graph.play(drive(0.5, start_ns=START_NS - 60_000 * MS), speed=4.0)
    wait_for(lambda: graph.driver._session._worker.epoch > epoch)
    gate.set()
    wait_for(lambda: graph.driver._session._worker.counts.outdated == 1)
    graph.settle()
    assert not graph.plans


def test_reset_empties_the_histories(graph):
    graph.start()
    graph.play(seconds=3)
    graph.settle()
    answer = graph.reset()
    assert answer.success and answer.message == f"epoch {graph.driver._session.observer.epoch}"
    before = len(graph.plans)
    graph.play(drive(1.0, start_ns=START_NS + 3000 * MS))
    graph.settle()
    assert len(graph.plans) == before, "a history of 1.5 s cannot be there 1 s after a reset"


def test_activation_begins_a_new_epoch(graph):
    graph.start()
    first = graph.driver._session.observer.epoch
    graph.driver.trigger_deactivate()
    graph.driver.trigger_activate()
    assert graph.driver._session.observer.epoch > first
