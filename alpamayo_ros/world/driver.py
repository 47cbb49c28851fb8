"""The rule driver: from a situation to the next 6.4 seconds, and what limited them. A pure function, no state.

What it assumes of the others is what shows: a car without brake lamps keeps its speed (below 5 m/s it is moving off),
one with brake lamps brakes on to a stop, a standing one stays, a person who crosses walks on. A red light stays red
and a green one green for the whole horizon; a yellow one counts as red where a stop is still comfortable, else it is
passed. So the future is a function of what the cameras show, and a light's change is news, not foresight.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np

from alpamayo_ros.contract import PLAN_PERIOD, PLAN_STEPS
from alpamayo_ros.follow.tracking import steering_law
from alpamayo_ros.world.curves import STEP
from alpamayo_ros.world.longitudinal import (
    HARDEST_BRAKING,
    HEADWAY,
    REACTION,
    follow,
    follow_profile,
    free_road,
    stop_within,
)
from alpamayo_ros.world.perception import CONES_AFTER, Crosser, Lead, Manner, Narrowing, Situation
from alpamayo_ros.world.roads import LANE
from alpamayo_ros.world.scene import Scene
from alpamayo_ros.world.state import PEDESTRIAN_BODY, Colour
from alpamayo_ros.world.vehicle import ACCELERATION_LAG, BODY

LEAD_BRAKES = 2.0  # m/s^2, assumed of a car with brake lamps
MOVING_OFF, MOVING_OFF_TO = 1.2, 5.0  # m/s^2 and m/s, assumed of a slow car without them
CUT_IN_HEADWAY = 0.6  # s, accepted behind a car that is still a lane's half aside
LINE_MARGIN = 2.0  # metres before a stop line: what a driver may be wrong by and still not run it
PERSON_MARGIN = 5.0  # metres before a person's line
PERSON_CLEAR = 0.9  # metres beyond the ego's side at which a person has crossed
YELLOW_BRAKING = 3.5  # m/s^2, up to which a yellow light is braked for
JERK, HARD_JERK = 2.5, 8.0  # m/s^3, and in emergencies
CONE_SHIFT = 0.75  # metres aside
CURVATURE_LAG = 0.2  # s
SUBSTEPS = 2


class Limit(Enum):
    """What can hold the speed below that of a free road."""

    BEND = "bend"
    LEAD = "lead"
    SIGNAL = "signal"
    CROSSER = "crosser"


@dataclass(frozen=True, eq=False)
class Rollout:
    """The next 64 steps of 0.1 s; index k is at t0 + 0.1 (k + 1) s.

    `s`, `d` (64,) on the route, `heading` relative to it, `speed`, `acceleration`, `curvature`; `lost`: the m/s taken
    by each limit over the horizon, each step's loss counted to the strictest one.
    """

    s: np.ndarray
    d: np.ndarray
    heading: np.ndarray
    speed: np.ndarray
    acceleration: np.ndarray
    curvature: np.ndarray
    lost: dict[Limit, float]


@dataclass(frozen=True)
class Stray:
    """How far a drive strays from the rules' own: `aside` metres to the left, `pace` times the speed limit, and by
    `room` metres too far at every stop (half of it behind cars)."""

    aside: float = 0.0
    pace: float = 1.0
    room: float = 0.0


STRAIGHT = Stray()


def roll_out(scene: Scene, now: Situation, stray: Stray = STRAIGHT) -> Rollout:
    """Drives the rules forward from a situation, or a straying copy of them."""
    s, d, heading, speed, acceleration, bend = now.s, now.d, now.heading, now.speed, now.acceleration, now.bend
    rules = _Rules(scene, now, stray)
    rows, lost = [], dict.fromkeys(Limit, 0.0)
    dt = PLAN_PERIOD / SUBSTEPS
    for step in range(PLAN_STEPS * SUBSTEPS):
        free = free_road(speed, rules.limit)
        limit, wish = rules.strictest(step * dt, s, speed)
        if wish < free:
            lost[limit] += (free - max(wish, -HARDEST_BRAKING)) * dt
        acceleration = _eased(acceleration, min(free, wish), dt)
        # On a standing car the brake holds, whatever acceleration is still on its way up.
        faster = max(speed + acceleration * dt, 0.0)
        if faster == 0.0:
            acceleration = max(acceleration, 0.0)
        mean = 0.5 * (speed + faster)
        road_bend = scene.roads.route.at(s + 0.5 * mean * dt + CURVATURE_LAG * mean)[3]
        wanted = steering_law(road_bend, d - rules.lateral_target(s, speed), heading, mean)
        bend += (wanted - bend) * (1.0 - math.exp(-dt / CURVATURE_LAG))
        here = scene.roads.route.at(s + 0.5 * mean * dt)[3]
        forward = mean * math.cos(heading) / max(1.0 - here * d, 0.3)
        d += mean * math.sin(heading) * dt
        heading += (mean * bend - here * forward) * dt
        s += forward * dt
        speed = faster
        if step % SUBSTEPS == SUBSTEPS - 1:
            rows.append((s, d, heading, speed, acceleration, bend))
    return Rollout(*np.array(rows).T, lost)


def _eased(acceleration: float, wish: float, dt: float) -> float:
    """The acceleration a step later: towards the wish with the actuator's lag, no faster than the jerk allows."""
    change = (wish - acceleration) * (1.0 - math.exp(-dt / ACCELERATION_LAG))
    jerk = HARD_JERK if wish < -3.0 else JERK
    return acceleration + min(max(change, -jerk * dt), jerk * dt)


