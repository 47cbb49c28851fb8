"""The shipped small model drives by Autoware's trajectory: over DDS, and in one process beside the conditions."""

import json
import subprocess
import sys


def bench(tmp_path, *words):
    report = tmp_path / "report.json"
    command = [sys.executable, "-m", "alpamayo_ros", "bench", *words, "--json", str(report)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr
    return json.loads(report.read_text())


def test_the_loop_closes_over_autowares_topics(tmp_path):
    size = ["--image-size", "96x192"]
    told = bench(tmp_path, "bridges", "--bridge", "autoware", "--episodes", "1", "--seconds", "6", *size)
    (drive,) = told["drives"]
    assert told["failed"] == 0 and drive["plans"] >= 5 and drive["driving"]["progress_m"] > 3.0
    assert drive["messages_heard_per_s"]["/planning/trajectory"] > 2.0
    trajectories = drive["measured"].pop("trajectories")
    assert trajectories >= 10 and drive["measured"] == {}, "conditions of Autoware's validator that were broken"


def test_what_is_published_passes_autowares_conditions_and_nearly_every_tick_publishes(tmp_path):
    told = bench(tmp_path, "autoware", "--episodes", "2", "--seconds", "3")
    assert told["ticks"] >= 50 and told["published_share"] >= 0.95
    assert told["broken_autoware"] == {} and told["off_road"] == 0
