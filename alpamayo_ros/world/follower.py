"""From a plan to steering and acceleration, by the path's own stamps, so that latency costs what it costs.

The path is looked up at the present time, not from its beginning: a plan that arrives late is entered late. Used by
the closed loop here and by the ROS follower alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from alpamayo_ros.contract import PLAN_OFFSETS_NS, PLAN_PERIOD, SECOND_NS, Plan
from alpamayo_ros.follow.tracking import steering_law
from alpamayo_ros.geometry import wrap_angle, yaw_of_quaternion
from alpamayo_ros.world.state import EgoState
from alpamayo_ros.world.vehicle import ACCELERATION_LAG, STEERING_LAG, WHEELBASE, Control

SPEED_GAIN = 0.9  # 1/s
POSITION_GAIN = 0.25  # 1/s^2
POSITION_ERROR = 2.0  # metres, at which the correction along the path is held
PREVIEW = STEERING_LAG + 0.1  # s ahead at which the path's curvature is taken
HALT_SPEED = 0.12  # m/s, below which a path stands
HALT_PACE = 0.16  # m/s, mean over the rest of a path, below which it is a halt: a metre in the whole of it
HALT_BRAKING = -1.5
EXPIRED_BRAKING = -2.0
SMOOTHING = 3  # waypoints over which speeds are averaged


@dataclass(frozen=True, eq=False)
class Path:
    """A plan's chosen path in a fixed frame: `stamps_ns` (64,) int64, `xy` (64, 2) metres, `yaw` (64,) radians."""

    stamps_ns: np.ndarray
    xy: np.ndarray
    yaw: np.ndarray


def path_in_world(plan: Plan, x: float, y: float, yaw: float) -> Path:
    """The chosen sample of a plan, for the ego pose (rear axle) at the plan's t0."""
    xyz, heading = plan.xyz[plan.chosen], plan.yaw[plan.chosen]
    cos, sin = math.cos(yaw), math.sin(yaw)
    xy = np.stack([x + cos * xyz[:, 0] - sin * xyz[:, 1], y + sin * xyz[:, 0] + cos * xyz[:, 1]], axis=-1)
    return Path(plan.t0_ns + np.asarray(PLAN_OFFSETS_NS, dtype=np.int64), xy, yaw + heading)


def path_of(message: Any) -> Path:
    """A nav_msgs/Path, each of its poses at its own stamp, as values."""
    stamps = [pose.header.stamp.sec * SECOND_NS + pose.header.stamp.nanosec for pose in message.poses]
    rows = [(pose.pose.position, pose.pose.orientation) for pose in message.poses]
    xy = np.array([(p.x, p.y) for p, _ in rows]).reshape(-1, 2)
    yaw = np.unwrap(yaw_of_quaternion(np.array([(q.x, q.y, q.z, q.w) for _, q in rows]).reshape(-1, 4)))
    return Path(np.array(stamps, dtype=np.int64), xy, yaw)


def track(path: Path, state: EgoState, now_ns: int, wheelbase: float = WHEELBASE) -> Control:
    """The control that keeps to a path at `now_ns`.

    Beyond the path's last stamp the vehicle brakes and keeps its wheels as they are.

    Args:
        wheelbase: of the vehicle that is driven, m.
    """
    if now_ns > path.stamps_ns[-1]:
        return Control(state.steering, EXPIRED_BRAKING)
    elapsed = (now_ns - int(path.stamps_ns[0])) / SECOND_NS
    steps = np.diff(path.xy, axis=0)
    lengths = np.hypot(steps[:, 0], steps[:, 1])
    # A step against the path's heading is a backward one, which is never driven.
    forward = np.where(np.cos(path.yaw[:-1]) * steps[:, 0] + np.sin(path.yaw[:-1]) * steps[:, 1] > 0.0, lengths, 0.0)
    acceleration = _acceleration(path, forward / PLAN_PERIOD, state, elapsed)
    curvature = _curvature(path, steps, lengths, state)
    return Control(state.steering if curvature is None else math.atan(wheelbase * curvature), acceleration)


