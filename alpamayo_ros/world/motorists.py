"""Plays a car: free driving, gaps, lights, and what its plan scripts: braking, standing broken down, cutting in."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from alpamayo_ros.world.cast import CAR_BODIES, CarPlan
from alpamayo_ros.world.longitudinal import LATERAL, follow, free_road, stop_within
from alpamayo_ros.world.state import Blinker, CarState
from alpamayo_ros.world.vehicle import EgoOnRoad

LAMPS_ON, LAMPS_OFF = -0.8, -0.3  # m/s^2 at which brake lamps come on and go out
LEAD_BRAKING = 2.2  # m/s^2
INDICATES_BEFORE = 0.8  # s of indicating before the car moves sideways
MERGE_TAKES = 3.0  # s
LEAVES_AFTER = 8.0  # s from the first indication until a car that cut in drives away
SEES_EGO_WITHIN = 40.0  # metres
FIRM_STOP = 4.0  # m/s^2, beyond which a car goes on over the line


@dataclass
class Motorist:
    """One car on its path: `s`, `d`, `speed` along `plan.curve`."""

    plan: CarPlan
    acceleration: float = 0.0
    lamps: bool = False
    brake: int = 0  # the number of the next or present entry of plan.brakes
    braking_for: bool = False
    held_s: float = 0.0
    merging_s: float | None = None  # since it began to indicate
    stood_s: float = 0.0
    moved_off: bool = False
    s: float = field(init=False)
    d: float = field(init=False)
    speed: float = field(init=False)
    length: float = field(init=False)

    def __post_init__(self) -> None:
        self.s, self.d, self.speed = self.plan.s, self.plan.d, self.plan.speed
        self.length = CAR_BODIES[self.plan.style].length

    @property
    def broken_down(self) -> bool:
        return self.plan.broken_down_s is not None and not self.moved_off

    def step(
        self, time_s: float, dt: float, ego: EgoOnRoad, ahead: tuple[float, float] | None, stop_at: list[float]
    ) -> None:
        behind = self.s - self.length / 2 - ego.front_s  # from the ego's front to this car's rear
        if self.plan.parked or self._waits(dt, behind, ego):
            return
        self._merge(dt, behind)
        self.acceleration = self._wish(time_s, dt, behind, ahead, stop_at)
        self.lamps = self.acceleration < (LAMPS_OFF if self.lamps else LAMPS_ON)
        speed = max(self.speed + self.acceleration * dt, 0.0)
        self.s += self.plan.direction * 0.5 * (self.speed + speed) * dt
        self.speed = speed

    def _waits(self, dt: float, behind: float, ego: EgoOnRoad) -> bool:
        if not self.broken_down:
            return False
        if behind < 15.0 and ego.speed < 1.0:
            self.stood_s += dt
        self.moved_off = self.stood_s >= (self.plan.broken_down_s or 0.0)
        return not self.moved_off

    def _merge(self, dt: float, behind: float) -> None:
        merge = self.plan.merge
        if merge is None:
            return
        if self.merging_s is None:
            if behind < merge.gap:
                self.merging_s = 0.0
            return
        self.merging_s += dt
        done = min(max((self.merging_s - INDICATES_BEFORE) / MERGE_TAKES, 0.0), 1.0)
        self.d = self.plan.d * 0.5 * (1.0 + math.cos(math.pi * done))

    def _cruise(self) -> float:
        """The speed wanted here: the plan's, less while merging, less in a bend."""
        wanted = self.plan.cruise
        if self.plan.merge is not None and self.merging_s is not None:
            wanted = self.plan.merge.away if self.merging_s > LEAVES_AFTER else wanted - self.plan.merge.slower
        bend = abs(self.plan.curve.at(self.s + self.plan.direction * 1.5 * self.speed)[3])
        return min(wanted, math.sqrt(LATERAL / max(bend, 1e-4)))

    def _wish(
        self, time_s: float, dt: float, behind: float, ahead: tuple[float, float] | None, stop_at: list[float]
    ) -> float:
        wanted = self._cruise()
        wish = free_road(self.speed, wanted) if ahead is None else follow(self.speed, wanted, *ahead)
        if self.plan.obeys_lights:
            front = self.s + self.length / 2
            for line in stop_at:
                room = line - 1.0 - front
                # Nearer than a firm stop it goes on: it was already crossing when the light changed.
                if room > -1.0 and self.speed**2 / (2 * max(room, 0.3)) < FIRM_STOP:
                    wish = min(wish, stop_within(self.speed, room))
        return max(min(wish, self._scripted_braking(time_s, dt, behind)), -6.0)

    def _scripted_braking(self, time_s: float, dt: float, behind: float) -> float:
        """The acceleration asked for by the plan's next braking; infinity while there is none."""
        if self.brake >= len(self.plan.brakes):
            return math.inf
        brake = self.plan.brakes[self.brake]
        if not self.braking_for:
            self.braking_for = time_s >= brake.after_s and behind < SEES_EGO_WITHIN
            return math.inf
        if self.speed > brake.to_speed + 0.05:
            return -LEAD_BRAKING
        self.held_s += dt
        if self.held_s >= brake.hold_s:
            self.brake, self.braking_for, self.held_s = self.brake + 1, False, 0.0
        return 0.0

    def state(self) -> CarState:
        plan = self.plan
        x, y, yaw, _ = plan.curve.at(self.s, self.d)
        if plan.direction < 0:
            yaw += math.pi
        blinker = Blinker.OFF
        if self.broken_down:
            blinker = Blinker.HAZARD
        elif plan.merge is not None and self.merging_s is not None and abs(self.d) > 0.3:
            blinker = Blinker.RIGHT if plan.d > 0 else Blinker.LEFT
            if self.speed > 0.5 and self.merging_s > INDICATES_BEFORE:
                yaw += math.atan2(self._lateral_speed(), self.speed)
        braking = not self.broken_down and (self.lamps or self.speed < 0.1)
        body = CAR_BODIES[plan.style]
        return CarState(plan.name, plan.role, x, y, yaw, self.speed, body, plan.style, plan.paint, braking, blinker)

    def _lateral_speed(self) -> float:
        done = min(((self.merging_s or 0.0) - INDICATES_BEFORE) / MERGE_TAKES, 1.0)
        return -self.plan.d * 0.5 * math.pi / MERGE_TAKES * math.sin(math.pi * done)
