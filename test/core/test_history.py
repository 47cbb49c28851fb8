import numpy as np
import pytest
from core.drives import pose_at

from alpamayo_ros.contract import NotReady, Reason
from alpamayo_ros.geometry import Pose, quaternion_from_yaw
from alpamayo_ros.history import OdometryLimits, centred, check_sample, ego_history
from alpamayo_ros.timeline import Timeline

MS = 1_000_000
T0 = 1_000_000 * MS


def line(stamps_ms, pose=lambda seconds: pose_at(seconds)):
    timeline = Timeline(10_000 * MS, 5_000 * MS)
    for stamp in stamps_ms:
        timeline.push(T0 + int(stamp * MS), pose(stamp / 1000))
    return timeline


def refusal(timeline, **limits):
    got = ego_history(timeline, T0, OdometryLimits(**limits))
    assert isinstance(got, NotReady)
    return got


@pytest.mark.parametrize("name, bad", [("nan", float("nan")), ("inf", float("inf"))])
def test_a_pose_that_is_not_finite_is_refused_by_name(name, bad):
    sample = (0.0, bad, 0.0, 0.0, 0.0, 0.0, 1.0)
    assert check_sample(sample).reason is Reason.ODOMETRY_NOT_FINITE
    assert "no finite y" in check_sample(sample).detail


@pytest.mark.parametrize("quaternion", [(0, 0, 0, 0), (0, 0, 0, 2), (0.5, 0, 0, 0.5)])
def test_an_orientation_that_is_no_unit_quaternion_is_refused_with_its_norm(quaternion):
    refused = check_sample((0.0, 0.0, 0.0, *map(float, quaternion)))
    assert refused.reason is Reason.QUATERNION_NOT_UNIT
    assert refused.numbers["norm"] == pytest.approx(np.linalg.norm(quaternion))


def test_a_float32_quaternion_is_unit_enough():
    q = np.float32(quaternion_from_yaw(1.234))
    assert check_sample((0.0, 0.0, 0.0, *map(float, q))) is None


def test_every_refusal_has_its_name_and_numbers():
    assert refusal(line([])).reason is Reason.ODOMETRY_MISSING
    stale = refusal(line(range(-2000, -40, 20)))
    assert stale.reason is Reason.ODOMETRY_STALE and stale.numbers["behind"] == pytest.approx(0.06)
    short = refusal(line(range(-1400, 100, 20)))
    assert short.reason is Reason.HISTORY_SHORT and short.numbers["span"] == pytest.approx(1.4)
    gap = refusal(line([*range(-2000, -900, 20), *range(-600, 100, 20)]))
    assert gap.reason is Reason.ODOMETRY_GAP and gap.numbers["gap"] == pytest.approx(0.32)
    assert gap.numbers["at"] == pytest.approx(-0.92)


def test_a_gap_outside_the_history_does_not_matter():
    stamps = [*range(-4000, -3000, 20), *range(-1600, 100, 20)]
    assert isinstance(ego_history(line(stamps), T0, OdometryLimits()), Pose)


def test_a_teleport_within_the_history_is_refused():
    def pose(seconds):
        x, *rest = pose_at(seconds)
        return (x + (50 if seconds > -0.7 else 0), *rest)

    refused = refusal(line(range(-2000, 100, 10), pose))
    assert refused.reason is Reason.ODOMETRY_JUMP
    assert refused.numbers["moved"] == pytest.approx(50, abs=0.2)


@pytest.mark.parametrize("origin", [0.0, 65_000.0, 131_000.0])
@pytest.mark.parametrize("rate", [10, 37, 100, 400])
def test_history_speed_survives_large_map_coordinates(origin, rate):
    speed = 11.0

    def pose(seconds):
        return (origin + speed * seconds, -origin, 40.0, 0.0, 0.0, 0.0, 1.0)

    stamps = np.arange(-2000, 120, 1000 / rate) + 3.7
    xyz, _ = centred(ego_history(line(stamps, pose), T0, OdometryLimits()))
    speeds = np.linalg.norm(np.diff(xyz, axis=0), axis=1) / 0.1
    assert np.abs(speeds - speed).max() < 1e-4


def test_centring_is_the_full_rotation_and_ends_at_the_identity():
    poses = ego_history(line(range(-2000, 100, 10)), T0, OdometryLimits())
    xyz, rotation = centred(poses)
    assert xyz.shape == (16, 3) and rotation.shape == (16, 3, 3)
    assert np.array_equal(xyz[-1], np.zeros(3)) and np.array_equal(rotation[-1], np.eye(3))
    world = poses.matrix[-1] @ xyz[3] + poses.xyz[-1]
    assert np.allclose(world, poses.xyz[3], atol=1e-9)
    assert np.allclose(poses.matrix[-1] @ rotation[3], poses.matrix[3], atol=1e-12)
