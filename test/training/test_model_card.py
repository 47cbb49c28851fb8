"""The card that ships is the one that its numbers give, and it says where they fall short."""

import json
from pathlib import Path

from alpamayo_ros import paths
from alpamayo_ros.training import card

RESULTS = Path(__file__).parents[2] / "results" / "tiny"
STOPS = RESULTS / "stops.json"
BESIDE = [RESULTS / f"evaluate_{name}.json" for name in ("baseline", "oracle")]


def test_the_shipped_card_is_what_the_results_give():
    folder = paths.model("tiny")
    written = card.text(folder, RESULTS / "training.json", RESULTS / "h200_evaluation.json", STOPS, BESIDE)
    assert (folder / "README.md").read_text() == written


def test_a_bar_that_is_missed_is_said(tmp_path):
    numbers = json.loads((RESULTS / "h200_evaluation.json").read_text())
    numbers["closed_loop"]["red_light_run"] = {"value": 0.05, "low": 0.03, "high": 0.08}
    numbers["closed_loop"]["progress"] = {"value": 0.97, "low": 0.96, "high": 0.98}
    changed = tmp_path / "evaluation.json"
    changed.write_text(json.dumps(numbers))
    lines = card.text(paths.model("tiny"), RESULTS / "training.json", changed, STOPS, []).splitlines()
    assert "| red light run | 5.0 [3.0, 8.0] | at most 2 | **no** |" in lines
    assert "| progress, of the rule driver's | 97.0 [96.0, 98.0] | at least 95 | yes |" in lines
