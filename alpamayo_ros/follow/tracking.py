"""Smoothing: a vehicle is driven along the intent within bounds, and where it goes is the trajectory.

A kinematic bicycle about the rear axle (Rajamani, Vehicle Dynamics and Control, 2.2) starts in the vehicle's present
state and follows the intent's path by place and its speeds by time. Position, heading, speed, acceleration, heading
rate and wheel angle come from one integration, so they agree with each other; jerk and steering rate are bounded.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass

import numpy as np

from alpamayo_ros.contract import PLAN_PERIOD, SECOND_NS
from alpamayo_ros.follow.intent import Intent
from alpamayo_ros.follow.trajectory import Trajectory, grid, upright
from alpamayo_ros.follow.vehicle import Vehicle
from alpamayo_ros.geometry import wrap_angle

# Steps of the integration within one waypoint period.
SUBSTEPS = 4
DT = PLAN_PERIOD / SUBSTEPS
# Errors of place and speed along the path die out like a critically damped oscillator of this frequency (1/s).
LONGITUDINAL = 0.8
PLACE_ERROR = 2.0  # m, at which the correction along the path is held
AHEAD = 0.3  # s over which the intent's acceleration is taken
JERK_TIME = 0.2  # s in which a wished acceleration is reached, within the bound of jerk
STEERING_TIME = 0.15  # s likewise of the wheels
# A vehicle that comes to rest: deceleration falls with speed (1/s), below `REST` it stands (m/s).
SOFT_STOP = 2.0
REST = 0.05
# An intent whose rest is slower than this on average is a halt: a metre in the whole of it (m/s).
HALT_PACE = 0.16
HALT_BRAKING = -1.0
# A stop lasts this much longer than its braking (s), and has at most this many points.
STANDING, MOST_POINTS = 4.0, 300
# Steering: the bend is averaged over this way ahead, at least (m), and this time (s).
BEND_WAY, BEND_TIME = 2.0, 0.6
# Metres ahead within which the nearest place on a path is looked for.
WINDOW = 6.0


@dataclass(frozen=True)
class Bounds:
    """What a passenger calls smooth. SI units.

    Two of them are there for Autoware's validator: it lets a trajectory stop with 3 m/s^2 at the most
    (forward_trajectory_length), and its lateral jerk, 3 v^2 a k, keeps a vehicle in a bend from braking hard.
    """

    wheel_base: float = 2.8
    acceleration: float = 2.0
    deceleration: float = 3.0
    jerk: float = 3.5
    lateral_acceleration: float = 4.0
    lateral_jerk: float = 5.5
    steering: float = 0.6
    steering_rate: float = 0.4


def track(
    intent: Intent, vehicle: Vehicle, bounds: Bounds, steering: float | None = None, braking: float | None = None
) -> Trajectory:
    """The trajectory of a vehicle that follows the intent from its present state on, to the intent's last waypoint.

    Args:
        vehicle: at a time between the intent's t0 and its end.
        steering: its present wheel angle where known; None: from its yaw rate, or the path where it is too slow.
        braking: m/s^2; where given the vehicle comes to rest along the path, whatever the intent's speeds are.
    """
    path = _Path(intent)
    x, y, yaw = float(vehicle.pose.xyz[0]), float(vehicle.pose.xyz[1]), vehicle.yaw
    speed = max(vehicle.speed, 0.0)
    acceleration = min(max(vehicle.acceleration, -bounds.deceleration), bounds.acceleration)
    place, aside, heading = path.nearest(x, y, yaw, 0.0, math.inf)
    ahead = path.bend(place, speed)
    wheels = _first_steering(vehicle, bounds, steering, ahead)
    acceleration = max(_gentle(acceleration, speed, wheels, ahead, bounds), -SOFT_STOP * speed)
    began, rows = place, []
    count = points(intent, vehicle.stamp_ns) if braking is None else _stopping_points(speed, braking)
    for step in range((count - 1) * SUBSTEPS + 1):
        if step % SUBSTEPS == 0:
            rows.append((x, y, yaw, speed, acceleration, wheels, place))
        now = _seconds(intent, vehicle.stamp_ns) + step * DT
        wish = _wish(path, now, place, speed) if braking is None else -braking
        change = min(max((wish - acceleration) / JERK_TIME, -bounds.jerk), bounds.jerk) * DT
        acceleration = min(max(acceleration + change, -bounds.deceleration), bounds.acceleration)
        ahead = path.bend(place, speed)
        acceleration = _gentle(acceleration, speed, wheels, ahead, bounds)
        if wish < 0.0:
            acceleration = max(acceleration, -SOFT_STOP * speed)
        after = max(speed + acceleration * DT, 0.0)
        if after < REST and wish < 0.0:
            after, acceleration = 0.0, 0.0
        grip = bounds.wheel_base * bounds.lateral_acceleration / max(speed, 1.0) ** 2
        sharpest = min(math.tan(bounds.steering), grip)
        bend = steering_law(ahead, aside, heading, speed)
        wanted = math.atan(min(max(bounds.wheel_base * bend, -sharpest), sharpest))
        turn = min(max((wanted - wheels) / STEERING_TIME, -bounds.steering_rate), bounds.steering_rate) * DT
        mean = 0.5 * (speed + after)
        if mean > 0.0:
            turned = mean * math.tan(wheels + 0.5 * turn) / bounds.wheel_base * DT
            x += mean * DT * math.cos(yaw + 0.5 * turned)
            y += mean * DT * math.sin(yaw + 0.5 * turned)
            yaw, wheels = yaw + turned, wheels + turn
            place, aside, heading = path.nearest(x, y, yaw, place)
        speed = after
    return _trajectory(vehicle, np.array(rows), path, began, bounds)


def as_planned(intent: Intent, vehicle: Vehicle, bounds: Bounds) -> Trajectory:
    """The intent unsmoothed: the vehicle, then the intent's own places at their times."""
    count = points(intent, vehicle.stamp_ns)
    seconds = _seconds(intent, vehicle.stamp_ns) + grid(count)
    times = np.arange(len(intent.xyz)) * PLAN_PERIOD
    xyz = np.stack([np.interp(seconds, times, intent.xyz[:, axis]) for axis in range(3)], axis=-1)
    yaw, speed = np.interp(seconds, times, intent.yaw), np.interp(seconds, times, intent.speed)
    turn = round((vehicle.yaw - yaw[0]) / (2.0 * math.pi)) * 2.0 * math.pi
    xyz[0], yaw = vehicle.pose.xyz, yaw + turn
    yaw[0], speed[0] = vehicle.yaw, vehicle.speed
    acceleration = np.gradient(speed, PLAN_PERIOD) if count > 1 else np.zeros(count)
    heading_rate = np.gradient(yaw, PLAN_PERIOD) if count > 1 else np.zeros(count)
    heading_rate[0] = vehicle.yaw_rate
    moving = np.abs(speed) > 0.1
    curvature = np.where(moving, heading_rate / np.where(moving, speed, 1.0), 0.0)
    return Trajectory(
        vehicle.stamp_ns, grid(count), upright(vehicle, xyz, yaw), speed, acceleration, heading_rate,
        np.arctan(bounds.wheel_base * curvature),
    )  # fmt: skip


