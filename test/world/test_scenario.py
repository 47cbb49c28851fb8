import subprocess
import sys
from collections import Counter
from itertools import islice

import pytest

from alpamayo_ros.world.scenario import BEHAVIOURS, Daylight, Family, Layout, Zone, draw
from alpamayo_ros.world.split import SEED_MODULUS, Split, held_out_combination, scenarios, split_of


def test_the_same_family_and_seed_give_the_same_scenario_in_another_process():
    code = (
        "from alpamayo_ros.world.scenario import draw; print(draw('cones', 7), draw('cut_in', 8).stream('x').random())"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == f"{draw('cones', 7)} {draw('cut_in', 8).stream('x').random()}"


def test_an_unknown_family_or_seed_is_refused():
    with pytest.raises(ValueError, match="no_such"):
        draw("no_such", 0)
    with pytest.raises(ValueError, match="-1"):
        draw("cones", -1)


@pytest.mark.parametrize("family", Family)
def test_factors_are_independent(family):
    drawn = [draw(family, seed) for seed in range(600)]
    assert {scenario.behaviour for scenario in drawn} == set(BEHAVIOURS[family])
    pairs = Counter((scenario.zone, scenario.daylight) for scenario in drawn)
    assert len(pairs) == len(Zone) * len(Daylight)
    assert min(pairs.values()) > 60  # 100 expected
    by_behaviour = Counter((scenario.behaviour, scenario.daylight) for scenario in drawn)
    assert min(by_behaviour.values()) > 0.6 * 600 / (2 * len(BEHAVIOURS[family]))


def test_turns_carry_their_command():
    for seed in range(30):
        scenario = draw(Family.JUNCTION, seed)
        assert (
            scenario.command == {"left": "turn left", "right": "turn right", "straight": "go straight"}[scenario.turn]
        )


def test_splits_follow_from_seed_and_factors_alone():
    for seed in range(200):
        scenario = draw(Family.CONES, seed)
        split = split_of(scenario)
        if held_out_combination(scenario):
            assert split is Split.HELD_OUT_COMBINATION
        else:
            assert (split is Split.HELD_OUT_SEED) == (seed % SEED_MODULUS == SEED_MODULUS - 1)


@pytest.mark.parametrize("family", Family)
def test_every_single_factor_is_trained_on_though_some_combinations_are_not(family):
    drawn = [draw(family, seed) for seed in range(400)]
    trained = [scenario for scenario in drawn if split_of(scenario) is Split.TRAIN]
    for factor in ("zone", "daylight", "layout", "bend", "behaviour"):
        assert {getattr(s, factor) for s in trained} == {getattr(s, factor) for s in drawn}
    held = sum(held_out_combination(scenario) for scenario in drawn)
    assert 0.08 * len(drawn) < held < 0.4 * len(drawn)


def test_streams_of_a_split_hold_nothing_else_and_take_the_families_in_turn():
    trained = list(islice(scenarios(Split.TRAIN), 33))
    assert all(split_of(scenario) is Split.TRAIN for scenario in trained)
    assert [scenario.family for scenario in trained[:11]] == list(Family)
    held = list(islice(scenarios(None, (Family.CUT_IN,)), 10))
    assert Counter(split_of(s) for s in held) == {Split.HELD_OUT_SEED: 5, Split.HELD_OUT_COMBINATION: 5}
    assert all(s.layout is Layout.DUAL for s in held)
