"""What a rollout makes of what the simulator sent: the observation that any driver gets, and the path in its frame."""

import itertools
import random
from dataclasses import replace

import cv2
import numpy as np
import pytest

from alpamayo_ros.bridges.alpasim_rollout import CAMERAS, MAX_WAITING, Answer, Rollout, roles_of
from alpamayo_ros.bridges.alpasim_route import turn_text
from alpamayo_ros.contract import CAMERA_ROLES, Reason
from alpamayo_ros.geometry import quaternion_from_yaw
from alpamayo_ros.imaging import decode_picture
from alpamayo_ros.policies.baseline import Baseline
from alpamayo_ros.tick import Refused
from alpamayo_ros.world.closed_loop import command_at
from alpamayo_ros.world.episode import START_NS, Episode
from alpamayo_ros.world.scenario import Family, draw
from alpamayo_ros.world.sources import GridSource
from alpamayo_ros.world.vehicle import Control

MS = 1_000_000
T = 1_700_000_000_000 * MS


def picture(number):
    rng = np.random.default_rng(number)
    return cv2.imencode(".png", rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))[1].tobytes()


def place(seconds, speed=10.0, yaw=0.0, origin=(0.0, 0.0, 0.0)):
    """A straight drive: x y z qx qy qz qw."""
    x, y, z = origin
    along = speed * seconds
    return (x + along * np.cos(yaw), y + along * np.sin(yaw), z, *quaternion_from_yaw(yaw).tolist())


def sent(frames=20, yaw=0.0, origin=(0.0, 0.0, 0.0)):
    """What a simulator sends in `frames` steps of 0.1 s, in the order of the stamps: (stamp, stream, value)."""
    items = []
    for k in range(frames):
        stamp = T + 100 * MS * k
        items += [(stamp, role, picture(10 * k + number)) for number, role in enumerate(CAMERA_ROLES)]
        items += [(stamp, "pose", place(0.1 * k, yaw=yaw, origin=origin))]
    return items


def give(rollout, items):
    for stamp, stream, value in items:
        if stream == "pose":
            rollout.pose(stamp, value)
        else:
            rollout.image(stream, stamp, value)


class Watching(Baseline):
    """The baseline, which keeps what it has seen."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __call__(self, observation):
        self.seen.append(observation)
        return super().__call__(observation)


@pytest.fixture
def made():
    rollouts = []

    def make(policy=None):
        rollouts.append(Rollout(policy or Baseline(), threads=2))
        return rollouts[-1]

    yield make
    for rollout in rollouts:
        rollout.close()


def test_the_policy_sees_what_the_worlds_own_loop_shows(made):
    """The same streams, through the interface's bytes and through the world's source on the model's grid."""
    episode, policy, source = Episode(draw(Family.LEAD_BRAKING, 3)), Watching(), GridSource()
    rollout, expected = made(policy), None
    for step in range(201):
        now = episode.now_ns
        rollout.pose(now, episode.odometry)
        source.push_odometry(now, episode.odometry)
        for number, (stamp, role) in enumerate(episode.exposures()):
            data = picture(7 * step + number)
            rollout.image(role, stamp, data)
            for observation in source.push_frame(role, stamp, decode_picture(data)):
                expected = observation
        episode.step(Control(0.02, 0.5))
    answer = rollout.drive(START_NS + 2_000 * MS)
    (seen,) = policy.seen
    assert seen.t0_ns == expected.t0_ns == START_NS + 2_000 * MS and answer.tick.observation is seen
    assert np.allclose(seen.history_xyz, expected.history_xyz, rtol=0, atol=1e-9)
    assert np.allclose(seen.history_rotation, expected.history_rotation, rtol=0, atol=1e-12)
    assert np.array_equal(seen.stamps_ns, expected.stamps_ns) and not seen.stand_in.any()
    for row, wanted in zip(seen.images, expected.images, strict=True):
        assert all(np.array_equal(image, other) for image, other in zip(row, wanted, strict=True))


