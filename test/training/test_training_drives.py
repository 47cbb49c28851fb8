import numpy as np
import pytest

from alpamayo_ros.contract import Plan
from alpamayo_ros.training.hasty import DEVIATION, Hasty
from alpamayo_ros.training.layout import DECISIONS
from alpamayo_ros.training.otherwise import LENGTH
from alpamayo_ros.training.recording import record
from alpamayo_ros.training.store import STANDING_SHARE, STOPPING, _emphasis
from alpamayo_ros.world.causes import Decision
from alpamayo_ros.world.samples import Wanderer
from alpamayo_ros.world.scenario import draw

SECONDS = 12.0


@pytest.fixture(scope="module")
def red():
    """A drive up to a red light and a second at its line, with its changed pieces behind it."""
    return record(draw("traffic_light", 59), Wanderer, SECONDS, 0.0, None)


def own(recording):
    """How many rows are the drive's own: one a tick, before the pieces."""
    return int(round(SECONDS * 10)) + 1


def test_changed_pieces_have_the_drives_past_and_other_images_and_answers(red):
    first = own(red)
    assert len(red.newest) > first and (len(red.newest) - first) % LENGTH == 0
    for row in range(first, len(red.newest)):
        same = int(np.argmin(np.abs(red.history[:first] - red.history[row]).sum((1, 2))))
        assert np.array_equal(red.history[same], red.history[row]) and red.speed[same] == red.speed[row]
        assert red.decision[same] != red.decision[row]
        window = [red.frames[place - 3 : place + 1] for place in (red.newest[same], red.newest[row])]
        assert 0 < np.count_nonzero(window[0] != window[1]) < 0.5 * window[0].size


def test_a_light_that_was_red_is_green_in_a_changed_piece(red):
    stop, go = DECISIONS.index(Decision.STOP_FOR_RED), DECISIONS.index(Decision.GO_ON_GREEN)
    assert stop in red.decision[: own(red)]
    assert go in red.decision[own(red) :]


def test_the_last_metres_of_a_stop_are_drawn_more_often_and_standing_less(red):
    emphasis = _emphasis(red)
    assert set(emphasis) == {1.0, STOPPING, STANDING_SHARE}
    assert red.speed[emphasis == STANDING_SHARE].max() < 0.3 < red.speed[emphasis == STOPPING].min() + 1e-6


class Straight:
    name = "straight"

    def __call__(self, observation):
        xyz = np.zeros((1, 64, 3))
        xyz[0, :, 0] = np.arange(1, 65)
        rows = np.zeros((1, 64))
        return Plan(0, xyz, rows, rows, rows, rows, ("Keep lane and speed on the clear road.",), policy=self.name)

    def reset(self):
        pass

    def close(self):
        pass


def test_a_hasty_driver_goes_too_far_and_not_far_enough_but_keeps_its_way():
    hasty = Hasty(Straight(), np.random.default_rng(0))
    ends = np.array([hasty(None).xyz[0, -1] for _ in range(400)])
    assert ends[:, 0].min() < 0.9 * 64.0 and ends[:, 0].max() > 1.1 * 64.0
    assert np.abs(ends[:, 0] / 64.0 - 1.0).max() <= 2.0 * DEVIATION + 1e-9
    assert np.abs(np.diff(ends[:, 0])).max() < 0.15 * 64.0
    assert not ends[:, 1:].any()
