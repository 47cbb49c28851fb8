"""The losses over the steps as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

WIDTH, HEIGHT, EDGE = 520, 260, 46
_INK, _GRID, _LINE, _SMOOTH = (40, 40, 40), (225, 225, 225), (215, 190, 165), (170, 90, 20)


def draw(history: Sequence[Mapping[str, float]], names: Sequence[str], path: Path, across: int = 3) -> None:
    """One panel for each name, against "step"; logarithmic where all values are above zero."""
    panels = [_panel(history, name) for name in names]
    panels += [np.full_like(panels[0], 255)] * (-len(panels) % across)
    rows = [np.hstack(panels[first : first + across]) for first in range(0, len(panels), across)]
    cv2.imwrite(str(path), np.vstack(rows))


def _panel(history: Sequence[Mapping[str, float]], name: str) -> np.ndarray:
    image = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    cv2.putText(image, name, (EDGE, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.55, _INK, 1, cv2.LINE_AA)
    points = [(row["step"], row[name]) for row in history if name in row]
    if len(points) < 2:
        return image
    steps, values = np.array(points, dtype=np.float64).T
    logarithmic = bool((values > 0).all() and name != "said")
    levels = np.log10(values) if logarithmic else values
    low, high = float(levels.min()), float(max(levels.max(), levels.min() + 1e-6))
    for share in (0.0, 0.5, 1.0):
        y = int(HEIGHT - EDGE - share * (HEIGHT - 2 * EDGE))
        level = low + share * (high - low)
        cv2.line(image, (EDGE, y), (WIDTH - 12, y), _GRID, 1)
        cv2.putText(image, f"{10**level if logarithmic else level:.3g}", (2, y + 4), 0, 0.38, _INK, 1, cv2.LINE_AA)
    cv2.putText(image, f"{int(steps[-1])} steps", (WIDTH - 110, HEIGHT - 18), 0, 0.42, _INK, 1, cv2.LINE_AA)
    kernel = np.full(min(15, len(levels)), 1.0 / min(15, len(levels)))
    edge = len(kernel) // 2
    smooth = np.convolve(np.pad(levels, (edge, len(kernel) - 1 - edge), mode="edge"), kernel, mode="valid")
    for row, colour, thickness in ((levels, _LINE, 1), (smooth, _SMOOTH, 2)):
        x = EDGE + (steps - steps[0]) / max(steps[-1] - steps[0], 1) * (WIDTH - EDGE - 12)
        y = HEIGHT - EDGE - (row - low) / (high - low) * (HEIGHT - 2 * EDGE)
        cv2.polylines(image, [np.stack([x, y], -1).astype(np.int32)], False, colour, thickness, cv2.LINE_AA)
    return image
