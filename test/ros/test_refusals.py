"""What goes wrong is named in diagnostics, costs no more than its tick, and never becomes a plan."""

import time
from dataclasses import replace

import numpy as np
import pytest
from core.drives import START_NS, drive
from diagnostic_msgs.msg import DiagnosticStatus
from ros import fake_policy
from ros.graph import jpeg
from sensor_msgs.msg import CompressedImage
from waiting import wait_for

from alpamayo_ros.contract import Reason

MS = 1_000_000


def refused(graph, reason):
    """How often a reason has been counted, as diagnostics tell it."""
    status = graph.status()
    return int(status[2].get(f"refused.{reason.value}", 0)) if status else 0


def without(stream, after=0.0, until=1e9):
    """A drive that lacks a stream for some of its seconds."""
    return lambda m: not (m.stream == stream and after <= (m.stamp_ns - START_NS) / 1e9 < until)


def slow_camera(m):
    return m.stream != "cross_right" or (m.stamp_ns - START_NS) // (100 * MS) % 2 == 0


TICK_REFUSALS = {
    Reason.CAMERA_MISSING: (drive(3), without("cross_left"), {}),
    Reason.CAMERA_STALE: (drive(4), without("cross_left", after=2), {}),
    Reason.CAMERA_GAP: (drive(3), without("front_tele", 2.05, 2.35), {}),
    Reason.CAMERA_REPEAT: (drive(3), without("front_tele", 2.05, 2.15), {"max_repeats": 0}),
    Reason.CAMERA_SKEW: (drive(3, phases=(0, 0, 0.045, 0)), None, {"max_skew": 0.02}),
    Reason.CAMERA_TOO_SLOW: (drive(5), slow_camera, {}),
    Reason.ODOMETRY_MISSING: (drive(3), without("odometry"), {}),
    Reason.ODOMETRY_STALE: (drive(4), without("odometry", after=2), {}),
    Reason.HISTORY_SHORT: (drive(3), without("odometry", until=0.7), {}),
    Reason.ODOMETRY_GAP: (drive(3), without("odometry", 1.0, 1.4), {}),
}


@pytest.mark.parametrize("reason", TICK_REFUSALS, ids=lambda r: r.value)
def test_a_tick_that_cannot_be_observed_is_refused_by_name(graph, reason):
    messages, keep, parameters = TICK_REFUSALS[reason]
    graph.start(**parameters)
    graph.play([m for m in messages if keep is None or keep(m)])
    wait_for(lambda: refused(graph, reason) > 0)


def test_a_jump_of_the_pose_is_refused_until_it_has_left_the_history(graph):
    messages = [
        replace(m, pose=(m.pose[0] + 50, *m.pose[1:])) if m.pose and m.stamp_ns > START_NS + 2000 * MS else m
        for m in drive(5)
    ]
    graph.start()
    graph.play(messages)
    wait_for(lambda: refused(graph, Reason.ODOMETRY_JUMP) > 5)
    graph.settle()
    assert not [t for t in graph.t0s() if START_NS + 2020 * MS <= t <= START_NS + 3500 * MS]
    assert [t for t in graph.t0s() if t > START_NS + 3600 * MS]


@pytest.mark.parametrize(
    "reason, spoil",
    [
        (Reason.ODOMETRY_NOT_FINITE, lambda pose: (float("nan"), *pose[1:])),
        (Reason.QUATERNION_NOT_UNIT, lambda pose: (*pose[:3], 0.0, 0.0, 0.0, 0.0)),
    ],
    ids=["nan", "quaternion"],
)
def test_bad_odometry_is_named_and_good_odometry_goes_on(graph, reason, spoil):
    messages = []
    for m in drive(4):
        messages.append(m)
        if m.stream == "odometry" and m.stamp_ns % (100 * MS) == 0:
            messages.append(replace(m, stamp_ns=m.stamp_ns + MS, pose=spoil(m.pose)))
    graph.start()
    graph.play(messages)
    wait_for(lambda: refused(graph, reason) > 10)
    assert len(graph.plans) >= 15
    assert all(np.isfinite(p.pose.position.x) for path in graph.paths for p in path.poses)


def test_odometry_that_is_all_bad_is_the_named_state(graph):
    messages = [
        replace(m, pose=(float("nan"),) * 7) if m.pose and m.stamp_ns > START_NS + 2000 * MS else m for m in drive(5)
    ]
    graph.start()
    graph.play(messages)
    wait_for(lambda: any("odometry_not_finite odometry" in s.message for a in graph.diagnostics for s in a.status))


def test_odometry_of_a_foreign_frame_is_refused(graph):
    graph.start()
    graph.play(seconds=2.2)
    for k in range(5):
        graph.odometry(START_NS + (2205 + k) * MS, (0, 0, 0, 0, 0, 0, 1), "map")
    wait_for(lambda: refused(graph, Reason.FRAME_MISMATCH) == 5)


