"""The README's tables of the engine are those of its last bench."""

import json
from pathlib import Path

from alpamayo_ros.bench.engine_table import markdown

ROOT = Path(__file__).parents[2]


def test_the_readme_holds_the_engines_tables():
    report = json.loads((ROOT / "results/h200/engine.json").read_text())
    text = (ROOT / "README.md").read_text()
    held = text.partition("<!-- engine -->\n")[2].partition("<!-- /engine -->")[0]
    assert held == markdown(report), "python -m alpamayo_ros bench engine --table results/h200/engine.json"


def test_every_mode_has_its_line():
    report = json.loads((ROOT / "results/h200/engine.json").read_text())
    lines = markdown(report).splitlines()
    assert [line.split(" | ")[0][2:] for line in lines[2 : 2 + len(report["modes"])]] == [
        mode["mode"] for mode in report["modes"]
    ]
