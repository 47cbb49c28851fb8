"""The unicycle that turns accelerations and curvatures into a path (Alpamayo's action space, spec/model.md 2.8).

    v' = v + a dt                    theta' = theta + kappa v dt + kappa a dt^2 / 2
    x' = x + dt (v cos theta + v' cos theta') / 2,  y' likewise with sin

numpy, float64, vectorised over leading axes.
"""

from __future__ import annotations

import numpy as np

from alpamayo_ros.contract import PLAN_PERIOD


def integrate(
    speed: np.ndarray | float, acceleration: np.ndarray, curvature: np.ndarray, dt: float = PLAN_PERIOD
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rolls the unicycle out from the origin, heading along x.

    Args:
        speed: (...) initial speed, m/s.
        acceleration: (..., N) m/s^2, held for dt each.
        curvature: (..., N) 1/m, + = left.
        dt: seconds a step.

    Returns:
        xyz (..., N, 3) metres with z = 0, yaw (..., N) radians, speed (..., N) m/s, all at the ends of the steps.
    """
    speeds = np.concatenate(
        [np.expand_dims(np.asarray(speed, dtype=np.float64), -1), acceleration * dt], axis=-1
    ).cumsum(-1)
    before, after = speeds[..., :-1], speeds[..., 1:]
    turned = curvature * (before * dt + acceleration * dt**2 / 2)
    yaw = turned.cumsum(-1)
    start = yaw - turned
    x = (dt / 2 * (before * np.cos(start) + after * np.cos(yaw))).cumsum(-1)
    y = (dt / 2 * (before * np.sin(start) + after * np.sin(yaw))).cumsum(-1)
    return np.stack([x, y, np.zeros_like(x)], axis=-1), yaw, after
