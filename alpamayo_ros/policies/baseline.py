"""The yardstick: drives on as it drove, and says so. It looks at no image."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from alpamayo_ros.contract import HISTORY_PERIOD_NS, PLAN_OFFSETS_NS, PLAN_PERIOD, SECOND_NS, Observation, Plan
from alpamayo_ros.geometry import wrap_angle, yaw_of_matrix
from alpamayo_ros.unicycle import integrate

# Below this a heading change says more of noise than of curvature.
CREEP = 0.5


@dataclass(frozen=True)
class Config:
    """Parameters of the baseline."""

    acceleration_decay: float = field(
        default=1.0, metadata={"description": "Time constant of the held acceleration, s.", "range": (0.01, 100.0)}
    )
    curvature_decay: float = field(
        default=2.0, metadata={"description": "Time constant of the held curvature, s.", "range": (0.01, 100.0)}
    )


class Baseline:
    """Holds the curvature and the acceleration of the last half second, decays both, never reverses."""

    name = "baseline"

    def __init__(self, config: Config | None = None):
        self.config = config or Config()

    def __call__(self, observation: Observation) -> Plan:
        speed, acceleration, curvature = _motion(observation.history_xyz, observation.history_rotation)
        seconds = np.asarray(PLAN_OFFSETS_NS) / SECOND_NS - PLAN_PERIOD
        held = acceleration * np.exp(-seconds / self.config.acceleration_decay)
        # Speed first, so that a braking vehicle stops and stays instead of driving backwards.
        speeds = np.maximum(speed + np.concatenate([[0.0], np.cumsum(held) * PLAN_PERIOD]), 0.0)
        stopped = np.minimum.accumulate(speeds > 0.0)
        speeds = np.where(stopped, speeds, 0.0) if acceleration < 0 else speeds
        accelerations = np.diff(speeds) / PLAN_PERIOD
        curvatures = curvature * np.exp(-seconds / self.config.curvature_decay)
        xyz, yaw, _ = integrate(speeds[0], accelerations, curvatures)
        reasoning = (
            f"Baseline, no model: hold {speed:.1f} m/s, {acceleration:+.1f} m/s2 and {curvature:+.3f} 1/m, decaying."
        )
        return Plan(
            observation.t0_ns, xyz[None], yaw[None], speeds[None, 1:], accelerations[None], curvatures[None],
            reasoning=(reasoning,), policy=self.name,
        )  # fmt: skip

    def reset(self) -> None:
        """Nothing is carried from tick to tick."""

    def close(self) -> None:
        """Nothing is held."""


def _motion(xyz: np.ndarray, rotation: np.ndarray) -> tuple[float, float, float]:
    """Speed (m/s), acceleration (m/s^2) and curvature (1/m) at t0, from least squares over the last half second.

    Along the ego's own heading, so that reversing shows as a negative speed, which is held at zero.
    """
    dt = HISTORY_PERIOD_NS / SECOND_NS
    steps, headings = np.diff(xyz[-6:], axis=0), yaw_of_matrix(rotation[-6:])
    turned = wrap_angle(np.diff(headings))
    middle = headings[:-1] + turned / 2
    speeds = (steps[:, 0] * np.cos(middle) + steps[:, 1] * np.sin(middle)) / dt
    times = (np.arange(len(speeds)) - len(speeds) + 0.5) * dt
    acceleration, speed = np.polyfit(times, speeds, 1)
    if speed < CREEP:
        return max(float(speed), 0.0), min(float(acceleration), 0.0), 0.0
    distance = speeds.sum() * dt
    return float(speed), float(acceleration), float(turned.sum() / distance) if distance > CREEP * dt else 0.0


def create(config: Config) -> Baseline:
    """The policy for its configuration."""
    return Baseline(config)
