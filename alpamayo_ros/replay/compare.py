"""`compare A B`: two replays of the same bags, tick by tick. Writes compare.json and compare.html.

A and B are the directories of two `replay` runs; only ticks that both have count. Each number comes with a 95 %
interval and a test that know that neighbouring ticks are not independent (block bootstrap, sign flips of blocks).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from alpamayo_ros.replay import outputs
from alpamayo_ros.replay.paired import BLOCK_NS, Difference, blocks, difference, holm
from alpamayo_ros.replay.run import METRICS

PLANS = "plans.parquet"
# Numbers for which less is better, more is better; of the others neither.
LESS, MORE = ("ade_", "min_ade_", "fde_", "min_fde_", "miss_", "lateral_", "longitudinal_", "heading_"), ("comfort",)
# Not compared: how far the bag reaches is the same for both, and what is over less than it is not one number.
LEFT_OUT = ("horizon", "min_ade")
EXAMPLES = 5
ORDER = (*LESS[1:2], LESS[0], *LESS[2:], "plan_to_plan", "reasoning_action", "refused", "comfort")


class CompareError(ValueError):
    """Two directories that cannot be compared, and why."""


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="alpamayo_ros compare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("a", type=Path, help="the results of one replay")
    parser.add_argument("b", type=Path, help="of the other")
    parser.add_argument("--out", type=Path, required=True, help="directory of the comparison")
    parser.add_argument("--seed", type=int, default=0, help="of the resamples")
    options = parser.parse_args(argv)
    try:
        said = compare(options.a, options.b, options.seed)
        options.out.mkdir(parents=True, exist_ok=True)
        from alpamayo_ros.report.side_by_side import write_comparison

        write_comparison(options.out / "compare.html", said)
        outputs.write_json(options.out / "compare.json", {k: v for k, v in said.items() if k != "examples"})
    except CompareError as error:
        print(f"compare: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"compare: {error.filename or options.out} cannot be written: {error.strerror or error}", file=sys.stderr)
        return 2
    print(table(said))
    print(f"\n{options.out / 'compare.html'}")
    return 0


def compare(a: Path, b: Path, seed: int = 0) -> dict[str, Any]:
    """Everything about the two, as JSON.

    Raises:
        CompareError: no replay in one of them, or no tick that both have.
    """
    names = sorted(set(_bags(a)) & set(_bags(b)))
    if not names:
        raise CompareError(f"{a} and {b} have no replay of a bag of the same name")
    rows = {name: _paired(_bags(a)[name], _bags(b)[name]) for name in names}
    ticks = {name: [t0 for t0, *_ in found] for name, found in rows.items() if found}
    if not ticks:
        raise CompareError(f"the replays in {a} and {b} have no tick in common: other bags, or other parameters?")
    block = blocks(ticks)
    series: dict[str, list[tuple[float, float, int, str]]] = {}
    for name, found in rows.items():
        for t0, one, other in found:
            for number, (x, y) in _numbers(one, other).items():
                series.setdefault(number, []).append((x, y, block[name, t0], name))
    measured = {number: _difference(series[number], seed) for number in sorted(series, key=_rank)}
    # What is the same everywhere can be no discovery, and does not count among the tests (Tarone 1990).
    corrected = holm({number: d.p for number, d in measured.items() if d.p is not None and d.differs})
    measured = {number: dataclasses.replace(d, p_holm=corrected.get(number)) for number, d in measured.items()}
    return {
        "a": _about(a, names),
        "b": _about(b, names),
        "bags": len(ticks),
        "ticks": sum(map(len, ticks.values())),
        "blocks": len(set(block.values())),
        "block": "bag" if len(ticks) == len(set(block.values())) else "6.4 s of a bag",
        "only_in_one": sorted(set(_bags(a)) ^ set(_bags(b))),
        "numbers": {number: dataclasses.asdict(d) | {"verdict": verdict(number, d)} for number, d in measured.items()},
        "by_bag": {number: _by_bag(series[number]) for number in measured},
        "examples": _examples(rows),
    }


def verdict(number: str, d: Difference) -> str:
    """ "better", "worse" or "different" of B where the corrected test says so; else "no difference shown"."""
    if not d.differs:
        return "the same"
    if d.p_holm is None:
        return "too few blocks to test"
    if d.p_holm >= 0.05:
        return "no difference shown"
    if number.startswith(MORE) or number == "reasoning_action":
        return "better" if d.difference > 0 else "worse"
    if number.startswith(LESS) or number in ("refused", "plan_to_plan"):
        return "better" if d.difference < 0 else "worse"
    return "different"


def table(said: dict[str, Any]) -> str:
    """For a terminal."""
    lines = [
        f"A: {said['a']['label']}\nB: {said['b']['label']}",
        f"{said['ticks']} ticks of {said['bags']} bags, {said['blocks']} blocks ({said['block']})\n",
        f"{'':<30}{'A':>10}{'B':>10}{'B - A':>10}   {'95 % interval':<22}{'p (Holm)':>9}",
    ]
    for number, d in said["numbers"].items():
        p = "-" if d["p_holm"] is None else f"{d['p_holm']:.4f}"
        means = f"{d['a']:>10.4f}{d['b']:>10.4f}{d['difference']:>+10.4f}"
        interval = f"[{d['low']:+.4f}, {d['high']:+.4f}]"
        lines.append(f"{number:<30}{means}   {interval:<22}{p:>9}  {d['verdict']}")
    return "\n".join(lines)


def _rank(number: str) -> tuple[int, str]:
    return next((k for k, begin in enumerate(ORDER) if number.startswith(begin)), len(ORDER)), number


def _bags(folder: Path) -> dict[str, Path]:
    """Bag name -> directory of its replay; the directory itself may be one."""
    if not folder.is_dir():
        raise CompareError(f"{folder} is no directory; give the --out of a replay")
    if (folder / PLANS).exists():
        return {folder.name: folder}
    return {path.parent.name: path.parent for path in sorted(folder.glob(f"*/{PLANS}"))}


def _paired(a: Path, b: Path) -> list[tuple[int, dict, dict]]:
    """(t0, row of A, row of B) of the ticks that both judged."""
    one, other = ({row["t0_ns"]: row for row in _rows(folder)} for folder in (a, b))
    return [(t0, one[t0], other[t0]) for t0 in sorted(set(one) & set(other))]


def _rows(folder: Path) -> list[dict]:
    import pyarrow.parquet as pq

    columns = ("t0_ns", "refusal", "metrics", "reasoning", "chosen", "xyz", "driven_xyz")
    return [row for row in pq.read_table(folder / PLANS, columns=list(columns)).to_pylist() if row["t0_ns"] is not None]


def _numbers(one: dict, other: dict) -> dict[str, tuple[float, float]]:
    found = {"refused": (float(one["refusal"] is not None), float(other["refusal"] is not None))}
    x, y = dict(one["metrics"] or {}), dict(other["metrics"] or {})
    return found | {name: (x[name], y[name]) for name in x if name in y and name not in LEFT_OUT}


def _difference(values: list[tuple[float, float, int, str]], seed: int) -> Difference:
    a, b, block = (np.array([value[k] for value in values]) for k in (0, 1, 2))
    return difference(a, b, block, seed)


def _by_bag(values: list[tuple[float, float, int, str]]) -> dict[str, dict[str, float]]:
    bags: dict[str, list[tuple[float, float]]] = {}
    for x, y, _, name in values:
        bags.setdefault(name, []).append((x, y))
    means = {name: np.mean(pairs, axis=0) for name, pairs in bags.items()}
    return {name: {"a": float(x), "b": float(y), "difference": float(y - x)} for name, (x, y) in means.items()}


def _examples(rows: dict[str, list[tuple[int, dict, dict]]]) -> list[dict[str, Any]]:
    """The ticks where the chosen plans are furthest apart, one a bag and 6.4 s."""
    found = []
    for name, pairs in rows.items():
        for t0, one, other in pairs:
            if one["refusal"] is None and other["refusal"] is None:
                x, y = _chosen(one), _chosen(other)
                found.append((float(np.linalg.norm(x - y, axis=1).mean()), name, t0, one, other, x, y))
    found.sort(key=lambda each: -each[0])
    picked: list[dict[str, Any]] = []
    for apart, name, t0, one, other, x, y in found:
        if any(e["bag"] == name and abs(e["t0_ns"] - t0) < BLOCK_NS for e in picked):
            continue
        driven = np.array(one["driven_xyz"]).reshape(-1, 3)[:, :2]
        picked.append(
            {
                "bag": name, "t0_ns": t0, "since_start": (t0 - rows[name][0][0]) / 1e9, "apart": apart,
                "a": {"xy": x.tolist(), "reasoning": one["reasoning"][one["chosen"]]},
                "b": {"xy": y.tolist(), "reasoning": other["reasoning"][other["chosen"]]},
                "driven": driven.tolist(),
            }
        )  # fmt: skip
        if len(picked) == EXAMPLES:
            break
    return picked


def _chosen(row: dict) -> np.ndarray:
    return np.array(row["xyz"]).reshape(-1, 64, 3)[row["chosen"], :, :2]


def _about(folder: Path, names: list[str]) -> dict[str, Any]:
    """What a replay was: its directory, policy and what-ifs."""
    path = _bags(folder)[names[0]] / METRICS
    said = json.loads(path.read_text()) if path.exists() else {}
    words = [str(folder), f"policy {said.get('policy', '?')}"]
    words += [f"{name} {value}" for name, value in said.get("parameters", {}).items()]
    what_if = said.get("what_if", {})
    words += [f"command {what_if['command']!r}"] if what_if.get("command") is not None else []
    words += [f"without {role}" for role in what_if.get("dropped", [])]
    return {"path": str(folder), "label": ", ".join(words)}
