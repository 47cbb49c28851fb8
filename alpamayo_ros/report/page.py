"""The report's file: the page's own parts, the numbers as JSON, arrays and pictures in base64. Nothing is fetched."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from alpamayo_ros.contract import CAMERA_ROLES

if TYPE_CHECKING:
    from alpamayo_ros.report.collect import Collector

HERE = Path(__file__).parent


def part(name: str) -> str:
    """A file of the page's own (HTML, CSS, JavaScript)."""
    return (HERE / name).read_text()


def write_page(path: Path, collected: Collector, said: Mapping[str, Any]) -> None:
    """Writes the report; it is there whole or not at all."""
    from alpamayo_ros.report.collect import UNIT

    offsets, pictures = _pictures(collected.pictures)
    arrays = collected.stacked()
    facts = {
        "said": said,
        "ticks": collected.ticks,
        "stride": collected.stride,
        "roles": list(CAMERA_ROLES),
        "drawn": sorted(collected.cameras),
        "unit": UNIT,
        "offsets": offsets,
        "arrays": {name: {"type": str(a.dtype), "shape": a.shape} for name, a in arrays.items()},
    }
    page = part("page.html")
    title = html.escape(f"{Path(said['bag']).name} with {said['policy']}")
    fields = {"title": title, "style": part("page.css"), "script": part("page.js"), "facts": _json(facts)}
    head, _, tail = page.partition("<!--blobs-->")
    working = path.with_name(path.name + ".part")
    with working.open("w") as file:
        file.write(_filled(head, fields))
        for name, array in arrays.items():
            _blob(file, f"array-{name}", base64.b64encode(array.tobytes()).decode())
        _blob(file, "pictures", pictures)
        file.write(_filled(tail, fields))
    working.replace(path)


def _pictures(pictures: list[bytes]) -> tuple[list[int], str]:
    """Where each picture begins in the base64 text, and that text; each is padded to whole groups of three bytes."""
    texts = [base64.b64encode(data + b"\0" * (-len(data) % 3)).decode() for data in pictures]
    offsets = np.concatenate([[0], np.cumsum([len(text) for text in texts])]).astype(int).tolist()
    return offsets, "".join(texts)


def _blob(file: Any, name: str, text: str) -> None:
    file.write(f'<script type="text/plain" id="{name}">{text}</script>\n')


def _filled(text: str, fields: Mapping[str, str]) -> str:
    for name, value in fields.items():
        text = text.replace("{{" + name + "}}", value)
    return text


def _json(value: Any) -> str:
    """JSON that may stand in a script element: nothing in it ends one. NaN is null."""
    return json.dumps(_plain(value), separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
