from dataclasses import replace

import numpy as np
import pytest
from world.scenes import SMALL

from alpamayo_ros.contract import CAMERA_ROLES
from alpamayo_ros.world.closed_loop import run
from alpamayo_ros.world.counterfactual import Change, change_for, flip, redrawn
from alpamayo_ros.world.episode import Cameras, Episode
from alpamayo_ros.world.oracle import OraclePolicy, as_plan, label
from alpamayo_ros.world.scenario import draw
from alpamayo_ros.world.state import Colour


def flips(family: str, seed: int, seconds: float, deaf: bool = False):
    """Every tenth tick asked again with its cause taken away; deaf: answered as if it were still there."""
    episode, found = Episode(draw(family, seed)), []

    def ask_at(tick):
        if (tick.plan.t0_ns // 100_000_000) % 10:
            return
        change = (
            (lambda apply: tick.plan)
            if deaf
            else (lambda apply: as_plan(label(episode.scene, apply(tick.snapshot)), 0))
        )
        found.append(flip(episode.scene, tick, tick.plan, change))

    run(episode, OraclePolicy(episode), seconds, on_tick=ask_at)
    return [each for each in found if each is not None]


@pytest.mark.parametrize(
    ("family", "seed", "change"),
    [("lead_steady", 8, Change.LEAD), ("traffic_light", 1, Change.LIGHT), ("pedestrian", 4, Change.PEDESTRIAN)],
)
def test_the_rule_driver_changes_text_and_path_with_its_cause(family, seed, change):
    found = flips(family, seed, 14.0)
    assert found and all(each.change is change and each.text and each.path for each in found)


def test_a_driver_that_does_not_notice_flips_nothing():
    found = flips("lead_steady", 8, 8.0, deaf=True)
    assert found and not any(each.text or each.path for each in found)


def test_redrawing_changes_the_images_and_nothing_else():
    episode = Episode(draw("traffic_light", 1))
    cameras, ticks = Cameras(episode.scene, SMALL), []
    run(episode, OraclePolicy(episode), 3.0, cameras=cameras, on_tick=ticks.append)
    tick = ticks[-1]
    same = redrawn(episode, cameras, tick.observation, lambda snapshot: snapshot)
    green = redrawn(episode, cameras, tick.observation, lambda snapshot: snapshot.with_lights(Colour.GREEN))
    tele = CAMERA_ROLES.index("front_tele")
    for slot in range(4):
        assert np.array_equal(same.images[tele][slot], tick.observation.images[tele][slot])
        assert not np.array_equal(green.images[tele][slot], tick.observation.images[tele][slot])
    assert green.history_xyz is tick.observation.history_xyz


def test_only_causes_that_can_be_taken_away_have_a_change():
    episode = Episode(draw("empty_road", 1))
    assert change_for(label(episode.scene, episode.snapshot)) is None


def test_a_snapshot_without_a_role_keeps_the_others():
    episode = Episode(draw("light_queue", 3))
    without = episode.snapshot.without("lead")
    assert {car.role for car in without.cars} <= {"other"}
    assert replace(without, cars=episode.snapshot.cars) == episode.snapshot
