import numpy as np
import pytest
from world.scenes import drive_of

from alpamayo_ros.contract import Plan, make_example
from alpamayo_ros.guard import UNKNOWN, Agreement, Motion, agree, path_acts, text_acts, verdict
from alpamayo_ros.guard_text import judge, most_consistent, read
from alpamayo_ros.policies.baseline import Baseline
from alpamayo_ros.unicycle import integrate
from alpamayo_ros.world.causes import Decision
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
    assert agree(decision.claims, path) is agreed


def test_what_acts():
    assert not text_acts(Decision.KEEP.claims) and text_acts(Decision.STOP_FOR_RED.claims)
    assert not path_acts(CRUISE)
    assert all(path_acts(path) for path in (STOPPING, STARTING, STANDING, TURNING_LEFT, SHIFTING_LEFT))


@pytest.mark.parametrize("family", ("light_turn", "cones", "cut_in", "pedestrian"))
def test_the_rule_driver_agrees_with_itself_and_cites_what_is_there(family):
    episode, _, ticks = drive_of(family, 23, 10.0)
    scores = [score(episode.scene, tick.snapshot, tick.label, tick.plan) for tick in ticks]
    assert all(each.said is each.truth and each.agrees and not each.absent for each in scores)
    assert max(each.min_ade for each in scores) == 0.0
    assert any(each.acts for each in scores)
    # Without the route the same plans may be unknown, and none of them contradicts itself.
    assert not [v for v in (judge(tick.plan, tick.plan.chosen) for tick in ticks) if v.name]


@pytest.mark.parametrize("decision", Decision)
def test_each_sentence_of_the_small_world_is_read_whole_as_what_it_does(decision):
    said = read(decision.text)
    assert said.complete and [claim.action for claim in said.claims] == [decision.action]


@pytest.mark.parametrize(
    ("text", "actions", "complete"),
    [
        ("Nudge left to keep clear of the parked truck on the right while following the lead vehicle.",
         ["shift_left", "hold"], True),
        ("Keep distance to the lead vehicle because it is slowing and stopping.", ["hold"], True),
        ("Since the light is red, stop at the line.", ["stop"], True),
        ("The ego vehicle should decelerate smoothly and come to a full stop before the crosswalk.",
         ["slow", "stop"], True),
        ("Yield to the pedestrian who walks from the left to the right", ["slow"], True),
        ("Change lanes to the left to pass the bus that has stopped", ["shift_left"], True),
        ("Gradually slow down, then turn right at the intersection", ["slow", "turn_right"], True),
        ("Resume speed since the lead vehicle turned left", ["go"], True),
        ("Continue straight without stopping since the light is green", ["hold"], True),
        ("Accelerate to merge, and whistle a tune", ["go"], True),
        ("Remain stopped behind the bus", ["stop"], True),
        ("Be prepared to stop for the cyclist", [], False),
        ("Do not stop; the light is green", [], False),
        ("The traffic light is red and the car ahead turns left.", [], False),
        ("Ponder the roundabout", [], False),
        ("Ponder the roundabout, then stop", ["stop"], False),
        ("Stop, then proceed", [], False),
        ("Nudge left, then nudge right", [], False),
        ("Baseline, no model: hold 8.0 m/s, -0.1 m/s2 and +0.003 1/m, decaying.", [], False),
        ("", [], False),
        ("停车 🚦 \x00", [], False),
    ],
)  # fmt: skip
def test_free_text_is_read_as_far_as_it_is_understood(text, actions, complete):
    said = read(text)
    assert ([claim.action.value for claim in said.claims], said.complete) == (actions, complete)


STRAIGHT = Motion(10.0, 9.8, 10.2, 0.0, road=False)
BEND_LEFT = Motion(10.0, 9.8, 10.2, 0.9, aside=5.0, road=False)


@pytest.mark.parametrize(
    ("text", "path", "said"),
    [
        ("Turn left at the junction", STRAIGHT, "unknown"),  # it may be ahead of the path's end
        ("Turn right at the junction", BEND_LEFT, "says_turn_right_path_does_not"),
        ("Turn left at the junction", BEND_LEFT, "consistent"),
        ("Nudge left around the bike", BEND_LEFT, "unknown"),
        ("Nudge left around the bike", Motion(10, 10, 10, 0.02, aside=0.6, road=False), "consistent"),
        ("Nudge left around the bike", Motion(10, 10, 10, 0.02, aside=-0.6, road=False),
         "says_shift_left_path_does_not"),
        ("Keep lane", BEND_LEFT, "consistent"),  # the lane may bend
        ("Keep lane", Motion(10, 0, 10, 0.0, road=False), "brakes_unsaid"),
        ("Keep lane", Motion(0, 0, 0.1, 0.0, road=False), "stands_unsaid"),
        ("Stop for the light", STRAIGHT, "says_stop_path_does_not"),
        ("Slow down for the light", Motion(5, 5, 12, 0.0, road=False), "says_slow_path_does_not"),
        ("Ponder, then keep lane", Motion(10, 0, 10, 0.0, road=False), "unknown"),
        ("Ponder", STRAIGHT, "unknown"),
    ],
)  # fmt: skip
def test_without_a_route_it_says_what_it_does_not_know(text, path, said):
    reading = read(text)
    assert str(verdict(reading.claims, path, reading.complete)) == said


def _plan(*drives):
    """Samples of (text, acceleration) from 10 m/s."""
    rows = [integrate(10.0, np.full(64, a), np.zeros(64)) for _, a in drives]
    xyz, yaw, speed = (np.stack([row[k] for row in rows]) for k in range(3))
    accelerations = np.stack([np.full(64, a) for _, a in drives])
    return Plan(1, xyz, yaw, speed[:, -64:], accelerations, np.zeros_like(accelerations), tuple(t for t, _ in drives))


def test_the_most_consistent_sample_is_chosen():
    contradicted, unknown, good = ("Stop for the light", 0.0), ("Ponder", 0.0), ("Stop for the light", -1.5)
    assert most_consistent(_plan(contradicted, unknown, good, good)) == 2
    assert most_consistent(_plan(contradicted, unknown)) == 1
    assert most_consistent(_plan(contradicted, contradicted)) == 0
    assert judge(_plan(contradicted), 0).agreement is Agreement.CONTRADICTED


def test_the_baseline_claims_nothing():
    assert judge(Baseline()(make_example()), 0) == UNKNOWN
    assert verdict((), CRUISE) == UNKNOWN
