import json
from dataclasses import replace

import numpy as np
import pytest

from alpamayo_ros.world.causes import Decision
from alpamayo_ros.world.evaluate import evaluate, main
from alpamayo_ros.world.report import summarise
from alpamayo_ros.world.scenario import Family, draw
from alpamayo_ros.world.table import table
from alpamayo_ros.world.trial import Setup

SHORT = Setup(seconds=2.0, open_every=5)
TRIED = [draw(Family.LEAD_STEADY, 4), draw(Family.TRAFFIC_LIGHT, 4), draw(Family.CONES, 9)]


def test_one_job_and_two_give_the_same_numbers():
    serial = summarise(list(evaluate("baseline", {}, TRIED, SHORT, jobs=1)))
    parallel = summarise(list(evaluate("baseline", {}, TRIED, SHORT, jobs=2)))
    assert json.dumps(serial) == json.dumps(parallel)


def test_the_rule_driver_is_the_upper_yardstick():
    summary = summarise(list(evaluate("oracle", {}, TRIED, SHORT)))
    assert summary["closed_loop"]["progress"]["value"] == pytest.approx(1.0, abs=0.02)
    assert summary["open_loop"]["min_ade"]["value"] == 0.0
    assert summary["reasoning_open_loop"]["macro_recall"]["value"] == 1.0
    assert summary["reasoning_closed_loop"]["agreement"]["value"] == 1.0
    assert summary["closed_loop"]["off_road"] == {"value": 0.0, "low": 0.0, "high": pytest.approx(0.5615, abs=1e-3)}


def test_the_baseline_says_nothing_of_the_set():
    trials = list(evaluate("baseline", {"curvature_decay": 5.0}, TRIED[:1], SHORT))
    summary = summarise(trials)
    assert summary["reasoning_closed_loop"]["outside_the_set"]["value"] == 1.0
    assert summary["reasoning_closed_loop"]["macro_recall"]["value"] == 0.0
    assert "lead_steady" in table(summary)


def test_the_command_line_writes_everything(tmp_path, capsys):
    target = tmp_path / "out" / "world.json"
    argv = ["--policy", "oracle", "--episodes", "2", "--seconds", "1", "--family", "cut_in", "--json", str(target)]
    assert main(argv) == 0
    written = json.loads(target.read_text())
    assert written["episodes"] == 2
    assert written["splits"] == {"held_out_combination": 1, "held_out_seed": 1}
    assert "cut_in" in capsys.readouterr().out


def test_an_option_without_a_value_is_refused():
    with pytest.raises(ValueError, match="NAME=VALUE"):
        main(["--policy", "baseline", "--option", "decay", "--episodes", "1"])


def test_the_macro_average_counts_classes_alike_and_a_confusion_is_named():
    trials = list(evaluate("oracle", {}, TRIED[:1], SHORT))
    scores = [replace(trials[0].closed[0], truth=Decision.KEEP, said=Decision.KEEP)] * 98
    scores += [replace(trials[0].closed[0], truth=Decision.FOLLOW, said=Decision.KEEP)] * 2
    summary = summarise([replace(trials[0], closed=tuple(scores))])["reasoning_closed_loop"]
    assert summary["macro_recall"]["value"] == pytest.approx(0.5)
    assert summary["accuracy"]["value"] == pytest.approx(0.98)
    assert summary["classes"]["FOLLOW"]["said_instead"] == {"KEEP": 2}


def test_a_sentence_said_again_is_counted():
    trials = list(evaluate("oracle", {}, TRIED[:1], SHORT))
    said = [Decision.KEEP, Decision.KEEP, Decision.FOLLOW, None, None]
    scores = tuple(replace(trials[0].closed[0], said=each) for each in said)
    repeated = summarise([replace(trials[0], closed=scores)])["sentence_repeated"]
    assert (repeated["pairs"], repeated["value"]) == (4, 0.25)


def test_intervals_hold_the_value_and_narrow_with_episodes():
    trials = list(evaluate("baseline", {}, TRIED, SHORT))
    few, many = summarise(trials), summarise(trials * 8)
    for each in (few, many):
        ade = each["open_loop"]["min_ade"]
        assert ade["low"] <= ade["value"] <= ade["high"]
    spread = [each["open_loop"]["min_ade"]["high"] - each["open_loop"]["min_ade"]["low"] for each in (few, many)]
    assert spread[1] < 0.6 * spread[0]
    assert np.isfinite(spread).all()