@pytest.mark.parametrize(
    "reason, data",
    [
        (Reason.IMAGE_CORRUPT, jpeg(3)[:200]),
        (Reason.IMAGE_ENCODING, b"neither jpeg nor png"),
        (Reason.IMAGE_ENCODING, b""),
    ],
    ids=["truncated", "garbage", "empty"],
)
def test_a_frame_that_does_not_decode_is_named_and_a_neighbour_stands_in(graph, reason, data):
    def image(message, number):
        bad = message.stream == "cross_left" and (message.stamp_ns - START_NS) // (100 * MS) == 25
        return CompressedImage(format="jpeg", data=data if bad else jpeg(number))

    graph.start()
    graph.play(seconds=4, image=image)
    wait_for(lambda: refused(graph, reason) == 1)
    graph.settle()
    assert all(not (s.camera == "cross_left" and _ms(s.stamp) == 2500) for p in graph.plans for s in p.images)
    assert any(s.stand_in for p in graph.plans for s in p.images)


def _ms(stamp):
    return (stamp.sec * 1000 + stamp.nanosec // MS) - START_NS // MS


def test_a_camera_that_changes_its_size_is_refused_until_the_window_is_of_one_size(graph):
    def image(message, number):
        height = 16 if message.stream != "front_tele" or message.stamp_ns < START_NS + 2000 * MS else 24
        return CompressedImage(format="jpeg", data=jpeg(number, height))

    graph.start()
    graph.play(seconds=4, image=image)
    wait_for(lambda: refused(graph, Reason.OBSERVATION_INVALID) > 0)
    graph.settle()
    assert all(len({i.shape for i in images}) == 1 for o in fake_policy.seen for images in o.images)
    assert graph.t0s()[-1] > START_NS + 3500 * MS


def test_a_stuck_camera_is_stale(graph):
    messages = [
        replace(m, stamp_ns=min(m.stamp_ns, START_NS + 2000 * MS)) if m.stream == "cross_left" else m for m in drive(4)
    ]
    graph.start()
    graph.play(sorted(messages, key=lambda m: m.stamp_ns))
    wait_for(lambda: refused(graph, Reason.CAMERA_STALE) > 5)
    assert int(graph.status("inputs")[2]["cross_left.duplicate"]) > 5


def test_a_zero_stamp_is_refused(graph):
    graph.start()
    graph.image("cross_left", 0)
    wait_for(lambda: refused(graph, Reason.STAMP_INVALID) == 1)


def test_a_policy_that_raises_costs_that_tick_and_is_an_error(graph):
    calls = []

    def sometimes(observation, plan):
        calls.append(observation.t0_ns)
        if len(calls) % 2:
            raise RuntimeError("CUDA error: an illegal memory access")
        return plan

    fake_policy.hook = sometimes
    graph.start(active=False)
    fake_policy.hook = None
    assert graph.driver.trigger_configure().name == graph.driver.trigger_activate().name == "SUCCESS"
    fake_policy.hook = sometimes
    graph.wait_connected()
    graph.play(seconds=4)
    wait_for(lambda: refused(graph, Reason.POLICY_FAILED) > 3)
    assert len(graph.plans) > 3
    levels = {s.level for a in graph.diagnostics for s in a.status if "policy_failed" in s.message}
    assert levels == {DiagnosticStatus.ERROR}


def test_a_plan_that_is_not_finite_is_never_published(graph):
    graph.start()
    fake_policy.hook = lambda _, plan: replace(plan, xyz=plan.xyz * np.nan)
    graph.play(seconds=3)
    wait_for(lambda: refused(graph, Reason.PLAN_INVALID) > 5)
    assert not graph.plans and not graph.paths


def test_a_policy_that_hangs_is_given_up_and_a_fresh_worker_takes_over(graph):
    hung = []

    def hang_once(observation, plan):
        if not hung:
            hung.append(observation.t0_ns)
            time.sleep(1.5)
        return plan

    graph.start(policy_timeout=0.3)
    fake_policy.hook = hang_once
    graph.play(seconds=7, speed=2.0)
    wait_for(lambda: refused(graph, Reason.POLICY_TIMEOUT) >= 1)
    graph.settle()
    assert hung[0] not in graph.t0s() and len(graph.plans) > 5


def test_a_plan_that_is_too_old_is_not_published(graph):
    def slow(_, plan):
        time.sleep(0.3)
        return plan

    graph.start(max_plan_age=0.2)
    fake_policy.hook = slow
    graph.play(seconds=3, speed=1.0)
    wait_for(lambda: refused(graph, Reason.PLAN_TOO_OLD) > 2)
    assert not graph.plans


def test_diagnostics_name_rates_ages_latency_and_state(graph):
    graph.start()
    graph.play(seconds=4, rates=(30, 20, 15, 10), odometry_rate=50)
    wait_for(lambda: graph.status() and graph.status()[1] == "planning")
    level, _, plans = graph.status()
    assert level == DiagnosticStatus.OK
    assert {"epoch", "latency_p50", "latency_p95", "windows_replaced", "last_refusal"} <= set(plans)
    _, message, inputs = graph.status("inputs")
    assert message == "all streams"
    rates = [float(inputs[f"{s}.rate"]) for s in ("cross_left", "front_wide", "cross_right", "front_tele", "odometry")]
    assert np.allclose(rates, (30, 20, 15, 10, 50), rtol=0.05)


def test_a_change_of_state_is_published_at_once(graph):
    graph.start(diagnostics_period=60.0)
    graph.play(seconds=3)
    wait_for(lambda: graph.status() and graph.status()[1] == "planning", timeout=3)
    graph.play([m for m in drive(3, start_ns=START_NS + 3000 * MS) if without("cross_left", after=0)(m)])
    wait_for(lambda: "camera_stale cross_left" in graph.status()[1], timeout=3)