def points(intent: Intent, stamp_ns: int) -> int:
    """How many points 0.1 s apart lie between a time and the intent's end."""
    return max(int((intent.end_ns - stamp_ns) / SECOND_NS / PLAN_PERIOD + 1e-6), 0) + 1


def deviation(intent: Intent, trajectory: Trajectory) -> tuple[float, float]:
    """How far a trajectory leaves an intent's path to the side at the most, and lies ahead of its last place (m)."""
    path = _Path(intent)
    place, widest, window = 0.0, 0.0, math.inf
    for (x, y, _), yaw in zip(trajectory.poses.xyz.tolist(), trajectory.yaw.tolist(), strict=True):
        place, aside, _ = path.nearest(x, y, yaw, place, window)
        widest, window = max(widest, abs(aside)), WINDOW
    return widest, place - float(intent.way[-1])


def steering_law(bend: float, aside: float, heading: float, speed: float) -> float:
    """The curvature (1/m) that leads back to a line: the line's own bend less a critically damped return in space.

    aside'' + 2 w aside' + w^2 aside = 0 along the line, with w falling with speed so that the lateral acceleration
    of a return stays about the same. `aside` in metres to the left, `heading` relative to the line.
    """
    w = 1.0 / max(4.0, 0.9 * speed)
    return bend - w * w * min(max(aside, -1.5), 1.5) - 2.0 * w * math.sin(heading)


