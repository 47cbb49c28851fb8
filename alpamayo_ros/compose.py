"""A tick's messages from its values, in whatever message classes there are: rclpy's live, plain ones in a replay.

All messages of one tick carry its t0; poses are the ego frame's in the output frame. No ROS here: the classes come as
a namespace of constructors that take fields by keyword and give the others their defaults.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from alpamayo_ros.contract import PLAN_OFFSETS_NS, SECOND_NS, SLOT_OFFSETS_NS, NotReady, Plan
from alpamayo_ros.geometry import Pose, quaternion_from_yaw
from alpamayo_ros.tick import Tick
from alpamayo_ros.window import slot_times

# Fields of visualization_msgs/Marker.
LINE_STRIP, TEXT_VIEW_FACING, ADD = 4, 9, 0


@dataclass(frozen=True, eq=False)
class Placed:
    """A tick's plan in its output frame, and what it was made from.

    Attributes:
        plan: in the ego frame of t0.
        poses: every sample's, (S, 64, 3) and (S, 64, 4), in `frame_id`.
        roles: the cameras; stamps_ns, stand_in: (cameras, 4) of their images, as in an `Observation`.
        refused: frames that did not decode on the way.
    """

    plan: Plan
    frame_id: str
    poses: Pose
    epoch: int
    command: str
    roles: tuple[str, ...]
    stamps_ns: np.ndarray
    stand_in: np.ndarray
    refused: tuple[NotReady, ...] = ()


@dataclass(frozen=True, eq=False)
class Outgoing:
    """A tick's messages, ready to publish; `refused` are frames that did not decode on the way."""

    t0_ns: int
    path: Any
    reasoning: Any
    plan: Any
    markers: Any | None
    refused: tuple[NotReady, ...]


def place(tick: Tick, frame_id: str, ego: Pose) -> Placed:
    """Composes the plan with the ego frame's pose at t0 in the output frame."""
    seen, window = tick.observation, tick.window
    return Placed(
        tick.plan, frame_id, in_frame(tick.plan, ego), window.epoch, seen.command, seen.cameras, seen.stamps_ns,
        seen.stand_in, tick.refused,
    )  # fmt: skip


def in_frame(plan: Plan, ego: Pose) -> Pose:
    """Every sample's poses, (S, 64), in the frame in which the ego's pose at t0 is given."""
    return ego @ Pose(plan.xyz, quaternion_from_yaw(plan.yaw))


