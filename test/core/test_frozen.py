"""Frozen cameras and frozen odometry, through the observer and the tick."""

import numpy as np
import pytest
from core.drives import START_NS, pose_at
from core.ros_bytes import compressed

from alpamayo_ros.contract import CAMERA_ROLES, Reason
from alpamayo_ros.frost import Frost, same_picture
from alpamayo_ros.history import Stillness
from alpamayo_ros.observer import Observer
from alpamayo_ros.window import Window

MS = 1_000_000


def windows(picture, pose=pose_at, seconds=3.0):
    """(window, its frost) of a drive; `picture(role, number)` gives a camera's bytes."""
    observer, frost, found = Observer(), Frost(), []
    for step in range(round(seconds * 100)):
        stamp = START_NS + step * 10 * MS
        outcomes = observer.push_odometry(stamp, pose(step / 100))
        if step % 10 == 0:
            for role in CAMERA_ROLES:
                outcomes += observer.push_frame(role, stamp, compressed(picture(role, step // 10), stamp))
        found += [(each, frost(each)) for each in outcomes if isinstance(each, Window)]
    return found


def noise(role, number):
    return np.random.default_rng([CAMERA_ROLES.index(role), number]).bytes(70_000)


@pytest.mark.parametrize("role", CAMERA_ROLES)
def test_a_frame_that_repeats_the_one_before_is_struck_out_and_named_once(role):
    found = windows(lambda each, number: noise(each, min(number, 20) if each == role else number))
    fresh = [said for window, (_, said) in found if window.t0_ns <= START_NS + 2000 * MS]
    assert fresh and not any(fresh)
    frozen = [result for window, result in found if window.t0_ns > START_NS + 2000 * MS]
    assert len(frozen) == 9
    for thawed, said in frozen:
        assert [(each.reason, each.stream) for each in said] == [(Reason.CAMERA_FROZEN, role)]
        if isinstance(thawed, Window):
            assert all(frame.stamp_ns <= START_NS + 2000 * MS for frame in thawed.frames[role])
    assert not isinstance(frozen[-1][0], Window)


def test_while_the_vehicle_stands_the_picture_may_stand():
    found = windows(lambda role, number: b"\xff\xd8 the same", lambda seconds: (1, 2, 0, 0, 0, 0, 1))
    assert len(found) > 10 and not any(said for _, (_, said) in found)


def test_pictures_are_compared_whole():
    one = compressed(b"a" * 200_000, START_NS)
    assert same_picture(one, compressed(b"a" * 200_000, START_NS + 1))
    assert not same_picture(one, one), "the same stamp: the same message"
    for place in (0, 65_536, 199_999):
        other = bytearray(b"a" * 200_000)
        other[place] = 0
        assert not same_picture(one, compressed(bytes(other), START_NS + 1))
    assert not same_picture("text", "text") and not same_picture(one, one[:-4]) and not same_picture(b"", b"")


def stood(times_and_places):
    still = Stillness()
    refusals = [still.check(round(at * 1e9) + START_NS, (x, 0, 0, 0, 0, 0, 1)) for at, x in times_and_places]
    return [round(at, 2) for (at, _), refusal in zip(times_and_places, refusals, strict=True) if refusal]


def test_a_pose_that_stands_in_the_middle_of_a_drive_is_refused_until_it_moves():
    drive = [(k / 100, 0.08 * min(k, 100) if k < 300 else 8.0 + 0.08 * (k - 300)) for k in range(350)]
    refused = stood(drive)
    assert refused[0] == pytest.approx(1.06) and refused[-1] == 3.0 and len(refused) == 195


@pytest.mark.parametrize(
    "drive",
    [
        [(k / 100, 0.08 * (k // 10 * 10)) for k in range(300)],  # a filter of 10 Hz behind a publisher of 100
        [(k / 100, 0.02 * min(k, 100)) for k in range(300)],  # 2 m/s and then standing: a car can
        [(k / 100, 8.0 * min(k / 100, 2) - 2 * min(k / 100, 2) ** 2) for k in range(500)],  # braking to a stand
        [(k / 100, 3.0) for k in range(300)],
        [(0.01, 0.0), (0.02, 1.0)],
    ],
    ids=["slow filter", "creeping", "braking", "standing", "few"],
)
def test_what_may_stand(drive):
    assert stood(drive) == []


def test_an_observer_drops_frozen_odometry_and_plans_again():
    observer, named, ticks = Observer(), [], []
    for step in range(700):
        stamp = START_NS + step * 10 * MS
        outcomes = observer.push_odometry(stamp, pose_at(2.5 if 250 <= step < 420 else step / 100))
        if step % 10 == 0:
            for role in CAMERA_ROLES:
                outcomes += observer.push_frame(role, stamp, b"")
        named += [step for each in outcomes if not isinstance(each, Window) and each.reason is Reason.ODOMETRY_FROZEN]
        ticks += [step for each in outcomes if isinstance(each, Window)]
    assert named[0] <= 257 and named[-1] == 419
    assert not [step for step in ticks if 265 < step < 570] and ticks[-1] == 690


def test_a_camera_keeps_its_frame_id_for_an_epoch():
    observer = Observer()
    assert observer.push_frame("cross_left", START_NS, b"", "left") == []
    refused = observer.push_frame("cross_left", START_NS + 100 * MS, b"", "right")
    assert [(each.reason, each.stream) for each in refused] == [(Reason.FRAME_MISMATCH, "cross_left")]
    assert "'right' among those of 'left'" in refused[0].detail
    observer.new_epoch("reset")
    assert observer.push_frame("cross_left", START_NS + 200 * MS, b"", "right") == []
    assert observer.push_frame("cross_left", START_NS - 5000 * MS, b"", "left") == [], "a rewind is an epoch, too"


def test_what_is_kept_is_bounded_whatever_comes():
    observer = Observer()
    for step in range(5000):
        observer.push_frame("cross_left", START_NS + step, b"")
        observer.push_odometry(START_NS + step, pose_at(step * 1e-9))
    assert len(observer._cameras["cross_left"]) == 120 and len(observer._odometry) == 2000