def test_the_order_in_which_calls_arrive_is_of_no_account(made):
    items = sent(24)
    plain, mixed = made(Watching()), made(Watching())
    for first, last in ((0, 19), (20, 21), (22, 23)):
        come = [item for item in items if first <= (item[0] - T) // (100 * MS) <= last]
        give(plain, come)
        random.Random(last).shuffle(come)
        give(mixed, come)
        one, other = (rollout.drive(T + 100 * MS * last) for rollout in (plain, mixed))
        assert np.array_equal(one.poses.xyz, other.poses.xyz) and np.array_equal(one.stamps_ns, other.stamps_ns)


def test_the_path_is_in_the_local_frame_from_the_simulators_present_on(made):
    """10 m/s along +y from far away and above: the baseline holds it."""
    rollout = made()
    give(rollout, sent(20, yaw=np.pi / 2, origin=(4000.0, -2500.0, 37.0)))
    now = T + 1_900 * MS
    answer = rollout.drive(now)
    assert answer.stamps_ns.tolist() == [now + 100 * MS * k for k in range(65)]
    ahead = 19.0 + np.arange(65)
    assert np.allclose(answer.poses.xyz, np.stack([0 * ahead + 4000, ahead - 2500, 0 * ahead + 37], axis=-1), atol=1e-6)
    assert np.allclose(answer.poses.quaternion, quaternion_from_yaw(np.pi / 2), atol=1e-9)


def test_asked_between_two_frames_the_path_still_begins_at_the_present(made):
    rollout = made()
    give(rollout, [*sent(20), (T + 1_930 * MS, "pose", place(1.93))])
    answer = rollout.drive(T + 1_930 * MS)
    assert answer.tick.plan.t0_ns == T + 1_900 * MS
    assert answer.stamps_ns[:3].tolist() == [T + 1_930 * MS, T + 2_000 * MS, T + 2_100 * MS]
    assert len(answer.stamps_ns) == 65 and np.allclose(answer.poses.xyz[:3, 0], [19.3, 20.0, 21.0], atol=1e-6)


def test_what_is_stamped_later_than_the_present_waits(made):
    policy = Watching()
    rollout = made(policy)
    items = sent(24)
    give(rollout, items)
    for k in (20, 23):
        rollout.drive(T + 100 * MS * k)
        assert policy.seen[-1].t0_ns == T + 100 * MS * k


def test_cameras_that_expose_at_other_times_are_judged_as_they_stand(made):
    """The front camera is the latest by 40 ms; nothing more can come before the simulator gets its answer."""
    policy = Watching()
    rollout = made(policy)
    items = [(s if r in ("front_wide", "pose") else s - 40 * MS, r, v) for s, r, v in sent(20)]
    give(rollout, items)
    assert isinstance(rollout.drive(T + 1_900 * MS), Answer)
    offsets = policy.seen[0].stamps_ns - (T + 1_900 * MS + np.array([-300, -200, -100, 0]) * MS)
    assert (offsets == np.array([-40, 0, -40, -40])[:, None] * MS).all()


def test_a_faster_camera_gives_the_newest_frame(made):
    policy = Watching()
    rollout = made(policy)
    for k in range(61):
        stamp = T + k * 33_333_333
        give(rollout, [(stamp, role, picture(4 * k + n)) for n, role in enumerate(CAMERA_ROLES)])
        rollout.pose(stamp, place(k / 30))
    answer = rollout.drive(T + 60 * 33_333_333 + 5 * MS)
    assert answer.tick.plan.t0_ns == T + 60 * 33_333_333
    assert np.abs(answer.tick.window.offsets_ns).max() < 1 * MS


def test_until_there_are_four_frames_the_path_is_empty(made):
    rollout = made()
    assert rollout.drive(T).waiting.reason is Reason.CAMERA_MISSING
    for k, items in itertools.groupby(sent(20), key=lambda item: (item[0] - T) // (100 * MS)):
        give(rollout, items)
        answer = rollout.drive(T + 100 * MS * k)
        if k < 3:
            assert len(answer.stamps_ns) == 0 and answer.waiting is not None
        elif k < 15:  # frames enough, and no history: that is refused
            assert isinstance(answer, Refused) and answer.reason.reason is Reason.HISTORY_SHORT
        else:
            assert len(answer.stamps_ns) == 65


def after(milliseconds, stream):
    return lambda item: None if item[1] == stream and item[0] > T + milliseconds * MS else item


def cut_short(item):
    stamp, stream, value = item
    return (stamp, stream, value[:40]) if stream == "front_tele" and stamp > T + 1_700 * MS else item


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (after(1_800, "pose"), Reason.ODOMETRY_STALE),
        (lambda item: None if item[1] == "pose" and item[0] < T + 1_000 * MS else item, Reason.HISTORY_SHORT),
        (lambda item: None if item[1] == "pose" and 900 < (item[0] - T) / MS < 1_300 else item, Reason.ODOMETRY_GAP),
        (after(1_500, "front_tele"), Reason.CAMERA_STALE),
        (cut_short, Reason.CAMERA_REPEAT),
    ],
)
def test_what_is_wrong_is_named(made, spoil, reason):
    rollout = made()
    give(rollout, [kept for kept in map(spoil, sent(20)) if kept is not None])
    answer = rollout.drive(T + 1_900 * MS)
    assert isinstance(answer, Refused) and answer.reason.reason is reason
    if spoil is cut_short:
        assert {bad.reason for bad in answer.refused} == {Reason.IMAGE_CORRUPT}


