from alpamayo_ros.contract import SECOND_NS
from alpamayo_ros.live.pace import PATIENCE, Pace


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def started(factor):
    clock = Clock()
    pace = Pace(factor, clock)
    pace.start(10 * SECOND_NS)
    return clock, pace


def test_the_world_moves_with_the_wall_at_its_factor():
    clock, pace = started(0.5)
    clock.now += 4.0
    assert pace.due_ns() == 12 * SECOND_NS
    assert pace.ahead(13 * SECOND_NS) == 2.0 and pace.ahead(11 * SECOND_NS) == -2.0


def test_a_little_late_is_caught_up():
    clock, pace = started(1.0)
    clock.now += 1.0
    pace.reached(11 * SECOND_NS - int(0.9 * PATIENCE * SECOND_NS))
    assert pace.slipped == 0.0 and pace.due_ns() == 11 * SECOND_NS


def test_a_world_that_cannot_keep_up_is_slowed_and_says_by_how_much():
    clock, pace = started(1.0)
    clock.now += 3.0
    pace.reached(11 * SECOND_NS)
    assert abs(pace.slipped - (2.0 - PATIENCE)) < 1e-6
    assert abs(pace.ahead(11 * SECOND_NS) + PATIENCE) < 1e-6
    clock.now += 1.0
    pace.reached(12 * SECOND_NS)
    assert abs(pace.slipped - (2.0 - PATIENCE)) < 1e-6
