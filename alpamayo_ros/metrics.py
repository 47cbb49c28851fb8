"""How good a plan is: the metrics of NVIDIA's Alpamayo repositories with the same definitions, in numpy.

Trajectories are in one common frame, metres and radians, step k at dt (k + 1). K samples are the leading axis of a
prediction. What a suite averages over (clips, groups of samples) is the caller's. Model specification, section 5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from alpamayo_ros.contract import PLAN_PERIOD
from alpamayo_ros.geometry import wrap_angle

# Seconds at which the published suite states min_ade.
HORIZONS = (0.5, 1.0, 3.0, 5.0)
# Length, width, height of the box whose corners are compared, metres.
BOX = (4.0, 3.0, 2.0)
# Comfort bounds of the RL reward, (least, greatest), SI units.
COMFORT_BOUNDS: Mapping[str, tuple[float, float]] = {
    "longitudinal_acceleration": (-4.05, 2.40),
    "lateral_acceleration": (-4.89, 4.89),
    "jerk": (-8.37, 8.37),
    "longitudinal_jerk": (-4.13, 4.13),
    "yaw_rate": (-0.95, 0.95),
    "yaw_acceleration": (-1.93, 1.93),
}


def displacement(prediction: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Distances in the xy plane: (..., T, 2 or 3) and (T, 2 or 3) -> (..., T) metres."""
    return np.linalg.norm(prediction[..., :2] - truth[..., :2], axis=-1)


def ade(prediction: np.ndarray, truth: np.ndarray) -> float:
    """Average displacement error of the first of (K, T, 2 or 3) samples, metres."""
    return float(displacement(prediction[0], truth).mean())


def best_sample(prediction: np.ndarray, truth: np.ndarray) -> int:
    """The sample of least average displacement over the whole horizon."""
    return int(displacement(prediction, truth).mean(axis=-1).argmin())


def min_ade(prediction: np.ndarray, truth: np.ndarray) -> float:
    """Least average displacement error of (K, T, 2 or 3) samples, metres: minADE_K at the horizon of `truth`."""
    return float(displacement(prediction, truth).mean(axis=-1).min())


def min_ade_by_time(
    prediction: np.ndarray, truth: np.ndarray, horizons: Sequence[float] = HORIZONS, dt: float = PLAN_PERIOD
) -> dict[float, float]:
    """Average displacement over the first seconds of the sample that is best over the whole horizon.

    The sample is not chosen again for each time. Horizons beyond the trajectory are left out.
    """
    errors = displacement(prediction[best_sample(prediction, truth)], truth)
    steps = {seconds: round(seconds / dt) for seconds in horizons}
    return {seconds: float(errors[:n].mean()) for seconds, n in steps.items() if n <= len(errors)}


def corner_distance(
    prediction: np.ndarray,
    prediction_rotation: np.ndarray,
    truth: np.ndarray,
    truth_rotation: np.ndarray,
    box: Sequence[float] = BOX,
) -> float:
    """Distance of a box's corners: the least over samples for each step and corner, then the mean. Metres.

    Args:
        prediction: (K, T, 3), prediction_rotation: (K, T, 3, 3); truth: (T, 3), truth_rotation: (T, 3, 3): the pose
            of the box's centre.
    """
    ours = _corners(prediction, prediction_rotation, box)
    theirs = _corners(truth, truth_rotation, box)
    return float(np.linalg.norm(ours - theirs, axis=-1).min(axis=0).mean())


def comfort(xyz: np.ndarray, yaw: np.ndarray, dt: float = PLAN_PERIOD) -> dict[str, np.ndarray]:
    """Which of the comfort bounds hold at every step: (..., T, 2 or 3) and (..., T) -> name -> (...) bool.

    As in the released reward, accelerations are changes of the velocity in the vehicle's own axes (so a steady turn
    has no lateral one), and jerk is that of the speed. Unlike there, the last difference is not repeated to keep the
    length: that would make a jolt of whatever acceleration a trajectory ends with.
    """
    vx, vy = _rate(xyz[..., 0], dt), _rate(xyz[..., 1], dt)
    cos, sin = np.cos(yaw[..., :-1]), np.sin(yaw[..., :-1])
    along, across = vx * cos + vy * sin, vy * cos - vx * sin
    yaw_rate = wrap_angle(np.diff(yaw, axis=-1)) / dt
    series = {
        "longitudinal_acceleration": _rate(along, dt),
        "lateral_acceleration": _rate(across, dt),
        "jerk": _rate(_rate(np.hypot(vx, vy), dt), dt),
        "longitudinal_jerk": _rate(_rate(along, dt), dt),
        "yaw_rate": yaw_rate,
        "yaw_acceleration": _rate(yaw_rate, dt),
    }
    bounds = COMFORT_BOUNDS
    return {name: ((low < series[name]) & (series[name] < high)).all(axis=-1) for name, (low, high) in bounds.items()}


def comfort_score(xyz: np.ndarray, yaw: np.ndarray, dt: float = PLAN_PERIOD) -> np.ndarray:
    """The share of the comfort bounds that hold, (...) in [0, 1]."""
    return np.mean(list(comfort(xyz, yaw, dt).values()), axis=0)


def _corners(xyz: np.ndarray, rotation: np.ndarray, box: Sequence[float]) -> np.ndarray:
    """(..., 3) centres and (..., 3, 3) rotations -> (..., 8, 3)."""
    signs = np.stack(np.meshgrid(*[(-0.5, 0.5)] * 3, indexing="ij"), axis=-1).reshape(8, 3)
    return xyz[..., None, :] + (signs * np.asarray(box)) @ np.swapaxes(rotation, -1, -2)


def _rate(values: np.ndarray, dt: float) -> np.ndarray:
    """Forward differences, one shorter."""
    return np.diff(values, axis=-1) / dt
