import numpy as np
from world.scenes import SMALL

from alpamayo_ros.world.causes import Decision
from alpamayo_ros.world.closed_loop import run
from alpamayo_ros.world.driver import roll_out
from alpamayo_ros.world.episode import Episode
from alpamayo_ros.world.perception import perceive
from alpamayo_ros.world.samples import Wanderer, samples
from alpamayo_ros.world.scenario import draw


def test_samples_carry_images_history_future_and_text():
    found = list(samples(draw("junction", 2), SMALL, every=5, seconds=1.5))
    assert len(found) == 4
    for sample in found:
        assert sample.observation.images[0][3].shape == (96, 160, 3)
        assert sample.observation.history_xyz.shape == (16, 3)
        assert sample.label.xyz.shape == (64, 3)
        assert sample.text in {decision.text for decision in Decision}
    assert found[0].observation.command == draw("junction", 2).command


def test_the_same_scenario_gives_the_same_samples():
    first, second = (list(samples(draw("cones", 3), SMALL, every=10, seconds=1.0)) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert np.array_equal(one.observation.images[1][2], other.observation.images[1][2])
        assert np.array_equal(one.label.xyz, other.label.xyz)


def test_the_wanderer_strays_and_stays_lawful_and_the_labels_lead_back():
    episode, aside = Episode(draw("empty_road", 8)), []

    def look(tick):
        aside.append(tick.label.situation.d)
        assert abs(tick.label.rollout.d[-1]) < 0.1
        assert np.array_equal(roll_out(episode.scene, perceive(episode.scene, tick.snapshot)).d, tick.label.rollout.d)

    drive = run(episode, Wanderer(episode), 12.0, on_tick=look)
    assert np.std(aside) > 0.15
    assert not drive.verdict.off_road and not drive.verdict.collided_with