class Composer:
    """Messages of one set of classes: `types.PoseStamped(header=..., pose=...)` and so on."""

    def __init__(self, types: Any):
        self._m = types

    def outgoing(self, placed: Placed, markers: bool) -> Outgoing:
        """All messages of a tick."""
        return Outgoing(
            placed.plan.t0_ns, self.path(placed), self.reasoning(placed), self.plan(placed),
            self.markers(placed) if markers else None, placed.refused,
        )  # fmt: skip

    def time(self, stamp_ns: int) -> Any:
        return self._m.Time(sec=stamp_ns // SECOND_NS, nanosec=stamp_ns % SECOND_NS)

    def path(self, placed: Placed) -> Any:
        """The chosen sample: 64 poses, waypoint k stamped t0 + 0.1 (k + 1)."""
        plan, m = placed.plan, self._m
        poses = [
            m.PoseStamped(header=m.Header(stamp=self.time(plan.t0_ns + offset), frame_id=placed.frame_id), pose=pose)
            for offset, pose in zip(PLAN_OFFSETS_NS, self._poses(placed.poses, plan.chosen), strict=True)
        ]
        return m.Path(header=self._header(placed), poses=poses)

    def reasoning(self, placed: Placed) -> Any:
        """The chosen sample's reasoning."""
        return self._m.String(data=placed.plan.reasoning[placed.plan.chosen])

    def plan(self, placed: Placed) -> Any:
        """Everything about the tick."""
        plan, m = placed.plan, self._m
        offsets = placed.stamps_ns - slot_times(plan.t0_ns)
        worst = int(offsets.flat[np.abs(offsets).argmax()])
        return m.DrivingPlan(
            header=self._header(placed),
            epoch=placed.epoch,
            policy=plan.policy,
            command=placed.command,
            reasoning=plan.reasoning[plan.chosen],
            chosen=plan.chosen,
            samples=[self._sample(placed, number) for number in range(len(plan.reasoning))],
            images=self._slots(placed, offsets),
            worst_offset=worst / SECOND_NS,
            timings=[m.StageTiming(stage=stage, seconds=seconds) for stage, seconds in plan.timings.items()],
            notes=list(plan.notes),
        )

    def markers(self, placed: Placed) -> Any:
        """The fan of samples, the chosen path over it, and the reasoning above the vehicle."""
        plan, m = placed.plan, self._m
        fan = [
            self._line(placed, number, "samples", 0.15, m.ColorRGBA(r=0.35, g=0.55, b=0.95, a=0.5))
            for number in range(len(plan.reasoning))
            if number != plan.chosen
        ]
        chosen = self._line(placed, plan.chosen, "chosen", 0.4, m.ColorRGBA(r=0.2, g=0.9, b=0.4, a=0.9))
        above = self._point(placed.poses.xyz[plan.chosen, 0] + [0.0, 0.0, 3.0])
        text = self._marker(
            placed, TEXT_VIEW_FACING, "reasoning", 0, m.ColorRGBA(r=1.0, g=1.0, b=1.0, a=1.0),
            m.Pose(position=above, orientation=_upright(m)), scale=m.Vector3(z=0.8), text=plan.reasoning[plan.chosen],
        )  # fmt: skip
        return m.MarkerArray(markers=[*fan, chosen, text])

    def _header(self, placed: Placed) -> Any:
        return self._m.Header(stamp=self.time(placed.plan.t0_ns), frame_id=placed.frame_id)

    def _point(self, xyz: np.ndarray) -> Any:
        x, y, z = xyz.tolist()
        return self._m.Point(x=x, y=y, z=z)

    def _poses(self, poses: Pose, sample: int) -> list[Any]:
        m = self._m
        return [
            m.Pose(position=m.Point(x=x, y=y, z=z), orientation=m.Quaternion(x=qx, y=qy, z=qz, w=qw))
            for (x, y, z), (qx, qy, qz, qw) in zip(
                poses.xyz[sample].tolist(), poses.quaternion[sample].tolist(), strict=True
            )
        ]

    def _sample(self, placed: Placed, number: int) -> Any:
        plan = placed.plan
        return self._m.PlanSample(
            reasoning=plan.reasoning[number],
            poses=self._poses(placed.poses, number),
            speed=plan.speed[number].tolist(),
            acceleration=plan.acceleration[number].tolist(),
            curvature=plan.curvature[number].tolist(),
            yaw_rate=(plan.speed[number] * plan.curvature[number]).tolist(),
        )

    def _slots(self, placed: Placed, offsets: np.ndarray) -> list[Any]:
        return [
            self._m.ImageSlot(
                camera=role,
                slot=SLOT_OFFSETS_NS[slot] / SECOND_NS,
                offset=int(offsets[row, slot]) / SECOND_NS,
                stamp=self.time(int(placed.stamps_ns[row, slot])),
                stand_in=bool(placed.stand_in[row, slot]),
            )
            for row, role in enumerate(placed.roles)
            for slot in range(len(SLOT_OFFSETS_NS))
        ]

    def _marker(
        self, placed: Placed, kind: int, namespace: str, number: int, color: Any, pose: Any, **fields: Any
    ) -> Any:
        # A marker outlives a few missed ticks and then fades away by itself: RViz never shows a dead plan for long.
        return self._m.Marker(
            header=self._header(placed),
            ns=namespace,
            id=number,
            type=kind,
            action=ADD,
            pose=pose,
            color=color,
            lifetime=self._m.Duration(sec=2),
            **fields,
        )

    def _line(self, placed: Placed, sample: int, namespace: str, width: float, color: Any) -> Any:
        m = self._m
        points = [self._point(xyz) for xyz in placed.poses.xyz[sample]]
        still = m.Pose(orientation=_upright(m))
        return self._marker(
            placed, LINE_STRIP, namespace, sample, color, still, scale=m.Vector3(x=width), points=points
        )


def _upright(m: Any) -> Any:
    return m.Quaternion(x=0.0, y=0.0, z=0.0, w=1.0)
