"""The small world dressed as a vehicle under Autoware: Autoware's names, its localization, its trajectory to follow.

The cameras are those of config/rig_example.yaml. Every trajectory that is heard is measured as Autoware's validator
would, beside where the vehicle truly is. What Autoware has beyond the driver's and the bridge's needs is left out.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np

from alpamayo_ros.bridges.autoware_topics import NAMINGS
from alpamayo_ros.contract import CAMERA_ROLES, SECOND_NS
from alpamayo_ros.follow import validator
from alpamayo_ros.follow.trajectory import Trajectory
from alpamayo_ros.follow.vehicle import Vehicle
from alpamayo_ros.geometry import Pose, quaternion_from_yaw, yaw_of_quaternion
from alpamayo_ros.live.drive import LiveDrive
from alpamayo_ros.live.topics import Heard, Said, Sent
from alpamayo_ros.paths import config
from alpamayo_ros.rig import load_rig
from alpamayo_ros.world import wire
from alpamayo_ros.world.episode import START_NS
from alpamayo_ros.world.follower import Path
from alpamayo_ros.world.state import EgoState
from alpamayo_ros.world.vehicle import WHEELBASE

NAMES = NAMINGS["autoware"]
TRAJECTORY = "autoware_planning_msgs/msg/Trajectory"
# Localization's period: 50 Hz.
PERIOD_NS = 20_000_000


class Autoware:
    """The dress.

    Attributes:
        measured: trajectories heard, by "trajectories" and by the name of each condition that one broke.
    """

    def __init__(self) -> None:
        rig = load_rig(config("rig_example.yaml"))
        self._image = {role: rig.topics[role] for role in CAMERA_ROLES}
        self._info = {role: topic.rsplit("/", 2)[0] + "/camera_info" for role, topic in self._image.items()}
        self.images = list(self._image.values())
        # The driver and the bridge listen to odometry.
        self.awaits = {**dict.fromkeys(self.images, 1), NAMES["odometry"]: 2}
        self.says = [
            Said("/clock", wire.CLOCK, 1),
            Said("/tf", wire.TF, 100),
            Said("/tf_static", wire.TF, 1, latched=True),
            Said(NAMES["odometry"], wire.ODOMETRY, 1),
            Said("command", wire.STRING, 1, latched=True),
            *(Said(topic, wire.COMPRESSED, 20) for topic in self.images),
            *(Said(topic, wire.CAMERA_INFO, 20) for topic in self._info.values()),
        ]
        self.hears = [Heard(NAMES["trajectory"], TRAJECTORY, 1, self._follow)]
        self.measured: Counter[str] = Counter()
        self._before: Trajectory | None = None

    def announce(self) -> Sent:
        yield "/tf_static", wire.static_transforms(START_NS)

    def instant(self, now_ns: int, ego: EgoState) -> Sent:
        yield "/clock", wire.clock(now_ns)
        if (now_ns - START_NS) % PERIOD_NS == 0:
            yield NAMES["odometry"], wire.odometry(now_ns, ego)
            yield "/tf", wire.transform(now_ns, ego)

    def exposure(self, role: str, stamp_ns: int, rgb: np.ndarray) -> Sent:
        yield self._image[role], wire.compressed_image(role, stamp_ns, rgb)
        yield self._info[role], wire.camera_info(role, stamp_ns, *rgb.shape[:2])

    def text(self, words: str) -> Sent:
        yield "command", wire.text(words)

    def _follow(self, drive: LiveDrive, message: Any) -> None:
        """A Trajectory to follow; one in another frame than the map is no use to the vehicle."""
        drive.heard_frame = message.header.frame_id
        if message.header.frame_id != wire.MAP or len(message.points) < 2:
            self.measured["unusable"] += 1
            return
        trajectory = trajectory_of(message)
        ego = drive.episode.at(min(max(trajectory.stamp_ns, START_NS), drive.episode.now_ns)).ego
        for name in broken(trajectory, ego, self._before):
            self.measured[name] += 1
        self.measured["trajectories"] += 1
        self._before = trajectory
        drive.hear(path_of(trajectory))


def broken(trajectory: Trajectory, ego: EgoState, before: Trajectory | None) -> dict[str, tuple[float, float]]:
    """The validator's conditions that a trajectory breaks beside the true vehicle."""
    limits = replace(validator.AUTOWARE, wheel_base=WHEELBASE)
    return validator.broken(trajectory, vehicle_of(ego, trajectory.stamp_ns), before, limits)


def vehicle_of(ego: EgoState, stamp_ns: int) -> Vehicle:
    """The world's vehicle as odometry would tell of it."""
    pose = Pose(np.array([ego.x, ego.y, 0.0]), quaternion_from_yaw(ego.yaw))
    return Vehicle(stamp_ns, pose, ego.speed, float(wire.yaw_rate(ego)), ego.acceleration)


def trajectory_of(message: Any) -> Trajectory:
    """The values of a Trajectory message."""
    points, stamp = message.points, message.header.stamp
    poses = [point.pose for point in points]
    return Trajectory(
        stamp.sec * SECOND_NS + stamp.nanosec,
        np.array([point.time_from_start.sec + point.time_from_start.nanosec / SECOND_NS for point in points]),
        Pose(
            np.array([(p.position.x, p.position.y, p.position.z) for p in poses]),
            np.array([(p.orientation.x, p.orientation.y, p.orientation.z, p.orientation.w) for p in poses]),
        ),
        *(
            np.array([getattr(point, name) for point in points])
            for name in ("longitudinal_velocity_mps", "acceleration_mps2", "heading_rate_rps", "front_wheel_angle_rad")
        ),
    )  # fmt: skip


def path_of(trajectory: Trajectory) -> Path:
    """The world's follower's path."""
    stamps = trajectory.stamp_ns + np.round(trajectory.times * SECOND_NS).astype(np.int64)
    yaw = np.unwrap(yaw_of_quaternion(trajectory.poses.quaternion))
    return Path(stamps, trajectory.poses.xyz[:, :2], yaw)
