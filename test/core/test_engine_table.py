"""The README's tables of the engine are those of its last bench."""

import json
from pathlib import Path

from alpamayo_ros.bench.engine_table import markdown

ROOT = Path(__file__).parents[2]


FILES = "results/h200/engine.json", "results/h200/engine_24gb.json"


def reports():
    return [json.loads((ROOT / name).read_text()) for name in FILES if (ROOT / name).exists()]


def test_the_readme_holds_the_engines_tables():
    text = (ROOT / "README.md").read_text()
    held = text.partition("<!-- engine -->\n")[2].partition("<!-- /engine -->")[0]
    assert held == markdown(*reports()), f"python -m alpamayo_ros bench engine --table {' '.join(FILES)}"


def test_every_mode_has_its_line():
    modes = [mode["mode"] for report in reports() for mode in report["modes"]]
    lines = markdown(*reports()).splitlines()
    assert [line.split(" | ")[0][2:] for line in lines[2 : 2 + len(modes)]] == modes