class _Path:
    """An intent's path as plain lists, for a loop that asks it at every step."""

    def __init__(self, intent: Intent) -> None:
        way, xyz, yaw = intent.line
        self.intent = intent
        self.way: list[float] = way.tolist()
        self.x: list[float] = xyz[:, 0].tolist()
        self.y: list[float] = xyz[:, 1].tolist()
        self.yaw: list[float] = yaw.tolist()
        self.times = np.arange(len(intent.way)) * PLAN_PERIOD
        self._along: list[float] = intent.way.tolist()
        self._pace: list[float] = intent.pace.tolist()

    def nearest(
        self, x: float, y: float, yaw: float, place: float, window: float = WINDOW
    ) -> tuple[float, float, float]:
        """The nearest place on the path, metres to the left of it and the heading relative to it.

        It is looked for from about `place` to `window` metres beyond; both ends are continued straight on.
        """
        last = len(self.way) - 2
        if last < 0:
            cos, sin = math.cos(self.yaw[0]), math.sin(self.yaw[0])
            dx, dy = x - self.x[0], y - self.y[0]
            return dx * cos + dy * sin, dy * cos - dx * sin, float(wrap_angle(yaw - self.yaw[0]))
        first = min(max(bisect_right(self.way, place) - 1, 0), last)
        best = (math.inf, 0.0, 0.0, 0.0)
        for segment in range(first, last + 1):
            if self.way[segment] > place + window:
                break
            length = self.way[segment + 1] - self.way[segment]
            dx, dy = x - self.x[segment], y - self.y[segment]
            ux, uy = (self.x[segment + 1] - self.x[segment]) / length, (self.y[segment + 1] - self.y[segment]) / length
            along, aside = dx * ux + dy * uy, dy * ux - dx * uy
            share = along / length
            low = -math.inf if segment == 0 else 0.0
            high = math.inf if segment == last else 1.0
            inside = min(max(share, low), high)
            off = math.hypot((share - inside) * length, aside)
            if off < best[0]:
                bounded = min(max(inside, 0.0), 1.0)
                tangent = self.yaw[segment] + bounded * (self.yaw[segment + 1] - self.yaw[segment])
                best = off, self.way[segment] + inside * length, aside, tangent
        return best[1], best[2], float(wrap_angle(yaw - best[3]))

    def bend(self, place: float, speed: float) -> float:
        """The path's curvature from a place on, averaged over the way that follows."""
        if self.way[-1] < BEND_WAY or place >= self.way[-1]:
            return 0.0
        first = min(max(place, 0.0), self.way[-1] - BEND_WAY)
        end = min(first + max(BEND_WAY, BEND_TIME * speed), self.way[-1])
        return (_lookup(end, self.way, self.yaw) - _lookup(first, self.way, self.yaw)) / (end - first)

    def along(self, seconds: float) -> float:
        """Metres that the intent has driven by then."""
        return _grid_lookup(seconds, self._along)

    def pace(self, seconds: float) -> float:
        return _grid_lookup(seconds, self._pace)


def _stopping_points(speed: float, braking: float) -> int:
    """Until it has come to rest for a while: jerk and the soft end take longer than the braking alone."""
    return min(round((speed / braking + STANDING) / PLAN_PERIOD), MOST_POINTS) + 1


def _wish(path: _Path, now: float, place: float, speed: float) -> float:
    """The acceleration that follows the intent's speeds and catches up with its place."""
    room = path._along[-1] - place
    left = path.times[-1] - now
    pace = path.pace(now)
    if room < HALT_PACE * left and pace < 1.0:
        return min(HALT_BRAKING, -speed)
    behind = min(max(path.along(now) - place, -PLACE_ERROR), PLACE_ERROR)
    ahead = (path.pace(now + AHEAD) - pace) / AHEAD
    return ahead + 2.0 * LONGITUDINAL * (pace - speed) + LONGITUDINAL**2 * behind


def _gentle(acceleration: float, speed: float, wheels: float, ahead: float, bounds: Bounds) -> float:
    """An acceleration within the bound of lateral jerk, on the arc that these wheels drive and on the one ahead."""
    sideways = speed**2 * max(abs(math.tan(wheels)) / bounds.wheel_base, abs(ahead))
    most = bounds.lateral_jerk / max(3.0 * sideways, 1e-6)
    return min(max(acceleration, -most), most)


def _first_steering(vehicle: Vehicle, bounds: Bounds, steering: float | None, bend: float) -> float:
    if vehicle.curvature is not None:
        steering = math.atan(bounds.wheel_base * vehicle.curvature)
    elif steering is None:
        steering = math.atan(bounds.wheel_base * bend)
    return min(max(steering, -bounds.steering), bounds.steering)


def _trajectory(vehicle: Vehicle, rows: np.ndarray, path: _Path, began: float, bounds: Bounds) -> Trajectory:
    x, y, yaw, speed, acceleration, wheels, places = rows.T
    way, xyz, _ = path.intent.line
    height = np.interp(places, way, xyz[:, 2]) - np.interp(began, way, xyz[:, 2]) + vehicle.pose.xyz[2]
    poses = upright(vehicle, np.stack([x, y, height], axis=-1), yaw)
    heading_rate = speed * np.tan(wheels) / bounds.wheel_base
    return Trajectory(vehicle.stamp_ns, grid(len(rows)), poses, speed, acceleration, heading_rate, wheels)


def _seconds(intent: Intent, stamp_ns: int) -> float:
    return (stamp_ns - intent.t0_ns) / SECOND_NS


def _lookup(at: float, xs: list[float], ys: list[float]) -> float:
    index = min(max(bisect_right(xs, at) - 1, 0), len(xs) - 2)
    share = (at - xs[index]) / (xs[index + 1] - xs[index])
    return ys[index] + min(max(share, 0.0), 1.0) * (ys[index + 1] - ys[index])


def _grid_lookup(seconds: float, values: list[float]) -> float:
    steps = min(max(seconds / PLAN_PERIOD, 0.0), len(values) - 1.0)
    index = min(int(steps), len(values) - 2)
    return values[index] + (steps - index) * (values[index + 1] - values[index])