def _acceleration(path: Path, speeds: np.ndarray, state: EgoState, elapsed: float) -> float:
    """Feed-forward from the path's speeds, corrected by the errors of speed and of place along the path."""
    ends = np.pad(speeds, SMOOTHING // 2, mode="edge")
    smooth = np.convolve(ends, np.full(SMOOTHING, 1.0 / SMOOTHING), mode="valid")
    times = PLAN_PERIOD * (np.arange(len(speeds)) + 0.5)
    now, soon = np.interp([elapsed, elapsed + ACCELERATION_LAG], times, smooth)
    later = float(np.interp(elapsed + ACCELERATION_LAG + 0.4, times, smooth))
    if later < HALT_SPEED and state.speed < 3.0 * HALT_SPEED:
        return HALT_BRAKING
    index = min(max(int(elapsed / PLAN_PERIOD), 0), len(path.xy) - 2)
    place = path.xy[index] + (elapsed / PLAN_PERIOD - index) * (path.xy[index + 1] - path.xy[index])
    behind = (place[0] - state.x) * math.cos(state.yaw) + (place[1] - state.y) * math.sin(state.yaw)
    behind = min(max(behind, -POSITION_ERROR), POSITION_ERROR)
    # A quarter of a second of differencing: long enough for a noisy path, short enough to brake in time.
    ahead = (float(np.interp(elapsed + ACCELERATION_LAG + 0.25, times, smooth)) - float(soon)) / 0.25
    wish = ahead + SPEED_GAIN * (float(now) - state.speed) + POSITION_GAIN * behind
    # The last decimetres of a stop are noise where a model plans it: a held brake does not creep on them.
    return min(wish, HALT_BRAKING) if _room(path, state, index) < HALT_PACE * (times[-1] - elapsed) else wish


def _room(path: Path, state: EgoState, index: int) -> float:
    """Metres that the path leads ahead of the vehicle at the most, from waypoint `index` on."""
    rest = path.xy[index:] - [state.x, state.y]
    return float(np.max(rest @ [math.cos(state.yaw), math.sin(state.yaw)]))


def _curvature(path: Path, steps: np.ndarray, lengths: np.ndarray, state: EgoState) -> float | None:
    """Back to the nearest point of the path, along its curvature a little ahead; None where the path goes nowhere."""
    travelled = np.concatenate([[0.0], np.cumsum(lengths)])
    if travelled[-1] < 0.5:
        return None
    offset = np.array([state.x, state.y]) - path.xy[:-1]
    safe = np.maximum(lengths, 1e-6)
    share = np.sum(offset * steps, axis=1) / safe**2
    inside = np.clip(share, 0.0, 1.0)
    # Before the first waypoint the first step is continued backwards: a fresh plan begins 0.1 s ahead of the vehicle.
    inside[0] = min(share[0], 1.0)
    gap = offset - inside[:, None] * steps
    gap_length = np.where(lengths > 1e-3, np.hypot(gap[:, 0], gap[:, 1]), np.inf)
    nearest = int(np.argmin(gap_length))
    turns = wrap_angle(np.diff(path.yaw))
    yaw = path.yaw[nearest] + inside[nearest] * turns[nearest]
    aside = -gap[nearest, 0] * math.sin(yaw) + gap[nearest, 1] * math.cos(yaw)
    here = travelled[nearest] + inside[nearest] * lengths[nearest]
    moving = lengths > 0.005
    curvature = np.where(moving, turns / np.where(moving, lengths, 1.0), 0.0)
    middles = 0.5 * (travelled[1:] + travelled[:-1])[moving]
    bend = float(np.interp(here + PREVIEW * state.speed, middles, curvature[moving]))
    return steering_law(bend, float(aside), float(wrap_angle(state.yaw - yaw)), state.speed)
