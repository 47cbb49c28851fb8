"""Actions to trajectories and back: Alpamayo's normalised action space, in numpy.

An action is 64 pairs of normalised acceleration and curvature. Decoding integrates the unicycle; encoding is the
smoothed inverse that makes training labels, and gives the initial speed. The solves are float32, as the released
model was trained with. Vectorised over leading axes; nothing is clipped. Specification sections 2.8 and 2.9.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from alpamayo_ros.geometry import matrix_from_yaw, yaw_of_matrix
from alpamayo_ros.unicycle import integrate
from alpamayo_ros.vla.config import ActionSpaceConfig

_REAL = np.float32


@dataclass(frozen=True)
class Scale:
    """The action statistics in effect: a model whose weights are bfloat16 holds them rounded to it."""

    accel_mean: float
    accel_std: float
    curvature_mean: float
    curvature_std: float

    @staticmethod
    def exact(space: ActionSpaceConfig) -> Scale:
        return Scale(space.accel_mean, space.accel_std, space.curvature_mean, space.curvature_std)


@dataclass(frozen=True, eq=False)
class Motion:
    """Decoded trajectories, float64, ego frame of t0; step k is at t0 + dt (k + 1). Leading axes as the action's.

    Attributes:
        xyz: (..., N, 3) metres.
        yaw: (..., N) radians.
        speed: (..., N) m/s, reached at step k; it may go below zero.
        acceleration, curvature: (..., N), m/s^2 and 1/m, held during the interval that ends at step k.
    """

    xyz: np.ndarray
    yaw: np.ndarray
    speed: np.ndarray
    acceleration: np.ndarray
    curvature: np.ndarray

    @property
    def rotation(self) -> np.ndarray:
        """(..., N, 3, 3), about z."""
        return matrix_from_yaw(self.yaw)


def decode(
    action: np.ndarray,
    speed: np.ndarray | float,
    space: ActionSpaceConfig,
    scale: Scale,
    height: np.ndarray | float = 0.0,
) -> Motion:
    """Integrates actions.

    Args:
        action: (..., N, 2) normalised acceleration and curvature.
        speed: (...) m/s at t0, from `initial_speed`.
        height: (...) z of the last history point, metres; the trajectory stays at it.
    """
    action = np.asarray(action, dtype=np.float64)
    acceleration = action[..., 0] * scale.accel_std + scale.accel_mean
    curvature = action[..., 1] * scale.curvature_std + scale.curvature_mean
    xyz, yaw, speeds = integrate(speed, acceleration, curvature, space.dt)
    xyz[..., 2] = np.asarray(height)[..., None]
    return Motion(xyz, yaw, speeds, acceleration, curvature)


def encode(
    history_xyz: np.ndarray,
    history_rotation: np.ndarray,
    future_xyz: np.ndarray,
    future_rotation: np.ndarray,
    space: ActionSpaceConfig,
    scale: Scale,
) -> np.ndarray:
    """The normalised actions whose decoding comes closest to a future, smoothly.

    Args:
        history_xyz, history_rotation: (..., H, 3) metres and (..., H, 3, 3), ego frame of t0.
        future_xyz, future_rotation: (..., N, 3) and (..., N, 3, 3), ego frame of t0.

    Returns:
        (..., N, 2) float32.
    """
    dt, n = space.dt, space.n_waypoints
    jerk = space.theta_lambda / dt**6
    heading = _yaw(np.concatenate([history_rotation[..., -1:, :, :], future_rotation], axis=-3))
    yaw = _fit(_after_first(n), heading[..., 1:], _difference(n + 1, 3), jerk, space.theta_ridge, first=0.0)
    points = np.concatenate([np.zeros_like(future_xyz[..., :1, :2]), future_xyz[..., :2]], axis=-2)
    start = initial_speed(history_xyz, history_rotation, space)
    v = _speeds(points, yaw, space, start)
    acceleration = _fit(np.eye(n), np.diff(v, axis=-1) / dt, _difference(n, 2), space.a_lambda / dt**4, space.a_ridge)
    length = dt * v[..., :-1] + 0.5 * dt**2 * acceleration
    curvature = _fit(
        length[..., None] * np.eye(n),
        np.diff(yaw, axis=-1),
        _difference(n, 2),
        space.kappa_lambda / dt**4,
        space.kappa_ridge,
    )
    normalised = [
        (acceleration - scale.accel_mean) / scale.accel_std,
        (curvature - scale.curvature_mean) / scale.curvature_std,
    ]
    return np.stack(normalised, axis=-1).astype(_REAL)


def initial_speed(history_xyz: np.ndarray, history_rotation: np.ndarray, space: ActionSpaceConfig) -> np.ndarray:
    """Speed at t0, the last of the smoothed speeds along the history (section 2.8).

    Args:
        history_xyz, history_rotation: (..., H, 3) metres and (..., H, 3, 3).

    Returns:
        (...) float32, m/s.
    """
    return _speeds(np.asarray(history_xyz)[..., :2], _yaw(history_rotation), space)[..., -1]


def _speeds(
    points: np.ndarray, yaw: np.ndarray, space: ActionSpaceConfig, first: np.ndarray | None = None
) -> np.ndarray:
    """(..., K) speeds that move along the headings through (..., K, 2) points, trapezoidal, with little jerk."""
    intervals = points.shape[-2] - 1
    unit = np.stack([np.cos(yaw), np.sin(yaw)], axis=-1).astype(_REAL)
    # Row (i, axis): speed_i unit_i + speed_{i+1} unit_{i+1} = 2 / dt times the step of interval i.
    rows = np.zeros((*unit.shape[:-2], intervals, 2, intervals + 1), dtype=_REAL)
    i = np.arange(intervals)
    rows[..., i, :, i] = np.moveaxis(unit[..., :-1, :], -2, 0)
    rows[..., i, :, i + 1] = np.moveaxis(unit[..., 1:, :], -2, 0)
    steps = 2.0 / space.dt * np.diff(np.asarray(points, dtype=_REAL), axis=-2)
    return _fit(
        rows.reshape(*unit.shape[:-2], 2 * intervals, intervals + 1),
        steps.reshape(*steps.shape[:-2], 2 * intervals),
        _difference(intervals + 1, 3),
        space.v_lambda / space.dt**6,
        space.v_ridge,
        first,
    )


def _fit(
    rows: np.ndarray,
    target: np.ndarray,
    smooth: np.ndarray,
    weight: float,
    ridge: float,
    first: np.ndarray | float | None = None,
) -> np.ndarray:
    """Solves min |rows x - target|^2 + weight |smooth x|^2 + ridge |x|^2 in float32 by Cholesky.

    With `first`, x_0 is held at it; then the ridge is on the others only. The ridge makes the matrix positive
    definite by a margin that float32 keeps.
    """
    rows, smooth, target = (np.asarray(a, dtype=_REAL) for a in (rows, smooth, target))
    penalty = _REAL(weight) * smooth.T @ smooth
    normal = np.swapaxes(rows, -1, -2) @ rows + penalty
    right = (np.swapaxes(rows, -1, -2) @ target[..., None])[..., 0]
    if first is not None:
        first = np.broadcast_to(np.asarray(first, dtype=_REAL), right.shape[:-1])[..., None]
        right = right[..., 1:] - normal[..., 1:, 0] * first
        normal = normal[..., 1:, 1:]
    lower = np.linalg.cholesky(normal + _REAL(ridge) * np.eye(normal.shape[-1], dtype=_REAL))
    solved = np.linalg.solve(np.swapaxes(lower, -1, -2), np.linalg.solve(lower, right[..., None]))[..., 0]
    return solved if first is None else np.concatenate([first, solved], axis=-1)


@lru_cache(maxsize=16)
def _difference(points: int, order: int) -> np.ndarray:
    """(points - order, points): the signed differences D2 = (-1, 2, -1) and D3 = (-1, 3, -3, 1)."""
    rows = np.diff(np.eye(points), n=order, axis=0)
    return rows if order == 3 else -rows


def _after_first(n: int) -> np.ndarray:
    """(n, n + 1): picks x_1 ... x_n of n + 1 points."""
    return np.eye(n + 1)[1:]


def _yaw(rotation: np.ndarray) -> np.ndarray:
    return np.unwrap(yaw_of_matrix(rotation), axis=-1).astype(_REAL)
