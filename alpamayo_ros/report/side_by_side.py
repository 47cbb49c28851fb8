"""Two replays side by side as one HTML file without a script: numbers, intervals, and the ticks that differ most."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import numpy as np

from alpamayo_ros.report.page import part

_TITLES = {
    "refused": "ticks refused", "plan_to_plan": "from plan to plan, m", "reasoning_action": "reasoning and path agree",
    "comfort": "comfort bounds held",
}  # fmt: skip
_UNITS = {
    "min_ade": "minADE", "ade": "ADE", "fde": "FDE", "min_fde": "minFDE", "miss": "missed", "heading": "heading error",
    "lateral": "lateral error", "longitudinal": "longitudinal error",
}  # fmt: skip
WIDTH, HEIGHT = 250, 340


def write_comparison(path: Path, said: dict[str, Any]) -> None:
    """`said` is what `replay.compare.compare` gave."""
    escape = html.escape
    rows = "\n".join(_row(name, d, said["by_bag"][name]) for name, d in said["numbers"].items())
    examples = "\n".join(_example(example) for example in said["examples"])
    lost = f"<p>Only in one of the two: {escape(', '.join(said['only_in_one']))}.</p>" if said["only_in_one"] else ""
    text = part("compare.html")
    fields = {
        "style": part("page.css") + part("compare.css"),
        "a": escape(said["a"]["label"]), "b": escape(said["b"]["label"]),
        "extent": f"{said['ticks']} ticks of {said['bags']} bags, in {said['blocks']} blocks ({said['block']})",
        "rows": rows, "examples": examples or "<p>The two plan alike everywhere.</p>", "lost": lost,
    }  # fmt: skip
    for name, value in fields.items():
        text = text.replace("{{" + name + "}}", value)
    working = path.with_name(path.name + ".part")
    working.write_text(text)
    working.replace(path)


def title(name: str) -> str:
    """A number's name in words."""
    base, _, horizon = name.rpartition("_")
    if base in _UNITS and horizon.endswith("s"):
        return f"{_UNITS[base]} at {horizon[:-1]} s"
    return _TITLES.get(name, name.removeprefix("comfort_").replace("_", " ") + " bound held")


def _row(name: str, d: dict[str, Any], by_bag: dict[str, dict[str, float]]) -> str:
    p = "\u2013" if d["p_holm"] is None else f"{d['p_holm']:.3f}" if d["p_holm"] >= 0.001 else "&lt; 0.001"
    cells = [f"{d['a']:.3f}", f"{d['b']:.3f}", f"{d['difference']:+.3f}", _interval(d, by_bag), p]
    kind = {"better": "good", "worse": "worse"}.get(d["verdict"], "")
    mark = {"better": "\u25b2 ", "worse": "\u25bc "}.get(d["verdict"], "")
    body = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr class="{kind}"><th>{html.escape(title(name))}</th>{body}<td>{mark}{d["verdict"]}</td></tr>'


def _interval(d: dict[str, Any], by_bag: dict[str, dict[str, float]]) -> str:
    """The interval as a bar around a dot, the bags as ticks, zero as a line."""
    width, height = 220, 22
    values = [bag["difference"] for bag in by_bag.values()] if len(by_bag) > 1 else []
    outer = np.quantile(values, [0.05, 0.95]) if values else []
    reach = 1.1 * max(map(abs, (d["low"], d["high"], *outer))) or 1.0

    def x(value: float) -> float:
        return width / 2 + np.clip(value / reach, -1, 1) * (width / 2 - 5)

    bags = "".join(f'<path class="bag" d="M{x(v):.1f} 4V18"/>' for v in values)
    return (
        f'<svg class="interval" viewBox="0 0 {width} {height}"><path class="zero" d="M{width / 2} 0V{height}"/>{bags}'
        f'<path class="bar" d="M{x(d["low"]):.1f} 11H{x(d["high"]):.1f}"/>'
        f'<circle cx="{x(d["difference"]):.1f}" cy="11" r="4"/></svg>'
    )


def _example(example: dict[str, Any]) -> str:
    escape = html.escape
    paths = {name: np.array([[0.0, 0.0], *example[name]["xy"]]) for name in ("a", "b")}
    driven = np.array([[0.0, 0.0], *example["driven"]])
    every = np.concatenate([*paths.values(), driven])
    low, high = every.min(axis=0) - 3.0, every.max(axis=0) + 3.0
    scale = min(HEIGHT / (high[0] - low[0]), WIDTH / max(high[1] - low[1], 8.0))
    middle = (low[1] + high[1]) / 2

    def d(points: np.ndarray) -> str:
        across, along = WIDTH / 2 - (points[:, 1] - middle) * scale, HEIGHT - (points[:, 0] - low[0]) * scale
        return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in zip(across, along, strict=True))

    lines = "".join(
        f'<path class="{kind}" d="{d(points)}"/>' for kind, points in (("driven", driven), *paths.items())
    )
    said = "".join(
        f'<p><b>{name.upper()}</b> {escape(example[name]["reasoning"] or "(no reasoning)")}</p>' for name in ("a", "b")
    )
    where = f"{escape(example['bag'])}, {example['since_start']:.1f} s, {example['apart']:.1f} m apart on average"
    picture = f'<svg class="paths" viewBox="0 0 {WIDTH} {HEIGHT}">{lines}</svg>'
    return f"<article><h2>{where}</h2>{picture}{said}</article>"
