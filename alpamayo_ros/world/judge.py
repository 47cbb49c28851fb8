"""What a drive did, by the world's own state: off-road, collisions and their fault, red-light runs, progress, comfort.

It watches snapshots and keeps counts. It knows no policy and no plan.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from alpamayo_ros.geometry import wrap_angle
from alpamayo_ros.metrics import COMFORT_BOUNDS
from alpamayo_ros.world.perception import IN_LANE
from alpamayo_ros.world.scene import Scene
from alpamayo_ros.world.state import PEDESTRIAN_BODY, Colour, EgoState, Snapshot, footprint
from alpamayo_ros.world.vehicle import BODY, CENTRE_AHEAD, FRONT_REACH

OFF_ROAD_MARGIN = 0.1  # metres beyond the paving that a corner may go
STANDING = 0.2  # m/s
SAMPLE = 0.1  # s between two looks


@dataclass(frozen=True)
class Verdict:
    """A drive's record. `collided_with` names the first thing hit, "" for none; times in seconds, -1 for never.

    `progress` is metres along the route until the end, or until the first failure (off the road, or a collision at
    fault). `comfort[name]` is the share of looks within the bounds of that quantity.
    """

    off_road: bool
    off_road_at: float
    collided_with: str
    collided_at: float
    at_fault: bool
    red_light_runs: int
    progress: float
    seconds: float
    comfort: dict[str, float]

    @property
    def comfortable(self) -> float:
        """The share of looks within each bound, averaged over the quantities."""
        return float(np.mean(list(self.comfort.values()))) if self.comfort else 1.0


@dataclass
class Judge:
    """Call `look` every `SAMPLE` seconds, then read `verdict`."""

    scene: Scene
    _start_s: float | None = None
    _farthest_s: float = 0.0
    _front_s: float = -math.inf
    _looks: int = 0
    _off_road_at: float = -1.0
    _collision: tuple[str, float, bool] | None = None
    _red_runs: int = 0
    _egos: list[EgoState] = field(default_factory=list)

    def look(self, snapshot: Snapshot) -> None:
        """One look at the present."""
        ego, time_s = snapshot.ego, self._looks * SAMPLE
        s, d, _ = self.scene.roads.route.frenet_pose(ego.x, ego.y, ego.yaw)
        self._start_s = s if self._start_s is None else self._start_s
        corners = ego_footprint(ego)
        if self._off_road_at < 0 and not np.all(self.scene.roads.paved(corners, OFF_ROAD_MARGIN)):
            self._off_road_at = time_s
        if self._collision is None:
            self._collision = self._hit(snapshot, corners, d, time_s)
        if self._off_road_at < 0 and not (self._collision and self._collision[2]):
            self._farthest_s = max(self._farthest_s, s)
        self._mind_lights(snapshot, s + FRONT_REACH)
        self._egos.append(ego)
        self._looks += 1

    def _mind_lights(self, snapshot: Snapshot, front_s: float) -> None:
        for light in snapshot.lights:
            line = self.scene.roads.junctions[light.junction].stop_s
            if self._front_s < line <= front_s and light.colour is Colour.RED:
                self._red_runs += 1
        self._front_s = max(self._front_s, front_s)

    def _hit(self, snapshot: Snapshot, corners: np.ndarray, d: float, time_s: float) -> tuple[str, float, bool] | None:
        ego = snapshot.ego
        boxes = [(car.name, car.x, car.y, car.yaw, car.body, car.speed) for car in snapshot.cars]
        boxes += [(p.name, p.x, p.y, p.yaw, PEDESTRIAN_BODY, p.speed) for p in snapshot.pedestrians]
        boxes += [("cone", cone.x, cone.y, cone.yaw, cone.body, 0.0) for cone in self.scene.cones]
        for name, x, y, yaw, body, speed in boxes:
            if math.hypot(x - ego.x, y - ego.y) < 9.0 and overlap(corners, footprint(x, y, yaw, body)):
                return name, time_s, _at_fault(ego, x, y, yaw, speed, d)
        return None

    def verdict(self) -> Verdict:
        """The record so far."""
        name, collided_at, at_fault = self._collision or ("", -1.0, False)
        return Verdict(
            off_road=self._off_road_at >= 0,
            off_road_at=self._off_road_at,
            collided_with=name,
            collided_at=collided_at,
            at_fault=at_fault,
            red_light_runs=self._red_runs,
            progress=self._farthest_s - (self._start_s or 0.0),
            seconds=self._looks * SAMPLE,
            comfort=comfort_shares(self._egos, SAMPLE),
        )


def _at_fault(ego: EgoState, x: float, y: float, yaw: float, speed: float, d: float) -> bool:
    """The ego's fault: it moved, and was not run into from behind, nor from the side while in its lane.

    After nuPlan's at-fault classes (active front and stopped-track collisions, lateral ones outside the lane).
    """
    if ego.speed < STANDING:
        return False
    ahead = (x - ego.x) * math.cos(ego.yaw) + (y - ego.y) * math.sin(ego.yaw)
    from_behind = ahead < 0.0 and abs(float(wrap_angle(yaw - ego.yaw))) < math.pi / 2
    beside = 0.0 <= ahead < FRONT_REACH and speed > STANDING
    return not (from_behind or (beside and abs(d) < IN_LANE / 2))


def ego_footprint(ego: EgoState) -> np.ndarray:
    """(4, 2) corners of the ego's body."""
    x = ego.x + CENTRE_AHEAD * math.cos(ego.yaw)
    y = ego.y + CENTRE_AHEAD * math.sin(ego.yaw)
    return footprint(x, y, ego.yaw, BODY)


def overlap(first: np.ndarray, second: np.ndarray) -> bool:
    """True where two convex quadrilaterals (4, 2) overlap: no edge of either separates them."""
    for one, other in ((first, second), (second, first)):
        edges = np.roll(one, -1, axis=0) - one
        normal = np.stack([edges[:, 1], -edges[:, 0]], axis=-1)
        if np.any(np.min(normal @ other.T, axis=1) > np.max(normal @ one.T, axis=1)):
            return False
    return True


def comfort_shares(egos: list[EgoState], dt: float) -> dict[str, float]:
    """Share of samples within each of `COMFORT_BOUNDS`, from states `dt` seconds apart.

    Derivatives are central differences over 0.2 s, so that one step of an actuator is not a spike.
    """
    if len(egos) < 5:
        return {}
    yaw = np.unwrap([ego.yaw for ego in egos])
    speed = np.array([ego.speed for ego in egos])
    longitudinal = np.array([ego.acceleration for ego in egos])
    yaw_rate = np.gradient(yaw, dt)
    lateral = speed * yaw_rate
    longitudinal_jerk = np.gradient(longitudinal, dt)
    values = {
        "longitudinal_acceleration": longitudinal,
        "lateral_acceleration": lateral,
        "jerk": np.hypot(longitudinal_jerk, np.gradient(lateral, dt)),
        "longitudinal_jerk": longitudinal_jerk,
        "yaw_rate": yaw_rate,
        "yaw_acceleration": np.gradient(yaw_rate, dt),
    }
    return {
        name: float(np.mean((low < values[name]) & (values[name] < high)))
        for name, (low, high) in COMFORT_BOUNDS.items()
    }