def test_a_window_that_is_too_old_is_no_answer(made):
    rollout = made()
    give(rollout, sent(20))
    assert isinstance(rollout.drive(T + 2_400 * MS), Answer)
    late = rollout.drive(T + 2_410 * MS)
    assert late.reason.reason is Reason.CAMERA_STALE and late.reason.numbers["behind"] == 0.51


def test_a_simulator_that_never_asks_does_not_fill_the_memory(made):
    rollout = made()
    small = b"\xff\xd8" + bytes(100)
    for k in range(1200):
        stamp = T + 50 * MS * k
        give(rollout, [(stamp, role, small) for role in CAMERA_ROLES] + [(stamp, "pose", place(0.05 * k))])
    assert len(rollout._waiting) <= MAX_WAITING
    good = sent(20)
    give(rollout, [(stamp + 120_000 * MS, role, value) for stamp, role, value in good])
    assert isinstance(rollout.drive(T + 121_900 * MS), Answer)


def test_cameras_are_found_by_their_names_or_asked_for():
    assert CAMERAS["cross_left"] == "camera_cross_left_120fov" and CAMERAS["front_tele"] == "camera_front_tele_30fov"
    available = [*CAMERAS.values(), "camera_rear_left_70fov"]
    assert roles_of(available, CAMERAS)["camera_front_wide_120fov"] == "front_wide"
    with pytest.raises(ValueError, match=r"front_tele \(camera_front_tele_30fov\).*--camera ROLE=ID"):
        roles_of([name for name in available if "tele" not in name], CAMERAS)


def test_turns_of_a_route_are_said_and_bends_are_not():
    """Along the world's own routes: what is said is the scenario's command, from afar until the turn is made."""
    ahead = np.arange(0.0, 80.0, 4.0)
    said_at_turns = {"turn left": 0, "turn right": 0}
    for family, seed in itertools.product((Family.JUNCTION, Family.EMPTY_ROAD), range(6)):
        scene = Episode(replace(draw(family, seed), lateral_offset=0.0)).scene
        roads, text = scene.roads, ""
        for s in np.arange(0.0, roads.route.end_s - 100.0, 2.0):
            x, y, yaw, _ = roads.route.at(float(s))
            points, _ = roads.route.points(s + ahead, np.zeros_like(ahead))
            offset = points - [x, y]
            ahead_left = np.stack([offset @ [np.cos(yaw), np.sin(yaw)], offset @ [-np.sin(yaw), np.cos(yaw)]], axis=-1)
            text = turn_text(ahead_left, text)
            begins, ends = roads.turn_s or (np.inf, np.inf)
            if text:
                assert text == scene.scenario.command and begins - 70.0 < s < ends + 10.0
                said_at_turns[text] += begins - 20.0 < s < begins
            elif begins - 20.0 < s < ends - 6.0:
                pytest.fail(f"{family} {seed}: nothing is said {begins - s:.0f} m before the turn")
            if family is Family.JUNCTION and begins - 20.0 < s < begins:
                assert text == command_at(scene.scenario.command, roads, float(s))
    assert min(said_at_turns.values()) >= 9


@pytest.mark.parametrize("points", [[], [(3.0, 0.0)], [(0.0, 0.0)] * 5, [(np.nan, 1.0), (2.0, np.inf)]])
def test_a_route_of_nothing_says_nothing(points):
    assert turn_text(np.array(points).reshape(-1, 2)) == ""
