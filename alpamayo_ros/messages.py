"""Values to ROS messages. Nothing is decided here.

All messages of one tick carry its t0; poses are the ego frame's in the output frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from builtin_interfaces.msg import Duration, Time
from geometry_msgs.msg import Point, PoseStamped, Quaternion, Vector3
from geometry_msgs.msg import Pose as PoseMsg
from nav_msgs.msg import Odometry, Path
from std_msgs.msg import ColorRGBA, Header, String
from visualization_msgs.msg import Marker, MarkerArray

from alpamayo_ros.contract import PLAN_OFFSETS_NS, SECOND_NS, SLOT_OFFSETS_NS, NotReady, Plan
from alpamayo_ros.geometry import Pose, quaternion_from_yaw
from alpamayo_ros.msg import DrivingPlan, ImageSlot, PlanSample, StageTiming
from alpamayo_ros.tick import Tick


@dataclass(frozen=True, eq=False)
class Placed:
    """A tick's plan in its output frame: every sample's poses, (S, 64, 3) and (S, 64, 4)."""

    tick: Tick
    frame_id: str
    poses: Pose


@dataclass(frozen=True, eq=False)
class Outgoing:
    """A tick's messages, ready to publish; `refused` are frames that did not decode on the way."""

    t0_ns: int
    path: Path
    reasoning: String
    plan: DrivingPlan
    markers: MarkerArray | None
    refused: tuple[NotReady, ...]


def place(tick: Tick, frame_id: str, ego: Pose) -> Placed:
    """Composes the plan with the ego frame's pose at t0 in the output frame."""
    return Placed(tick, frame_id, ego @ Pose(tick.plan.xyz, quaternion_from_yaw(tick.plan.yaw)))


def outgoing(placed: Placed, markers: bool) -> Outgoing:
    """All messages of a tick."""
    tick = placed.tick
    return Outgoing(
        tick.plan.t0_ns, path_msg(placed), reasoning_msg(tick.plan), plan_msg(placed),
        markers_msg(placed) if markers else None, tick.refused,
    )  # fmt: skip


def time_msg(stamp_ns: int) -> Time:
    return Time(sec=stamp_ns // SECOND_NS, nanosec=stamp_ns % SECOND_NS)


def stamp_ns(time: Time) -> int:
    return time.sec * SECOND_NS + time.nanosec


def odometry_sample(message: Odometry) -> tuple[float, float, float, float, float, float, float]:
    """x, y, z, qx, qy, qz, qw."""
    p, q = message.pose.pose.position, message.pose.pose.orientation
    return p.x, p.y, p.z, q.x, q.y, q.z, q.w


def path_msg(placed: Placed) -> Path:
    """The chosen sample: 64 poses, waypoint k stamped t0 + 0.1 (k + 1)."""
    t0_ns, frame_id = placed.tick.plan.t0_ns, placed.frame_id
    poses = [
        PoseStamped(header=Header(stamp=time_msg(t0_ns + offset), frame_id=frame_id), pose=pose)
        for offset, pose in zip(PLAN_OFFSETS_NS, _poses(placed.poses, placed.tick.plan.chosen), strict=True)
    ]
    return Path(header=_header(placed), poses=poses)


def reasoning_msg(plan: Plan) -> String:
    """The chosen sample's reasoning."""
    return String(data=plan.reasoning[plan.chosen])


def plan_msg(placed: Placed) -> DrivingPlan:
    """Everything about the tick."""
    tick, plan, window = placed.tick, placed.tick.plan, placed.tick.window
    offsets = window.offsets_ns
    worst = int(offsets.flat[np.abs(offsets).argmax()])
    return DrivingPlan(
        header=_header(placed),
        epoch=window.epoch,
        policy=plan.policy,
        command=tick.observation.command,
        reasoning=plan.reasoning[plan.chosen],
        chosen=plan.chosen,
        samples=[_sample(placed, number) for number in range(len(plan.reasoning))],
        images=_slots(tick),
        worst_offset=worst / SECOND_NS,
        timings=[StageTiming(stage=stage, seconds=seconds) for stage, seconds in plan.timings.items()],
        notes=list(plan.notes),
    )


def markers_msg(placed: Placed) -> MarkerArray:
    """The fan of samples, the chosen path over it, and the reasoning above the vehicle."""
    plan = placed.tick.plan
    fan = [
        _line(placed, number, "samples", 0.15, ColorRGBA(r=0.35, g=0.55, b=0.95, a=0.5))
        for number in range(len(plan.reasoning))
        if number != plan.chosen
    ]
    chosen = _line(placed, plan.chosen, "chosen", 0.4, ColorRGBA(r=0.2, g=0.9, b=0.4, a=0.9))
    text = _marker(placed, Marker.TEXT_VIEW_FACING, "reasoning", 0, ColorRGBA(r=1.0, g=1.0, b=1.0, a=1.0))
    text.text = plan.reasoning[plan.chosen]
    text.scale = Vector3(z=0.8)
    text.pose.position = _point(placed.poses.xyz[plan.chosen, 0] + [0.0, 0.0, 3.0])
    return MarkerArray(markers=[*fan, chosen, text])


def _header(placed: Placed) -> Header:
    return Header(stamp=time_msg(placed.tick.plan.t0_ns), frame_id=placed.frame_id)


def _point(xyz: np.ndarray) -> Point:
    x, y, z = xyz.tolist()
    return Point(x=x, y=y, z=z)


def _poses(poses: Pose, sample: int) -> list[PoseMsg]:
    return [
        PoseMsg(position=Point(x=x, y=y, z=z), orientation=Quaternion(x=qx, y=qy, z=qz, w=qw))
        for (x, y, z), (qx, qy, qz, qw) in zip(
            poses.xyz[sample].tolist(), poses.quaternion[sample].tolist(), strict=True
        )
    ]


def _sample(placed: Placed, number: int) -> PlanSample:
    plan = placed.tick.plan
    return PlanSample(
        reasoning=plan.reasoning[number],
        poses=_poses(placed.poses, number),
        speed=plan.speed[number].tolist(),
        acceleration=plan.acceleration[number].tolist(),
        curvature=plan.curvature[number].tolist(),
        yaw_rate=(plan.speed[number] * plan.curvature[number]).tolist(),
    )


def _slots(tick: Tick) -> list[ImageSlot]:
    window, offsets = tick.window, tick.window.offsets_ns
    return [
        ImageSlot(
            camera=role,
            slot=SLOT_OFFSETS_NS[slot] / SECOND_NS,
            offset=int(offsets[row, slot]) / SECOND_NS,
            stamp=time_msg(frame.stamp_ns),
            stand_in=window.stand_in[role][slot],
        )
        for row, (role, frames) in enumerate(window.frames.items())
        for slot, frame in enumerate(frames)
    ]


def _marker(placed: Placed, kind: int, namespace: str, number: int, color: ColorRGBA) -> Marker:
    # A marker outlives a few missed ticks and then fades away by itself: RViz never shows a dead plan for long.
    return Marker(
        header=_header(placed),
        ns=namespace,
        id=number,
        type=kind,
        action=Marker.ADD,
        pose=PoseMsg(orientation=Quaternion(w=1.0)),
        color=color,
        lifetime=Duration(sec=2),
    )


def _line(placed: Placed, sample: int, namespace: str, width: float, color: ColorRGBA) -> Marker:
    marker = _marker(placed, Marker.LINE_STRIP, namespace, sample, color)
    marker.scale = Vector3(x=width)
    marker.points = [_point(xyz) for xyz in placed.poses.xyz[sample]]
    return marker
