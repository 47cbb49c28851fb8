"""AlpaSim's messages to this package's values and back: units, frames, orders. Nothing is decided here."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from alpamayo_ros.bridges import alpasim_messages as wire
from alpamayo_ros.bridges.alpasim_rollout import Answer, Invalid
from alpamayo_ros.contract import PLAN_OFFSETS_NS, SECOND_NS
from alpamayo_ros.geometry import Pose
from alpamayo_ros.history import Sample, check_sample

US = 1000  # nanoseconds
LATEST_US = 2**62 // US


def stamp_ns(microseconds: int, what: str) -> int:
    """A time of the simulator in nanoseconds.

    Raises:
        Invalid: zero, which is no stamp, or beyond what an int64 of nanoseconds holds; it names `what`.
    """
    if not 0 < microseconds <= LATEST_US:
        raise Invalid(f"{what} is {microseconds}; it goes from 1 to {LATEST_US}")
    return microseconds * US


def sample(pose: Any) -> Sample:
    """A pose of the rig as odometry has it.

    Raises:
        Invalid: it is no pose.
    """
    p, q = pose.vec, pose.quat
    given = (p.x, p.y, p.z, q.x, q.y, q.z, q.w)
    refusal = check_sample(given)
    if refusal is not None:
        raise Invalid(str(refusal))
    return given


def response(answer: Answer) -> Any:
    """A DriveResponse: the path, and for the simulator's log all samples and remarks."""
    debug = wire.DebugInfo(unstructured_debug_info=json.dumps(_remarks(answer)).encode())
    if answer.samples is not None and answer.tick is not None:
        stamps = answer.tick.plan.t0_ns + np.asarray(PLAN_OFFSETS_NS, dtype=np.int64)
        for xyz, quaternion in zip(answer.samples.xyz, answer.samples.quaternion, strict=True):
            debug.sampled_trajectories.append(_trajectory(stamps, Pose(xyz, quaternion)))
    return wire.DriveResponse(trajectory=_trajectory(answer.stamps_ns, answer.poses), debug_info=debug)


def _trajectory(stamps_ns: np.ndarray, poses: Pose) -> Any:
    rows = zip(stamps_ns.tolist(), poses.xyz.tolist(), poses.quaternion.tolist(), strict=True)
    return wire.Trajectory(
        poses=[
            wire.PoseAtTime(
                pose=wire.Pose(vec=wire.Vec3(x=x, y=y, z=z), quat=wire.Quat(w=qw, x=qx, y=qy, z=qz)),
                timestamp_us=at_ns // US,
            )
            for at_ns, (x, y, z), (qx, qy, qz, qw) in rows
        ]
    )


def _remarks(answer: Answer) -> dict[str, Any]:
    """As JSON, which is read without trust; the reference driver's are pickled."""
    if answer.tick is None:
        return {"waiting": str(answer.waiting)}
    tick, plan = answer.tick, answer.tick.plan
    return {
        "t0_us": plan.t0_ns // US,
        "policy": plan.policy,
        "command": tick.observation.command,
        "reasoning": list(plan.reasoning),
        "chosen": plan.chosen,
        "notes": list(plan.notes),
        "image_offsets_s": (tick.window.offsets_ns / SECOND_NS).tolist(),
        "timings_s": dict(plan.timings),
    }
