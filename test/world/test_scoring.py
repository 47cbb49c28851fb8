from dataclasses import replace

import numpy as np
import pytest
from world.scenes import car_at, on_route, scenario

from alpamayo_ros.world.causes import Decision
from alpamayo_ros.world.oracle import as_plan, label
from alpamayo_ros.world.scenario import Layout
from alpamayo_ros.world.scene import build
from alpamayo_ros.world.scoring import score

ROAD = build(scenario("empty_road", 9, layout=Layout.TWO_WAY))
CLEAR = on_route(ROAD, 30.0, ROAD.scenario.speed_limit)
FOLLOWING = replace(CLEAR, cars=(car_at(ROAD, 52.0, speed=5.0),))


def scored(snapshot, said: str, change=lambda plan: plan):
    truth = label(ROAD, snapshot)
    plan = change(replace(as_plan(truth, snapshot.t_ns), reasoning=(said,)))
    return score(ROAD, snapshot, truth, plan)


def test_the_truth_scores_full_marks():
    found = scored(FOLLOWING, Decision.FOLLOW.text)
    assert (found.said, found.agrees, found.absent, found.min_ade) == (Decision.FOLLOW, True, False, 0.0)


def test_a_cause_that_is_not_in_the_window_is_absent_and_one_that_is_there_is_only_wrong():
    assert scored(CLEAR, Decision.FOLLOW.text).absent
    assert scored(CLEAR, Decision.STOP_FOR_RED.text).absent
    there = scored(FOLLOWING, Decision.STOP_BEHIND_CAR.text)
    assert there.said is Decision.STOP_BEHIND_CAR and there.said is not there.truth and not there.absent


def test_words_outside_the_set_are_none_and_agree_only_with_a_path_that_does_not_act():
    found = scored(CLEAR, "Baseline, no model.")
    assert found.said is None and found.agrees and not found.acts


def test_the_distance_is_of_the_best_of_six_samples():
    def fan(plan):
        xyz = np.concatenate([plan.xyz + [0.0, offset, 0.0] for offset in (3.0, -2.0, 0.5, 4.0, 5.0, 6.0, 0.0)])
        rows = {
            name: np.repeat(getattr(plan, name), 7, axis=0) for name in ("yaw", "speed", "acceleration", "curvature")
        }
        return replace(plan, xyz=xyz, reasoning=plan.reasoning * 7, **rows)

    assert scored(CLEAR, Decision.KEEP.text, fan).min_ade == pytest.approx(0.5)
