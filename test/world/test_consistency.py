import pytest
from world.scenes import drive_of

from alpamayo_ros.world.causes import Decision
from alpamayo_ros.world.consistency import Motion, agree, path_acts, text_acts
from alpamayo_ros.world.scoring import score

CRUISE = Motion(10.0, 9.8, 10.2, 0.0)
STOPPING = Motion(10.0, 0.0, 10.0, 0.0)
STARTING = Motion(0.0, 0.1, 7.0, 0.0)
STANDING = Motion(0.0, 0.0, 0.2, 0.0)
TURNING_LEFT = Motion(5.0, 4.0, 6.0, 1.4)
SHIFTING_LEFT = Motion(10.0, 9.9, 10.1, 0.0, 0.0, 0.75)
COMING_BACK = Motion(10.0, 9.9, 10.1, 0.0, 0.7, 0.7)


@pytest.mark.parametrize(
    ("decision", "path", "agreed"),
    [
        (Decision.KEEP, CRUISE, True),
        (Decision.STOP_FOR_RED, STOPPING, True),
        (Decision.STOP_FOR_RED, CRUISE, False),
        (Decision.KEEP, STOPPING, False),
        (Decision.FOLLOW, STOPPING, True),
        (Decision.STOP_FOR_RED, STANDING, True),
        (Decision.SPEED_UP, STANDING, False),
        (Decision.SPEED_UP, STARTING, True),
        (Decision.STOP_BEHIND_CAR, STARTING, False),
        (Decision.TURN_LEFT, TURNING_LEFT, True),
        (Decision.TURN_RIGHT, TURNING_LEFT, False),
        (Decision.TURN_LEFT, CRUISE, False),
        (Decision.KEEP, TURNING_LEFT, False),
        (Decision.NUDGE_LEFT, SHIFTING_LEFT, True),
        (Decision.NUDGE_RIGHT, SHIFTING_LEFT, False),
        (Decision.KEEP, SHIFTING_LEFT, False),
        (Decision.KEEP, COMING_BACK, True),
        (Decision.SLOW_FOR_BEND_LEFT, STARTING, False),
        (Decision.GO_ON_GREEN, CRUISE, True),
        (Decision.GO_ON_GREEN, STOPPING, False),
    ],
)
def test_text_and_path_agree_both_ways(decision, path, agreed):
    assert agree(decision, path) is agreed


def test_what_acts():
    assert not text_acts(Decision.KEEP) and text_acts(Decision.STOP_FOR_RED)
    assert not path_acts(CRUISE)
    assert all(path_acts(path) for path in (STOPPING, STARTING, STANDING, TURNING_LEFT, SHIFTING_LEFT))


@pytest.mark.parametrize("family", ("light_turn", "cones", "cut_in", "pedestrian"))
def test_the_rule_driver_agrees_with_itself_and_cites_what_is_there(family):
    episode, _, ticks = drive_of(family, 23, 10.0)
    scores = [score(episode.scene, tick.snapshot, tick.label, tick.plan) for tick in ticks]
    assert all(each.said is each.truth and each.agrees and not each.absent for each in scores)
    assert max(each.min_ade for each in scores) == 0.0
    assert any(each.acts for each in scores)
