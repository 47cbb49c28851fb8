import numpy as np
import pytest

from alpamayo_ros.contract import CAMERA_ROLES
from alpamayo_ros.geometry import yaw_of_quaternion
from alpamayo_ros.world.episode import START_NS, STEP_NS, Episode, Timing
from alpamayo_ros.world.scenario import draw
from alpamayo_ros.world.vehicle import Control


def exposed(timings, seconds: float, seed: int = 0) -> dict[str, np.ndarray]:
    episode = Episode(draw("empty_road", seed), timings)
    found = {role: [] for role in CAMERA_ROLES}
    for _ in range(round(seconds * 100)):
        for stamp, role in episode.exposures():
            assert stamp <= episode.now_ns
            found[role].append(stamp)
        episode.step(Control(0.0, 0.0))
    return {role: np.array(stamps) for role, stamps in found.items()}


def test_by_default_all_cameras_expose_together_on_a_grid_of_a_tenth_of_a_second():
    for stamps in exposed(None, 2.0).values():
        assert stamps.tolist() == [START_NS + k * 100_000_000 for k in range(20)]


def test_each_camera_has_its_own_rate_offset_and_jitter():
    timings = {
        "cross_left": Timing(20.0), "front_wide": Timing(30.0, 0.01), "cross_right": Timing(15.0, 0.0, 0.004),
        "front_tele": Timing(10.0, 0.033),
    }  # fmt: skip
    stamps = exposed(timings, 4.0)
    assert [len(stamps[role]) for role in timings] == pytest.approx([80, 120, 60, 40], abs=1)
    assert stamps["front_tele"][0] == START_NS + 33_000_000
    jitter = np.diff(stamps["cross_right"]) / 1e9 - 1 / 15
    assert 0.001 < np.abs(jitter).max() <= 0.008
    assert np.all(np.diff(stamps["cross_right"]) > 0)
    assert np.array_equal(stamps["cross_right"], exposed(timings, 4.0)["cross_right"])


def test_the_same_controls_give_the_same_drive():
    drives = []
    for _ in range(2):
        episode = Episode(draw("light_queue", 3))
        for step in range(400):
            episode.step(Control(0.01 * np.sin(step / 40.0), 0.5))
        drives.append(episode.snapshot)
    assert drives[0] == drives[1]


def test_an_instant_between_two_steps_is_interpolated():
    episode = Episode(draw("lead_steady", 3))
    for _ in range(50):
        episode.step(Control(0.05, 1.0))
    before, after = episode.at(episode.now_ns - STEP_NS), episode.snapshot
    middle = episode.at(episode.now_ns - STEP_NS // 2)
    assert middle.t_ns == after.t_ns - STEP_NS // 2
    assert middle.ego.x == pytest.approx((before.ego.x + after.ego.x) / 2)
    assert middle.cars[0].x == pytest.approx((before.cars[0].x + after.cars[0].x) / 2)
    assert middle.ego.yaw == pytest.approx((before.ego.yaw + after.ego.yaw) / 2)


def test_the_future_and_the_forgotten_past_are_refused():
    episode = Episode(draw("lead_steady", 3))
    for _ in range(200):
        episode.step(Control(0.0, 0.0))
    with pytest.raises(ValueError, match="outside"):
        episode.at(episode.now_ns + 1)
    with pytest.raises(ValueError, match="outside"):
        episode.at(START_NS)


def test_odometry_is_the_egos_pose():
    episode = Episode(draw("lead_steady", 3))
    episode.step(Control(0.0, 0.0))
    ego = episode.snapshot.ego
    assert episode.odometry[:3] == (ego.x, ego.y, 0.0)
    assert float(yaw_of_quaternion(np.array(episode.odometry[3:]))) == pytest.approx(
        np.arctan2(np.sin(ego.yaw), np.cos(ego.yaw))
    )
