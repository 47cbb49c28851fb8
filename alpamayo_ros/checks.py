"""Invariants of an observation and of a plan. Each has a name; what breaks one never reaches a policy or a topic."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from alpamayo_ros.contract import HISTORY_STEPS, PLAN_PERIOD, PLAN_STEPS, SLOT_OFFSETS_NS, Observation, Plan

# Beyond the fastest road vehicle: a plan above this is a fault, not a plan (m/s).
MAX_SPEED = 80.0
# How far the first waypoint may be from where the vehicle can be after 0.1 s (m).
MAX_START_ERROR = 2.0


def _images(observation: Observation) -> str | None:
    if len(observation.images) != len(observation.cameras):
        return f"{len(observation.images)} cameras of images for {len(observation.cameras)} roles"
    for role, images in zip(observation.cameras, observation.images, strict=True):
        if len(images) != len(SLOT_OFFSETS_NS):
            return f"{role} has {len(images)} images, not {len(SLOT_OFFSETS_NS)}"
        for image in images:
            if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
                return f"{role} has an image of {image.dtype} {image.shape}, not uint8 (H, W, 3)"
            if image.shape != images[0].shape:
                return f"{role} has images of {images[0].shape[:2]} and {image.shape[:2]} in one window"
    return None


def _history(observation: Observation) -> str | None:
    xyz, rotation = observation.history_xyz, observation.history_rotation
    if xyz.shape != (HISTORY_STEPS, 3) or rotation.shape != (HISTORY_STEPS, 3, 3):
        return f"shapes {xyz.shape} and {rotation.shape}, not ({HISTORY_STEPS}, 3) and ({HISTORY_STEPS}, 3, 3)"
    if not (np.isfinite(xyz).all() and np.isfinite(rotation).all()):
        return "it is not finite"
    if np.abs(xyz[-1]).max() > 1e-6 or np.abs(rotation[-1] - np.eye(3)).max() > 1e-6:
        return "its last pose is not the ego frame's origin"
    return None


def _shape(plan: Plan) -> str | None:
    samples = len(plan.reasoning)
    expected = {"xyz": (samples, PLAN_STEPS, 3), **dict.fromkeys(_SERIES, (samples, PLAN_STEPS))}
    for name, shape in expected.items():
        if getattr(plan, name).shape != shape:
            return f"{name} is {getattr(plan, name).shape}, not {shape}"
    return None if samples else "it has no sample"


def _chosen(plan: Plan) -> str | None:
    samples = len(plan.reasoning)
    return None if 0 <= plan.chosen < samples else f"sample {plan.chosen} of {samples}"


def _finite(plan: Plan) -> str | None:
    for name in ("xyz", *_SERIES):
        values = getattr(plan, name)
        if not np.isfinite(values).all():
            return f"{name} has {np.size(values) - np.isfinite(values).sum()} values that are not finite"
    return None


def _speed(plan: Plan) -> str | None:
    fastest = np.abs(plan.speed).max()
    return f"{fastest:.1f} m/s is beyond {MAX_SPEED:.0f}" if fastest > MAX_SPEED else None


def _start(plan: Plan) -> str | None:
    """The chosen path begins where the vehicle is."""
    first = np.linalg.norm(plan.xyz[plan.chosen, 0, :2])
    reachable = abs(plan.speed[plan.chosen, 0]) * PLAN_PERIOD + MAX_START_ERROR
    return f"its first waypoint is {first:.2f} m away, {reachable:.2f} m can be" if first > reachable else None


_SERIES = ("yaw", "speed", "acceleration", "curvature")
OBSERVATION_CHECKS: dict[str, Callable[[Observation], str | None]] = {"images": _images, "history": _history}
PLAN_CHECKS: dict[str, Callable[[Plan], str | None]] = {
    "shape": _shape,
    "chosen": _chosen,
    "finite": _finite,
    "speed": _speed,
    "start": _start,
}


def check_observation(observation: Observation) -> str | None:
    """The first broken invariant as "name: what", or None."""
    return _first(OBSERVATION_CHECKS, observation)


def check_plan(plan: Plan, observation: Observation) -> str | None:
    """The first broken invariant as "name: what", or None."""
    if plan.t0_ns != observation.t0_ns:
        return f"t0: {plan.t0_ns} ns, not the observation's {observation.t0_ns} ns"
    return _first(PLAN_CHECKS, plan)


def _first(checks: dict[str, Callable], value: Observation | Plan) -> str | None:
    for name, check in checks.items():
        broken = check(value)
        if broken is not None:
            return f"{name}: {broken}"
    return None
