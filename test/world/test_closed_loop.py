import numpy as np
import pytest
from world.scenes import SMALL, drive_of

from alpamayo_ros.checks import check_observation, check_plan
from alpamayo_ros.contract import Observation, Plan
from alpamayo_ros.world.closed_loop import command_at, run
from alpamayo_ros.world.episode import Cameras, Episode, Timing
from alpamayo_ros.world.oracle import OraclePolicy
from alpamayo_ros.world.scenario import Family, draw
from alpamayo_ros.world.scene import build
from alpamayo_ros.world.sources import GridSource, ObserverSource


@pytest.mark.parametrize("family", Family)
def test_the_rule_driver_drives_every_family_cleanly(family):
    _, drive, ticks = drive_of(family.value, 21, 6.0)
    verdict = drive.verdict
    assert not verdict.off_road and not verdict.collided_with and verdict.red_light_runs == 0
    assert verdict.progress > 8.0
    assert verdict.comfortable > 0.98
    assert drive.planned == len(ticks) == 61


@pytest.mark.parametrize("family", ("traffic_light", "pedestrian"))
def test_a_late_plan_costs_little_because_it_is_entered_late(family):
    results = []
    for latency in (0.0, 0.3):
        episode = Episode(draw(family, 22))
        results.append(run(episode, OraclePolicy(episode), 12.0, latency))
    assert results[1].planned == pytest.approx(results[0].planned / 3, abs=2)
    assert not results[1].verdict.collided_with and not results[1].verdict.off_road
    assert results[1].verdict.progress == pytest.approx(results[0].verdict.progress, rel=0.1)


def observations(source, seconds: float = 3.0, timings=None) -> list[Observation]:
    episode = Episode(draw("pedestrian", 5), timings)
    seen: list[Observation] = []
    cameras = Cameras(episode.scene, SMALL)
    run(episode, OraclePolicy(episode), seconds, 0.0, cameras, source, lambda tick: seen.append(tick.observation))
    return seen


def test_the_grid_and_the_drivers_observer_give_the_same_observations():
    grid, observed = observations(GridSource()), observations(ObserverSource())
    assert len(grid) == len(observed) == 31
    for one, other in zip(grid, observed, strict=True):
        assert check_observation(one) is None
        assert one.t0_ns == other.t0_ns
        assert np.array_equal(one.stamps_ns, other.stamps_ns)
        assert np.allclose(one.history_xyz, other.history_xyz, atol=1e-12)
        assert all(
            np.array_equal(a, b)
            for p, q in zip(one.images, other.images, strict=True)
            for a, b in zip(p, q, strict=True)
        )


def test_images_that_two_ticks_share_are_one_object():
    first, second = observations(GridSource(), 0.5)[:2]
    assert first.images[1][1] is second.images[1][0]


def test_cameras_off_the_grid_drive_through_the_observer():
    timings = {
        "cross_left": Timing(20.0, 0.013, 0.004), "front_wide": Timing(30.0), "cross_right": Timing(15.0, 0.02, 0.004),
        "front_tele": Timing(10.0, 0.05),
    }  # fmt: skip
    seen = observations(ObserverSource(), 2.0, timings)
    assert len(seen) > 15
    assert np.abs(seen[0].stamps_ns - seen[0].stamps_ns[1]).max() < 60_000_000


class FakeStandstill:
    """A policy that plans to stay where it is."""

    name = "fake standstill"

    def __call__(self, observation: Observation) -> Plan:
        zeros = np.zeros((1, 64))
        return Plan(observation.t0_ns, np.zeros((1, 64, 3)), zeros, zeros, zeros, zeros, ("",))

    def reset(self) -> None: ...

    def close(self) -> None: ...


def test_the_policys_plan_is_what_is_driven():
    episode = Episode(draw("empty_road", 1))
    drive = run(episode, FakeStandstill(), 8.0)
    assert episode.snapshot.ego.speed == 0.0
    assert drive.verdict.progress < 60.0


def test_the_rule_drivers_plans_pass_the_drivers_checks():
    _, _, ticks = drive_of("light_turn", 10, 6.0, SMALL)
    assert all(check_plan(tick.plan, tick.observation) is None for tick in ticks)


def test_a_command_ends_with_its_turn():
    scenario = draw("junction", 2)
    roads = build(scenario).roads
    begin, end = roads.turn_s or (0.0, roads.junctions[0].exit)
    assert command_at(scenario.command, roads, begin - 30.0) == scenario.command != ""
    assert command_at(scenario.command, roads, end + 20.0) == ""
