from dataclasses import replace

import cv2
import numpy as np
import pytest
from core.drives import drive, feed
from core.ros_bytes import compressed

from alpamayo_ros.checks import check_observation, check_plan
from alpamayo_ros.contract import CAMERA_ROLES, Reason, make_example
from alpamayo_ros.geometry import Pose, quaternion_from_yaw
from alpamayo_ros.imaging import decode_compressed
from alpamayo_ros.observer import Observer
from alpamayo_ros.policies.baseline import Baseline
from alpamayo_ros.tick import Decoding, Refused, Tick, TickRunner
from alpamayo_ros.window import Window


def jpeg(value, height=16, width=24):
    return cv2.imencode(".jpg", np.full((height, width, 3), value % 256, np.uint8))[1].tobytes()


def windows(payload=lambda message, number: compressed(jpeg(number * 16)), seconds=3.0):
    observer, got, numbers = Observer(), [], dict.fromkeys(CAMERA_ROLES, 0)
    for message in drive(seconds):
        if message.stream == "odometry":
            got += feed(observer, [message])
        else:
            data = payload(message, numbers[message.stream])
            numbers[message.stream] += 1
            got += observer.push_frame(message.stream, message.stamp_ns, data)
    return [w for w in got if isinstance(w, Window)]


def runner(policy=None, **options):
    decoding = Decoding(dict.fromkeys(CAMERA_ROLES, decode_compressed), threads=2)
    return TickRunner(policy or Baseline(), decoding, **options)


class FakePolicy:
    """A fake at the policy seam: gives what it is told to."""

    name = "fake"

    def __init__(self, answer):
        self.answer, self.resets = answer, 0

    def __call__(self, observation):
        return self.answer(observation)

    def reset(self):
        self.resets += 1

    def close(self):
        pass


def test_a_window_becomes_a_checked_plan():
    window = windows()[0]
    tick = runner()(window)
    assert isinstance(tick, Tick)
    assert tick.observation.images[1][3].shape == (16, 24, 3)
    assert check_observation(tick.observation) is None and check_plan(tick.plan, tick.observation) is None
    assert tick.plan.t0_ns == window.t0_ns and {"decode", "policy"} <= set(tick.plan.timings)


def test_each_image_is_decoded_once_and_shared_by_the_next_tick():
    run, three = runner(), windows()[:3]
    ticks = [run(window) for window in three]
    assert run.decoding.decoded == 16 + 4 + 4
    assert ticks[0].observation.images[0][1] is ticks[1].observation.images[0][0]


def test_a_corrupt_frame_is_named_and_its_neighbour_stands_in():
    bad = {}

    def payload(message, number):
        data = compressed(jpeg(number * 16))
        if message.stream == "cross_left" and number == 16:
            data = compressed(jpeg(number * 16)[:300])
            bad["stamp"] = message.stamp_ns
        return data

    run = runner()
    results = [run(w) for w in windows(payload)]
    assert all(isinstance(r, Tick) for r in results)
    named = [refused for r in results for refused in r.refused]
    assert [n.reason for n in named] == [Reason.IMAGE_CORRUPT] and named[0].stream == "cross_left"
    standing_in = [r for r in results if r.observation.stand_in[0].any()]
    assert len(standing_in) == 4
    assert all(bad["stamp"] not in r.observation.stamps_ns[0] for r in results)


def test_a_camera_whose_frames_are_all_corrupt_refuses_the_tick():
    result = runner()(
        windows(lambda m, n: compressed(jpeg(n)[:200]) if m.stream == "front_tele" else compressed(jpeg(n)))[0]
    )
    assert isinstance(result, Refused) and result.reason.stream == "front_tele"
    assert result.reason.reason in (Reason.CAMERA_GAP, Reason.CAMERA_REPEAT) and len(result.refused) >= 2


def test_images_of_two_sizes_in_one_window_are_refused():
    window = windows(lambda m, n: compressed(jpeg(n, 16 if n < 15 else 20)))[0]
    result = runner()(window)
    assert result.reason.reason is Reason.OBSERVATION_INVALID and "in one window" in result.reason.detail


def test_a_policy_that_raises_costs_its_tick_and_is_named_with_its_traceback():
    def raise_(_):
        raise RuntimeError("CUDA out of memory")

    result = runner(FakePolicy(raise_))(windows()[0])
    assert result.reason.reason is Reason.POLICY_FAILED and "CUDA out of memory" in str(result.reason)
    assert "raise_" in result.traceback


@pytest.mark.parametrize(
    "name, spoil",
    [
        ("finite", lambda p: replace(p, xyz=p.xyz * np.nan)),
        ("t0", lambda p: replace(p, t0_ns=p.t0_ns - 1)),
        ("shape", lambda p: replace(p, yaw=p.yaw[:, :10])),
        ("chosen", lambda p: replace(p, chosen=1)),
        ("speed", lambda p: replace(p, speed=p.speed + 100)),
        ("start", lambda p: replace(p, xyz=p.xyz + 5)),
    ],
)
def test_a_plan_that_breaks_an_invariant_is_refused_by_name(name, spoil):
    result = runner(FakePolicy(lambda o: spoil(Baseline()(o))))(windows()[0])
    assert result.reason.reason is Reason.PLAN_INVALID and result.reason.detail.startswith(name)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda o: replace(o, images=o.images[:3]),
        lambda o: replace(o, images=(o.images[0][:3], *o.images[1:])),
        lambda o: replace(o, images=((o.images[0][0].astype(float),) * 4, *o.images[1:])),
        lambda o: replace(o, history_xyz=o.history_xyz * np.nan),
        lambda o: replace(o, history_xyz=o.history_xyz + 1),
        lambda o: replace(o, history_rotation=o.history_rotation[:4]),
    ],
)
def test_an_observation_that_breaks_an_invariant_is_named(spoil):
    assert check_observation(make_example()) is None
    assert check_observation(spoil(make_example()))


def test_a_new_epoch_resets_policy_and_images():
    policy = FakePolicy(Baseline())
    run, window = runner(policy), windows()[0]
    run(window)
    run(replace(window, epoch=1))
    assert policy.resets == 2 and run.decoding.decoded == 32


def test_the_ego_pose_is_where_the_vehicle_was_at_t0():
    window = windows()[0]
    offset = Pose(np.array([-1.4, 0.0, 0.0]), quaternion_from_yaw(0.0))
    tick = runner(locate=lambda w: w.poses @ offset)(window)
    expected = Pose(window.poses.xyz[-1], window.poses.quaternion[-1]) @ offset
    assert np.allclose(tick.ego.xyz, expected.xyz)
    assert np.allclose(tick.observation.history_xyz[-1], 0)
