from dataclasses import replace

import numpy as np
import pytest
from core import rule_oracle
from core.drives import START_NS, drive, feed, pose_at
from hypothesis import given, settings
from hypothesis import strategies as st

from alpamayo_ros.contract import CAMERA_ROLES, REFERENCE_ROLE, NotReady, Reason
from alpamayo_ros.history import centred
from alpamayo_ros.observer import Observer, ObserverConfig
from alpamayo_ros.slots import SlotRule
from alpamayo_ros.timeline import Push
from alpamayo_ros.window import Window, without

MS = 1_000_000


def windows(outcomes):
    return [outcome for outcome in outcomes if isinstance(outcome, Window)]


def reasons(outcomes, after=0.0):
    """Names of refusals of ticks later than `after` seconds of the drive."""
    return [
        outcome.reason
        for outcome in outcomes
        if isinstance(outcome, NotReady) and (outcome.t0_ns or 0) > START_NS + after * 1e9
    ]


def observe(config=None, **how):
    return feed(Observer(config), drive(**how))


def test_a_clean_drive_gives_a_window_on_every_tick_of_the_grid():
    got = windows(observe(seconds=4))
    assert len(got) >= 24
    steps = np.diff([window.t0_ns for window in got])
    assert np.all(steps == 100 * MS)
    for window in got:
        assert tuple(window.frames) == CAMERA_ROLES
        assert np.all(window.offsets_ns == 0)
        assert not any(any(flags) for flags in window.stand_in.values())


def test_consecutive_windows_share_twelve_of_sixteen_images():
    first, second = windows(observe(seconds=3, rates=(30, 30, 20, 10)))[:2]
    shared = {id(f) for role in first.frames for f in first.frames[role]} & {
        id(f) for role in second.frames for f in second.frames[role]
    }
    assert len(shared) == 12


