import json

import pytest

from alpamayo_ros.faults.lane import Case
from alpamayo_ros.faults.main import table
from alpamayo_ros.faults.report import markdown, report
from alpamayo_ros.paths import share

RESULTS = share() / "results" / "cpu"


def test_the_readme_holds_the_table_of_the_committed_results():
    assert table(RESULTS) in (share() / "README.md").read_text(), (
        "python -m alpamayo_ros faults --table results/cpu"
    )


def test_the_committed_results_are_of_the_table_of_kinds():
    from alpamayo_ros.faults.kinds import KINDS

    found = json.loads((RESULTS / "faults.json").read_text())
    assert set(found["kinds"]) <= set(KINDS) and len(found["kinds"]) >= 40
    assert found["cases"] == len(found["every_case"]) == found["passed"] + found["failed"]
    assert json.loads((RESULTS / "fuzz.json").read_text())["inputs"] >= 1_000_000


def test_a_report_is_honest_about_what_failed():
    cases = [
        Case("camera_dead", 1, "yes", named="camera_stale cross_left", named_after=0.4, back_after=0.3),
        Case("camera_dead", 2, "yes", back_after=3.0, failed="not named; plans again after 3.00 s"),
        Case("pixels_swapped", 1, "no", wrong_plans=9, back_after=0.1),
    ]
    found = report(cases, "it")
    assert (found["passed"], found["failed"]) == (2, 1)
    assert found["kinds"]["camera_dead"]["failed"] == ["seed 2: not named; plans again after 3.00 s"]
    soak = {
        "machine": {"load": 1.0},
        "share": 0.995, "minutes": 30.0, "faults": 300, "kinds": 60, "crashed": True, "plans_on_bad_input": 1,
        "failed": 3, "fault_free_ticks": 9000, "memory_mb_second_quarter": 250.0, "memory_mb_last_quarter": 251.0,
    }  # fmt: skip
    said = markdown(found, soak, {"inputs": 1_000_000, "escaped": [{}]})
    assert "| can be told | 1 | 2 | 1 of 2 | 0 | 1 of 2 | 3.00 s |" in said
    assert "| cannot be told | 1 | 1 |  | 9 |" in said
    assert "a crash" in said and "99.5 % of 9000" in said and "1,000,000 inputs, 1 escaped" in said
    assert pytest.approx(0.4) == found["kinds"]["camera_dead"]["named_after_s"]
