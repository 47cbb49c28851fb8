"""The closed set of causes: decisions, the component each one is about, their sentences, and the way back.

A cause is one decision and its critical component ("Stop for the red light ahead."). The rule driver says them, a
model is trained on them, and `parse` reads them for scoring. One place for the sentences.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from alpamayo_ros import guard_text
from alpamayo_ros.guard import Action, Claim


class Component(str, Enum):
    """What is cited. Those of the road itself are always in view; the others have to be looked for."""

    ROAD = "road"
    BEND = "bend"
    JUNCTION = "junction"
    CAR = "car"
    PEDESTRIAN = "pedestrian"
    CONES = "cones"
    RED_LIGHT = "red_light"
    YELLOW_LIGHT = "yellow_light"
    GREEN_LIGHT = "green_light"


@dataclass(frozen=True)
class Cause:
    """One entry of the closed set: its sentence, what it does, what it is about."""

    text: str
    action: Action
    component: Component


class Decision(Enum):
    """Every decision of the rule driver. The name is the class in a table, the value its sentence and meaning."""

    KEEP = Cause("Keep lane and speed on the clear road.", Action.HOLD, Component.ROAD)
    SPEED_UP = Cause("Speed up on the clear road.", Action.GO, Component.ROAD)
    SLOW_FOR_BEND_LEFT = Cause("Slow down for the bend to the left.", Action.SLOW, Component.BEND)
    SLOW_FOR_BEND_RIGHT = Cause("Slow down for the bend to the right.", Action.SLOW, Component.BEND)
    FOLLOW = Cause("Follow the slower car ahead.", Action.HOLD, Component.CAR)
    SLOW_FOR_BRAKING_CAR = Cause("Slow down: the car ahead is braking.", Action.SLOW, Component.CAR)
    STOP_BEHIND_CAR = Cause("Stop behind the stopped car ahead.", Action.STOP, Component.CAR)
    CUT_IN_LEFT = Cause("Make room for the car cutting in from the left.", Action.SLOW, Component.CAR)
    CUT_IN_RIGHT = Cause("Make room for the car cutting in from the right.", Action.SLOW, Component.CAR)
    STOP_FOR_PEDESTRIAN = Cause("Stop for the pedestrian crossing.", Action.STOP, Component.PEDESTRIAN)
    STOP_FOR_RED = Cause("Stop for the red light ahead.", Action.STOP, Component.RED_LIGHT)
    STOP_FOR_YELLOW = Cause("Stop for the yellow light ahead.", Action.STOP, Component.YELLOW_LIGHT)
    GO_ON_GREEN = Cause("Go: the light is green.", Action.GO, Component.GREEN_LIGHT)
    NUDGE_LEFT = Cause("Nudge left to keep clear of the cones on the right.", Action.SHIFT_LEFT, Component.CONES)
    NUDGE_RIGHT = Cause("Nudge right to keep clear of the cones on the left.", Action.SHIFT_RIGHT, Component.CONES)
    TURN_LEFT = Cause("Turn left at the junction as instructed.", Action.TURN_LEFT, Component.JUNCTION)
    TURN_RIGHT = Cause("Turn right at the junction as instructed.", Action.TURN_RIGHT, Component.JUNCTION)
    STRAIGHT_ON = Cause("Go straight at the junction as instructed.", Action.HOLD, Component.JUNCTION)

    @property
    def text(self) -> str:
        return self.value.text

    @property
    def action(self) -> Action:
        return self.value.action

    @property
    def component(self) -> Component:
        return self.value.component

    @property
    def claims(self) -> tuple[Claim, ...]:
        """What the sentence claims, as any text is read."""
        return _CLAIMS[self]


def parse(text: str) -> Decision | None:
    """The decision that a sentence states, None where it is none of the closed set.

    Case, punctuation and spaces do not count; a sentence that only begins or ends otherwise is not in the set.
    """
    return _BY_WORDS.get(_words(text))


def _words(text: str) -> str:
    return " ".join(re.findall(r"[a-z]+", text.lower()))


_BY_WORDS = {_words(decision.text): decision for decision in Decision}
_CLAIMS = {decision: guard_text.read(decision.text).claims for decision in Decision}