def test_the_history_is_interpolated_at_the_sixteen_times():
    messages = drive(seconds=3, odometry_rate=37, phases=(0.013, 0.021, 0.005, 0.0))
    window = windows(feed(Observer(), messages))[0]
    xyz, rotation = centred(window.poses)
    expected_xyz, expected_rotation = rule_oracle.history(messages, window.t0_ns)
    assert np.allclose(xyz, expected_xyz, atol=1e-7) and np.allclose(rotation, expected_rotation, atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(
    rates=st.tuples(*[st.sampled_from([8.0, 10.0, 12.5, 15.0, 20.0, 30.0, 60.0])] * 4),
    odometry_rate=st.sampled_from([10.0, 25.0, 50.0, 110.0]),
    jitter=st.sampled_from([0.0, 0.002, 0.006]),
    loss=st.sampled_from([0.0, 0.05, 0.2]),
    phases=st.tuples(*[st.floats(0, 0.1)] * 4),
    late=st.sampled_from([0.0, 0.06, 0.15]),
    pick=st.sampled_from(["nearest", "at_or_before"]),
    max_repeats=st.integers(0, 1),
    seed=st.integers(0, 1000),
)
def test_frames_and_poses_equal_the_rules_brute_force(
    rates, odometry_rate, jitter, loss, phases, late, pick, max_repeats, seed
):
    latency = {"cross_left": 0.01 + late, "odometry": 0.03}
    messages = drive(2.6, rates, odometry_rate, jitter, loss, latency, seed, phases)
    rule = SlotRule(pick, max_repeats=max_repeats)
    outcomes = feed(Observer(ObserverConfig(slots=rule)), messages)
    expected = rule_oracle.windows(messages, CAMERA_ROLES, REFERENCE_ROLE, pick=pick, max_repeats=max_repeats)
    assert [o.t0_ns for o in outcomes] == [t0 for t0, _ in expected]
    for outcome, (_, frames) in zip(outcomes, expected, strict=True):
        if frames is None:
            assert isinstance(outcome, NotReady)
            continue
        assert isinstance(outcome, Window), str(outcome)
        assert {role: tuple(f.stamp_ns for f in fs) for role, fs in outcome.frames.items()} == frames
        xyz, rotation = centred(outcome.poses)
        expected_xyz, expected_rotation = rule_oracle.history(messages, outcome.t0_ns)
        assert np.allclose(xyz, expected_xyz, atol=1e-6) and np.allclose(rotation, expected_rotation, atol=1e-8)


@pytest.mark.parametrize("rates", [(10, 10, 10, 10), (30, 20, 15, 10), (30, 30, 30, 30), (10, 30, 20, 60)])
@pytest.mark.parametrize("jitter", [0.0, 0.003])
def test_nine_ticks_in_ten_plan_at_five_percent_loss(rates, jitter):
    outcomes = observe(seconds=40, rates=rates, loss=0.05, jitter=jitter, seed=3)
    ticks = [o for o in outcomes if o.t0_ns > START_NS + 2e9]
    assert len(windows(ticks)) >= 0.9 * len(ticks) > 300


def test_a_stand_in_is_flagged():
    messages = [m for m in drive(3) if not (m.stream == "cross_right" and m.stamp_ns == START_NS + 2000 * MS)]
    flagged = [w for w in windows(feed(Observer(), messages)) if any(w.stand_in["cross_right"])]
    assert flagged
    for window in flagged:
        number = window.stand_in["cross_right"].index(True)
        assert window.t0_ns - (3 - number) * 100 * MS == START_NS + 2000 * MS
        assert abs(window.offsets_ns[2, number]) == 100 * MS


def test_a_time_offset_moves_a_camera_on_the_time_axis():
    messages = [replace(m, stamp_ns=m.stamp_ns + 55 * MS) if m.stream == "front_tele" else m for m in drive(3)]
    config = ObserverConfig(time_offset_ns={"front_tele": -55 * MS})
    assert np.all(windows(feed(Observer(config), messages))[0].offsets_ns == 0)
    assert windows(feed(Observer(), messages))[0].offsets_ns[3, 3] != 0


def test_a_missing_camera_is_named():
    messages = [m for m in drive(3) if m.stream != "cross_left"]
    got = feed(Observer(), messages)
    assert not windows(got) and set(reasons(got)) == {Reason.CAMERA_MISSING}
    assert got[-1].stream == "cross_left"


def test_a_camera_that_dies_is_stale_with_its_age():
    messages = [m for m in drive(5) if not (m.stream == "cross_left" and m.stamp_ns > START_NS + 3000 * MS)]
    got = feed(Observer(), messages)
    assert {Reason.CAMERA_STALE} == set(reasons(got, after=3.3))
    assert got[-1].numbers["behind"] > 1.0


def test_a_stuck_camera_that_repeats_its_stamp_is_stale():
    messages = [
        replace(m, stamp_ns=min(m.stamp_ns, START_NS + 3000 * MS)) if m.stream == "cross_left" else m for m in drive(5)
    ]
    observer = Observer()
    assert {Reason.CAMERA_STALE} == set(reasons(feed(observer, messages), after=3.3))
    assert observer.tally["cross_left", Push.DUPLICATE] > 10


def test_a_slow_camera_is_named_with_its_rate():
    got = observe(seconds=5, rates=(10, 10, 6, 10))
    slow = [o for o in got if isinstance(o, NotReady) and o.reason is Reason.CAMERA_TOO_SLOW]
    assert slow and slow[-1].stream == "cross_right" and slow[-1].numbers["rate"] == pytest.approx(6, abs=0.1)
    assert not windows(got)


def test_an_eight_hertz_rig_plans():
    got = observe(seconds=6, rates=(8, 8, 8, 8), phases=(0, 0.02, 0.04, 0.06))
    assert len(windows(got)) >= 30


def test_cameras_too_far_apart_are_skewed():
    config = ObserverConfig(max_skew_ns=40 * MS)
    got = observe(config, seconds=3, phases=(0, 0, 0.048, 0))
    refused = [o for o in got if isinstance(o, NotReady) and o.reason is Reason.CAMERA_SKEW]
    assert refused and refused[-1].numbers["skew"] == pytest.approx(0.048)


def test_a_hole_in_a_camera_is_a_gap():
    hole = range(START_NS + 2350 * MS, START_NS + 2650 * MS)
    messages = [m for m in drive(4) if not (m.stream == "front_tele" and m.stamp_ns in hole)]
    assert {Reason.CAMERA_GAP, Reason.CAMERA_REPEAT, Reason.CAMERA_STALE} >= set(
        reasons(feed(Observer(), messages), after=2)
    )
    assert reasons(feed(Observer(), messages), after=2)


def test_late_odometry_is_waited_for_and_then_stale():
    assert windows(observe(seconds=3, latency={"odometry": 0.07}))
    got = observe(seconds=4, latency={"odometry": 0.3})
    assert not windows(got) and Reason.ODOMETRY_STALE in reasons(got, after=2)


def test_a_camera_that_comes_within_max_wait_makes_it_into_its_own_tick():
    got = windows(observe(seconds=3, latency={"cross_left": 0.09}))
    assert got and all(np.all(w.offsets_ns == 0) for w in got)


def test_a_zero_stamp_is_refused_by_stream():
    observer = Observer()
    assert observer.push_frame("cross_left", 0, b"")[0].reason is Reason.STAMP_INVALID
    assert observer.push_odometry(0, pose_at(0.0))[0].stream == "odometry"


def test_bad_odometry_is_refused_and_does_not_spoil_the_history():
    observer, got = Observer(), []
    for number, message in enumerate(drive(4)):
        got += feed(observer, [message])
        if number % 50 == 0:
            nan = (float("nan"), *message.pose[1:]) if message.pose else (float("nan"),) * 7
            refused = observer.push_odometry(message.stamp_ns + 1, nan, "odom", "base_link")
            assert [r.reason for r in refused] == [Reason.ODOMETRY_NOT_FINITE]
    assert len(windows(got)) >= 24


@pytest.mark.parametrize("laps", [3])
def test_every_lap_of_a_looped_bag_plans_alike(laps):
    observer, lap = Observer(), drive(4)
    offsets = []
    for _ in range(laps):
        got = windows(feed(observer, lap))
        offsets.append([(w.t0_ns, w.offsets_ns.tolist()) for w in got])
    assert len(offsets[0]) >= 24
    assert offsets[1] == offsets[0] and offsets[2] == offsets[0]
    assert observer.epoch >= laps - 1 and "went back" in observer.epoch_cause


def test_a_forward_jump_of_odometry_begins_an_epoch_and_plans_again():
    observer = Observer()
    feed(observer, drive(3))
    got = feed(observer, drive(3, start_ns=START_NS + 60_000 * MS))
    assert observer.epoch == 1 and "jumped forward" in observer.epoch_cause
    assert len(windows(got)) >= 10


def test_no_window_mixes_epochs():
    observer = Observer()
    feed(observer, drive(3))
    for window in windows(feed(observer, drive(3, start_ns=START_NS - 40_000 * MS))):
        assert window.stamps_ns.max() < START_NS - 30_000 * MS


def test_odometry_of_another_frame_is_refused_until_the_first_one_falls_silent():
    observer = Observer()
    feed(observer, drive(2))
    stamp = START_NS + 2010 * MS
    refused = observer.push_odometry(stamp, pose_at(0.0), "map", "base_link")
    assert [r.reason for r in refused] == [Reason.FRAME_MISMATCH] and "map -> base_link" in refused[0].detail
    assert observer.push_odometry(stamp + 1500 * MS, pose_at(0.0), "map", "base_link") == []
    assert observer.epoch == 1


def test_out_of_order_and_duplicate_frames_are_put_in_their_place():
    messages = drive(3)
    shuffled = []
    for message in messages:
        at = len(shuffled) - 3 if message.stream == "front_tele" and len(shuffled) > 3 else len(shuffled)
        shuffled.insert(at, message)
        if message.stream == "cross_left":
            shuffled.append(message)
    got = windows(feed(Observer(), shuffled))
    assert [w.t0_ns for w in got] == [w.t0_ns for w in windows(feed(Observer(), messages))]


def test_memory_is_bounded():
    observer = Observer()
    feed(observer, drive(30, rates=(60, 60, 60, 60), odometry_rate=400))
    assert all(len(line) <= 62 for line in observer._cameras.values())
    assert len(observer._odometry) <= 1002
    assert len(observer._ticks) <= 2


def test_a_refused_frame_is_struck_out_and_the_next_one_tried():
    window = windows(observe(seconds=3, rates=(30, 30, 30, 30)))[0]
    refused = window.frames["cross_left"][3]
    again = without(window, refused)
    assert isinstance(again, Window)
    assert refused not in again.frames["cross_left"]
    assert abs(again.offsets_ns[0, 3]) <= 34 * MS
    assert again.frames["front_wide"] == window.frames["front_wide"]


def test_striking_out_too_much_is_a_gap():
    window = windows(observe(seconds=3))[0]
    outcome = window
    while isinstance(outcome, Window):
        outcome = without(outcome, outcome.frames["cross_left"][0])
    assert outcome.reason in (Reason.CAMERA_GAP, Reason.CAMERA_REPEAT) and outcome.stream == "cross_left"


def test_the_command_of_the_moment_travels_with_the_window():
    observer, messages = Observer(), drive(3)
    half = len(messages) * 5 // 6
    feed(observer, messages[:half])
    observer.command = "turn left"
    assert {w.command for w in windows(feed(observer, messages[half:]))} == {"turn left"}


def test_a_subset_of_cameras_can_be_observed():
    config = ObserverConfig(roles=("front_wide", "front_tele"))
    messages = [m for m in drive(3) if m.stream in ("front_wide", "front_tele", "odometry")]
    assert tuple(windows(feed(Observer(config), messages))[0].frames) == ("front_wide", "front_tele")