class _Rules:
    """The constraints of one situation, asked for at each step of the future."""

    def __init__(self, scene: Scene, now: Situation, stray: Stray) -> None:
        self._now, self._aside, self._astray = now, stray.aside, stray.room
        self.limit = scene.scenario.speed_limit * stray.pace
        self._posted = scene.scenario.speed_limit
        self._profile, self._profile_start = scene.speed_profile, scene.roads.route.start_s
        self._stop_line = _stop_line(now)

    def strictest(self, t: float, s: float, speed: float) -> tuple[Limit, float]:
        """The limit that asks for the least acceleration t seconds ahead, and that acceleration (may be infinite)."""
        travelled = s - self._now.s
        wishes = [(self._bend(s, speed), Limit.BEND)]
        if self._now.lead is not None:
            wishes.append((self._behind(self._now.lead, t, travelled, speed), Limit.LEAD))
        if self._stop_line is not None:
            wishes.append((stop_within(speed, self._stop_line + self._astray - travelled), Limit.SIGNAL))
        for person in self._now.crossers:
            room = person.room - travelled
            if room > 0.5 and not _crossed(person, t):
                wishes.append((stop_within(speed, room - PERSON_MARGIN + self._astray), Limit.CROSSER))
        wish, limit = min(wishes, key=lambda pair: pair[0])
        return limit, wish

    def _bend(self, s: float, speed: float) -> float:
        ahead = (s + REACTION * speed - self._profile_start) / STEP
        allowed = float(self._profile[min(max(int(ahead), 0), len(self._profile) - 1)])
        if allowed >= self._posted - 0.05:
            return math.inf
        return follow_profile(speed, allowed)

    def _behind(self, lead: Lead, t: float, travelled: float, speed: float) -> float:
        moved, ahead_speed = _lead_after(lead, t)
        headway = HEADWAY - (HEADWAY - CUT_IN_HEADWAY) * min(lead.aside / (LANE / 2), 1.0)
        gap = lead.gap + 0.5 * self._astray + moved - travelled
        return follow(speed, self.limit, gap, ahead_speed, headway)

    def lateral_target(self, s: float, speed: float) -> float:
        """Metres to the left of the route to aim at: aside of the cones from some way before them."""
        cones = self._now.narrowing
        if cones is None or not shift_begins(cones, speed) < s < cones.end + 0.4 * CONES_AFTER:
            return self._aside
        return -cones.side * CONE_SHIFT  # no straying where it is narrow


def shift_begins(cones: Narrowing, speed: float) -> float:
    """Where along the route the rear axle begins to move aside for cones."""
    return cones.start - 10.0 - 1.8 * speed


def _stop_line(now: Situation) -> float | None:
    """Metres that the front may still go before the line, None where the signal lets the ego pass."""
    signal = now.signal
    if signal is None or signal.colour is Colour.GREEN:
        return None
    room = signal.room - LINE_MARGIN
    if signal.colour is Colour.YELLOW and now.speed**2 / (2.0 * max(room, 0.3)) > YELLOW_BRAKING:
        return None
    return room


def _lead_after(lead: Lead, t: float) -> tuple[float, float]:
    """(metres moved, speed) of the car ahead t seconds from now."""
    v = lead.speed
    if lead.manner is Manner.STANDING:
        return 0.0, 0.0
    if lead.manner is Manner.BRAKING:
        braking = min(t, v / LEAD_BRAKES)
        return v * braking - 0.5 * LEAD_BRAKES * braking**2, v - LEAD_BRAKES * braking
    if lead.manner is Manner.DRIVING and v < MOVING_OFF_TO:
        rising = min(t, (MOVING_OFF_TO - v) / MOVING_OFF)
        return v * t + MOVING_OFF * rising * (t - 0.5 * rising), v + MOVING_OFF * rising
    return v * t, v


def _crossed(person: Crosser, t: float) -> bool:
    """True once the person is clear of the ego's lane on the side they walk to."""
    clear = BODY.width / 2 + PEDESTRIAN_BODY.width / 2 + PERSON_CLEAR
    d = person.d + person.speed * t
    return (person.speed > 0 and d > clear) or (person.speed < 0 and d < -clear)
