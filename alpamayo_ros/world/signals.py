"""Plays a traffic light: when it changes, by the ego's approach and by the clock."""

from __future__ import annotations

from dataclasses import dataclass

from alpamayo_ros.world.cast import LightPlan
from alpamayo_ros.world.state import Colour, LightState
from alpamayo_ros.world.vehicle import EgoOnRoad

YELLOW_S = 3.0
WAITED_FOR_WITHIN = 30.0  # metres to the line, from which a red light counts the ego's wait


@dataclass
class Light:
    """One junction's signal; `stop_s` is its stop line."""

    plan: LightPlan
    stop_s: float
    since_s: float = 0.0

    def __post_init__(self) -> None:
        self.colour = self.plan.first
        self.done = False

    def step(self, dt: float, ego: EgoOnRoad) -> None:
        room = self.stop_s - ego.front_s
        if self.colour is Colour.GREEN:
            needed = ego.speed**2 / (2 * max(room, 0.3))
            if not self.done and self.plan.braking is not None and room > 0 and needed >= self.plan.braking:
                self._show(Colour.YELLOW)
        elif self.colour is Colour.YELLOW:
            self.since_s += dt
            if self.since_s >= YELLOW_S:
                self._show(Colour.RED)
        elif self.plan.braking is not None or room < WAITED_FOR_WITHIN:
            self.since_s += dt
            if self.since_s >= self.plan.red_s:
                self._show(Colour.GREEN)
                self.done = True

    def _show(self, colour: Colour) -> None:
        self.colour, self.since_s = colour, 0.0

    def state(self) -> LightState:
        return LightState(self.plan.junction, self.colour)
