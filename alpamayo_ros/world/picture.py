"""One picture of one tick: four cameras with the plan in them, the scene from above, the reasoning in words.

1920x1080, for films and contact sheets. It only draws; what is true or good it does not know.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from alpamayo_ros.contract import CAMERA_ROLES, Observation, Plan
from alpamayo_ros.world.birdseye import TRUTH, BirdsEye
from alpamayo_ros.world.overlay import CHOSEN, OTHERS, draw_plan
from alpamayo_ros.world.rig import RIG
from alpamayo_ros.world.scene import Scene
from alpamayo_ros.world.state import Snapshot

WIDTH, HEIGHT = 1920, 1080
PAPER, INK, FAINT, ACCENT = (18, 21, 28), (238, 240, 244), (140, 148, 160), (64, 224, 255)
TITLES = {
    "cross_left": "cross left",
    "front_wide": "front wide",
    "cross_right": "cross right",
    "front_tele": "front tele",
}
_ABOVE = (1284, 20, 616, 1040)  # x, y, width, height of the view from above
_CAMERAS = {
    "front_wide": (20, 20, 1244, 700),
    "cross_left": (20, 740, 404, 228),
    "front_tele": (440, 740, 404, 228),
    "cross_right": (860, 740, 404, 228),
}
_WORDS = (20, 984, 1244, 76)
_FONT = cv2.FONT_HERSHEY_SIMPLEX


@dataclass(frozen=True)
class Facts:
    """What is written beside the picture: seconds since the start, speed (m/s), the policy's name, the scenario."""

    seconds: float
    speed: float
    policy: str
    scenario: str
    command: str = ""


class Painter:
    """Paints the ticks of one scene."""

    def __init__(self, scene: Scene) -> None:
        _, _, width, height = _ABOVE
        self._above = BirdsEye(scene, height, width, pixels_per_metre=9.0)

    def paint(
        self, snapshot: Snapshot, observation: Observation, plan: Plan, facts: Facts, truth: np.ndarray | None = None
    ) -> np.ndarray:
        """(1080, 1920, 3) uint8 RGB. `truth` (64, 3): the rule driver's future, where it is to be shown."""
        page = np.full((HEIGHT, WIDTH, 3), PAPER, np.uint8)
        for role, place in _CAMERAS.items():
            image = observation.images[CAMERA_ROLES.index(role)][-1]
            image = _fitted(image, place[2], place[3])
            if role in ("front_wide", "front_tele"):
                image = draw_plan(image, RIG[role], plan)
            _put(page, image, place)
            _label(page, TITLES[role], place[0] + 12, place[1] + 26)
        _put(page, self._above.draw(snapshot, observation.history_xyz, plan, truth), _ABOVE)
        self._legend(page, truth is not None)
        _words(page, plan.reasoning[plan.chosen], facts)
        return page

    def _legend(self, page: np.ndarray, with_truth: bool) -> None:
        x, y, _, height = _ABOVE
        rows = [("plan", CHOSEN), ("samples", OTHERS)] + ([("rule driver", TRUTH)] if with_truth else [])
        top = y + height - 20 - 26 * len(rows)
        _shade(page, x + 10, top - 24, 170, 26 * len(rows) + 30)
        for row, (name, colour) in enumerate(rows):
            level = top + 26 * row
            cv2.line(page, (x + 22, level), (x + 56, level), colour, 5, cv2.LINE_AA)
            _text(page, name, x + 68, level + 6, 0.52, INK)


def _fitted(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """The image at this size; its middle part where the shapes differ."""
    scale = max(width / image.shape[1], height / image.shape[0])
    smaller = scale < 1.0
    size = (max(int(round(image.shape[1] * scale)), width), max(int(round(image.shape[0] * scale)), height))
    grown = cv2.resize(image, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)
    top, left = (grown.shape[0] - height) // 2, (grown.shape[1] - width) // 2
    return grown[top : top + height, left : left + width]


def _put(page: np.ndarray, image: np.ndarray, place: tuple[int, int, int, int]) -> None:
    x, y, width, height = place
    page[y : y + height, x : x + width] = image


def _shade(page: np.ndarray, x: int, y: int, width: int, height: int) -> None:
    part = page[y : y + height, x : x + width]
    part[:] = (0.35 * part + 0.65 * np.array(PAPER)).astype(np.uint8)


def _text(
    page: np.ndarray, text: str, x: int, y: int, size: float, colour: tuple[int, int, int], weight: int = 1
) -> None:
    cv2.putText(page, text, (x, y), _FONT, size, colour, weight, cv2.LINE_AA)


def _label(page: np.ndarray, text: str, x: int, y: int) -> None:
    (width, _), _ = cv2.getTextSize(text, _FONT, 0.52, 1)
    _shade(page, x - 6, y - 18, width + 12, 26)
    _text(page, text, x, y, 0.52, INK)


def _words(page: np.ndarray, reasoning: str, facts: Facts) -> None:
    """The reasoning in large letters, and a line of facts beneath."""
    x, y, width, _ = _WORDS
    size = 1.15
    while size > 0.6 and cv2.getTextSize(reasoning, _FONT, size, 2)[0][0] > width - 20:
        size -= 0.05
    while cv2.getTextSize(reasoning, _FONT, size, 2)[0][0] > width - 20:
        reasoning = reasoning[:-4] + "..." if reasoning.endswith("...") else reasoning[:-3] + "..."
    _text(page, reasoning, x, y + 32, size, ACCENT, 2)
    command = f"   command: {facts.command}" if facts.command else ""
    line = f"{facts.seconds:5.1f} s   {3.6 * facts.speed:3.0f} km/h   {facts.policy}   {facts.scenario}{command}"
    _text(page, line, x, y + 68, 0.6, FAINT)
