"""Trajectories to Autoware's messages. Their packages are a soft dependency: what is missing is named."""

from __future__ import annotations

import uuid
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import numpy as np
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point, Pose, Quaternion
from std_msgs.msg import Header, String
from unique_identifier_msgs.msg import UUID

from alpamayo_ros.contract import SECOND_NS
from alpamayo_ros.follow.keeper import Followable, Heard
from alpamayo_ros.follow.trajectory import Trajectory
from alpamayo_ros.geometry import Pose as Placed
from alpamayo_ros.messages import stamp_ns, time_msg
from alpamayo_ros.msg import DrivingPlan

# package -> its messages that the bridge uses
NEEDED = {"autoware_planning_msgs": ("Trajectory", "TrajectoryPoint", "LaneletRoute")}
OPTIONAL = {
    "autoware_internal_planning_msgs": ("CandidateTrajectories", "CandidateTrajectory", "GeneratorInfo"),
    "autoware_internal_debug_msgs": ("StringStamped",),
}
STOP = "stop"


class MissingMessages(ImportError):
    """A message package that the bridge cannot do without, and how to get it."""


def message_classes() -> tuple[SimpleNamespace, list[str]]:
    """Autoware's classes by name, and a sentence for each optional package that is missing.

    Raises:
        MissingMessages: a package that is not optional.
    """
    classes, remarks = SimpleNamespace(), []
    for package, names in {**NEEDED, **OPTIONAL}.items():
        try:
            module = import_module(f"{package}.msg")
        except ImportError:
            cure = f"sudo apt install ros-$ROS_DISTRO-{package.replace('_', '-')}, or source Autoware's workspace"
            if package in NEEDED:
                raise MissingMessages(f"the Autoware bridge needs {package}: {cure}") from None
            remarks.append(f"without {package} there is no {' or '.join(names[:1])}: {cure}")
            continue
        for name in names:
            setattr(classes, name, getattr(module, name))
    return classes, remarks


def heard(message: DrivingPlan) -> Heard:
    """The values of a plan.

    Raises:
        ValueError: samples without poses, or of different lengths.
    """
    samples = message.samples
    lengths = {len(values) for sample in samples for values in (sample.poses, sample.speed, sample.acceleration)}
    if len(lengths) != 1 or min(lengths) < 2 or message.chosen >= len(samples):
        raise ValueError(f"{len(samples)} samples of lengths {sorted(lengths)}, chosen {message.chosen}")
    rows = np.array(
        [
            [
                (p.position.x, p.position.y, p.position.z, p.orientation.x, p.orientation.y, p.orientation.z,
                 p.orientation.w)
                for p in sample.poses
            ]
            for sample in samples
        ]
    )  # fmt: skip
    return Heard(
        stamp_ns(message.header.stamp), message.epoch, message.header.frame_id, message.policy, message.chosen,
        tuple(sample.reasoning for sample in samples), Placed(rows[..., :3], rows[..., 3:]),
        np.array([sample.speed for sample in samples], dtype=np.float64),
        np.array([sample.acceleration for sample in samples], dtype=np.float64),
    )  # fmt: skip


class Writer:
    """Messages of one set of classes.

    Args:
        frame: "odometry" (the trajectory's own frame), or the name of the vehicle's frame.
        engage_speed: m/s, see `engaged`.
    """

    def __init__(self, classes: SimpleNamespace, frame: str, engage_speed: float) -> None:
        self._m, self._frame, self._engage = classes, frame, engage_speed

    def trajectory(self, found: Followable) -> Any:
        """An autoware_planning_msgs/Trajectory."""
        return self._m.Trajectory(header=self._header(found, found.trajectory), points=self._points(found.trajectory))

    def candidates(self, found: Followable) -> Any:
        """An autoware_internal_planning_msgs/CandidateTrajectories: every sample that passes, each its generator's."""
        policy = found.heard.policy if found.heard else ""
        named = {f"alpamayo_ros/{policy}/{number}": each for number, each in sorted(found.candidates.items())}
        if found.stopping:
            named = {f"alpamayo_ros/{STOP}": found.trajectory}
        return self._m.CandidateTrajectories(
            candidate_trajectories=[
                self._m.CandidateTrajectory(
                    header=self._header(found, each), generator_id=generator_id(name), points=self._points(each)
                )
                for name, each in named.items()
            ],
            generator_info=[
                self._m.GeneratorInfo(generator_id=generator_id(name), generator_name=String(data=name))
                for name in named
            ],
        )

    def reasoning(self, found: Followable) -> Any:
        """An autoware_internal_debug_msgs/StringStamped with the trajectory's own stamp."""
        words = f"Stopping: {found.stopping}." if found.stopping else found.heard.reasoning[found.heard.chosen]
        return self._m.StringStamped(stamp=time_msg(found.trajectory.stamp_ns), data=words)

    def _header(self, found: Followable, trajectory: Trajectory) -> Header:
        frame = found.frame_id if self._frame == "odometry" else self._frame
        return Header(stamp=time_msg(trajectory.stamp_ns), frame_id=frame)

    def _points(self, trajectory: Trajectory) -> list[Any]:
        m, poses = self._m, trajectory.poses
        if self._frame != "odometry":
            poses = Placed(poses.xyz[0], poses.quaternion[0]).inverse() @ poses
        rows = zip(
            trajectory.times.tolist(), poses.xyz.tolist(), poses.quaternion.tolist(),
            engaged(trajectory.speed, self._engage).tolist(), trajectory.acceleration.tolist(),
            trajectory.heading_rate.tolist(), trajectory.steering.tolist(), strict=True,
        )  # fmt: skip
        return [
            m.TrajectoryPoint(
                time_from_start=_duration(seconds),
                pose=Pose(position=Point(x=x, y=y, z=z), orientation=Quaternion(x=qx, y=qy, z=qz, w=qw)),
                longitudinal_velocity_mps=speed,
                acceleration_mps2=acceleration,
                heading_rate_rps=heading_rate,
                front_wheel_angle_rad=steering,
            )
            for seconds, (x, y, z), (qx, qy, qz, qw), speed, acceleration, heading_rate, steering in rows
        ]


def engaged(speed: np.ndarray, engage_speed: float) -> np.ndarray:
    """(N,) speeds, where a standing vehicle sets off not below `engage_speed` until it is that fast."""
    fast = np.flatnonzero(speed >= engage_speed)
    if not engage_speed or speed[0] >= engage_speed or not len(fast) or (np.diff(speed[: fast[0] + 1]) < 0.0).any():
        return speed
    return np.concatenate([np.full(fast[0], engage_speed), speed[fast[0] :]])


def generator_id(name: str) -> UUID:
    """The same for the same name, always and everywhere (UUID version 5)."""
    return UUID(uuid=np.frombuffer(uuid.uuid5(uuid.NAMESPACE_DNS, name).bytes, dtype=np.uint8))


def _duration(seconds: float) -> Duration:
    whole = round(seconds * SECOND_NS)
    return Duration(sec=whole // SECOND_NS, nanosec=whole % SECOND_NS)
