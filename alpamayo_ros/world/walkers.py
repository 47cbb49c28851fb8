"""Plays a pedestrian: standing by, walking along, or crossing once the ego comes near."""

from __future__ import annotations

import math
from dataclasses import dataclass

from alpamayo_ros.world.cast import WALKING_SPEED, PedestrianPlan
from alpamayo_ros.world.curves import Curve
from alpamayo_ros.world.state import PEDESTRIAN_BODY, PedestrianState
from alpamayo_ros.world.vehicle import BODY as EGO_BODY
from alpamayo_ros.world.vehicle import EgoOnRoad


@dataclass
class Walker:
    """One pedestrian beside or on the main road."""

    plan: PedestrianPlan
    walking: bool = False
    walked: float = 0.0

    def __post_init__(self) -> None:
        self.s, self.d = self.plan.s, self.plan.d
        self.speed = 0.0

    def step(self, dt: float, ego: EgoOnRoad) -> None:
        plan = self.plan
        self.speed = 0.0
        if plan.along:
            self.speed = WALKING_SPEED
            self.s += plan.along * WALKING_SPEED * dt
        elif plan.to_d != plan.d:
            self._cross(dt, ego)
        self.walked += self.speed * dt

    def _cross(self, dt: float, ego: EgoOnRoad) -> None:
        distance = self.plan.s - ego.front_s
        braking = ego.speed**2 / (2 * 2.5)
        if not self.walking:
            self.walking = 0.0 < distance < 5.0 + braking + self.plan.margin_s * ego.speed
            return
        left = self.plan.to_d - self.d
        if abs(left) < 0.02 or self._blocked(ego, math.copysign(1.0, left)):
            return
        self.speed = WALKING_SPEED
        self.d += math.copysign(min(WALKING_SPEED * dt, abs(left)), left)

    def _blocked(self, ego: EgoOnRoad, direction: float) -> bool:
        """The ego's body stands where the next step would go."""
        reach = PEDESTRIAN_BODY.width / 2 + 0.3
        if not ego.s - 1.0 - reach < self.s < ego.front_s + reach:
            return False
        aside = (ego.d - self.d) * direction
        return -EGO_BODY.width / 2 < aside < EGO_BODY.width / 2 + reach + 0.5

    def state(self, main: Curve) -> PedestrianState:
        x, y, yaw, _ = main.at(self.s, self.d)
        if self.plan.along:
            yaw += 0.0 if self.plan.along > 0 else math.pi
        else:
            yaw += math.copysign(
                math.pi / 2, self.plan.to_d - self.plan.d if self.plan.to_d != self.plan.d else -self.d
            )
        return PedestrianState(self.plan.name, self.plan.role, x, y, yaw, self.speed, self.walked, self.plan.clothes)
