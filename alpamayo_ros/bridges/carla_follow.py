"""From a path and odometry to throttle, steer and brake. No ROS.

The path is looked up at odometry's own time, so that latency costs what it costs (`world/follower.py`). Without a fresh
path in odometry's frame the brake is pressed, and the reason is told.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from alpamayo_ros.bridges.carla_vehicle import Vehicle
from alpamayo_ros.contract import SECOND_NS
from alpamayo_ros.geometry import Pose, yaw_of_quaternion
from alpamayo_ros.world.follower import EXPIRED_BRAKING, HALT_BRAKING, Path, track
from alpamayo_ros.world.state import EgoState
from alpamayo_ros.world.vehicle import Control

# What the pedals do, m/s^2 when fully pressed: a mid-size car's. What is wrong with it is made up for by `CATCH_UP`.
FULL_THROTTLE = 4.0
FULL_BRAKE = 8.0
# How fast the pedals make up for drag, slopes and a wrong scale: m/s^2 a second for each m/s^2 that is missing.
CATCH_UP = 0.8
MOST = 2.0  # m/s^2, what they make up for at the most
STANDING = 0.1  # m/s
HOLD = 0.4  # of the brake, while standing is wished: more than a slope of 30 %
WITHOUT_ODOMETRY_NS = SECOND_NS // 2
# A path that was made further ahead of odometry than this is of another time: from before the simulation began anew.
AHEAD_NS = SECOND_NS // 2


@dataclass(frozen=True)
class Pedals:
    """CarlaEgoVehicleControl's numbers: throttle and brake 0..1, steer -1 (left) .. 1 (right)."""

    throttle: float
    steer: float
    brake: float


@dataclass(frozen=True)
class Odometry:
    """A vehicle's pose at the actor's origin (`child_frame_id`) in `frame_id`, and its forward speed (m/s)."""

    stamp_ns: int
    frame_id: str
    child_frame_id: str
    pose: Pose
    speed: float

    @property
    def sound(self) -> bool:
        """Whether all is finite, and the rotation is one."""
        values = [*self.pose.xyz, *self.pose.quaternion, self.speed]
        return bool(np.isfinite(values).all()) and abs(float(np.linalg.norm(self.pose.quaternion)) - 1.0) < 1e-2


@dataclass
class Follower:
    """Call `hear` with paths and `pedals` with every odometry.

    Args:
        body: the frame of the actor's origin, which odometry's child has to be.
        max_path_age_ns: an older path is not followed.

    Attributes:
        vehicle: None until it is known.
        braking_for: why it brakes instead of following, in fixed words; "" while it follows.
        detail: the numbers and names of that reason.
    """

    body: str
    max_path_age_ns: int
    vehicle: Vehicle | None = None
    braking_for: str = "no odometry yet"
    detail: str = ""
    _path: Path | None = None
    _path_t0_ns: int = 0
    _path_frame: str = ""
    _last: Odometry | None = None
    _steering: float = 0.0  # of the front wheels, rad, + = left
    _wish: float = 0.0  # m/s^2
    _missing: float = field(default=0.0, init=False)  # m/s^2 that the pedals make up for

    def hear(self, path: Path, t0_ns: int, frame_id: str) -> None:
        """A path made at t0; one that is older than the last is not taken.

        Raises:
            ValueError: a path that cannot be followed: fewer than two poses, or not finite, or its stamps do not rise.
        """
        count = len(path.stamps_ns)
        if count < 2 or not (np.isfinite(path.xy).all() and np.isfinite(path.yaw).all()):
            raise ValueError(f"a path of {count} poses, which is not two or more that are finite")
        if not (np.diff(path.stamps_ns) > 0).all():
            raise ValueError(f"a path of {count} poses whose stamps do not rise: each has to have its own time")
        if self._path is None or t0_ns > self._path_t0_ns:
            self._path, self._path_t0_ns, self._path_frame = path, t0_ns, frame_id

    def pedals(self, seen: Odometry) -> Pedals:
        """What to press now, at the time of this odometry, which has to be sound."""
        if self._last is not None and seen.stamp_ns < self._last.stamp_ns:  # the simulation has begun anew
            self._path, self._last, self._steering = None, None, 0.0
        if self._path_t0_ns - seen.stamp_ns > AHEAD_NS:
            self._path = None
        self.braking_for, self.detail = self._reason(seen)
        self._learn(seen)
        if self.braking_for or self._path is None or self.vehicle is None:
            return self._press(Control(self._steering, EXPIRED_BRAKING), seen.speed)
        state = _at_rear_axle(seen, self.vehicle, self._steering)
        return self._press(track(self._path, state, seen.stamp_ns, self.vehicle.wheelbase), seen.speed)

    def without_odometry(self, silent_ns: int) -> Pedals | None:
        """The brake, where nothing has come for too long since the last odometry; None where it has not."""
        if self._last is None or silent_ns <= WITHOUT_ODOMETRY_NS:
            return None
        self.braking_for, self.detail = "no odometry", f"for {silent_ns / SECOND_NS:.2f} s"
        return self._press(Control(self._steering, EXPIRED_BRAKING), 0.0)

    def _reason(self, seen: Odometry) -> tuple[str, str]:
        if seen.child_frame_id != self.body:
            return "odometry of another body", f"child_frame_id '{seen.child_frame_id}', not '{self.body}'"
        if self.vehicle is None:
            return "no vehicle_info yet", "nor wheelbase, rear_axle_x and max_steer_angle as parameters"
        if self._path is None:
            return "no path yet", ""
        if self._path_frame != seen.frame_id:
            return "path in another frame", f"path in '{self._path_frame}', odometry in '{seen.frame_id}'"
        age, limit = ((seen.stamp_ns - self._path_t0_ns) / SECOND_NS, self.max_path_age_ns / SECOND_NS)
        return ("stale path", f"{age:.2f} s old, {limit:.2f} s are allowed") if age > limit else ("", "")

    def _learn(self, seen: Odometry) -> None:
        """What was wished since the last odometry against what came of it."""
        last, self._last = self._last, seen
        if last is None or self.braking_for or (seen.speed < STANDING and self._wish <= HALT_BRAKING):
            self._missing = 0.0
            return
        seconds = (seen.stamp_ns - last.stamp_ns) / SECOND_NS
        missing = self._missing + CATCH_UP * (self._wish * seconds - (seen.speed - last.speed))
        least = 0.0 if seen.speed < STANDING else -MOST  # a standing vehicle cannot slow down any further
        self._missing = min(max(missing, least), MOST)

    def _press(self, control: Control, speed: float) -> Pedals:
        self._steering, self._wish = control.steering, control.acceleration
        steer = 0.0
        if self.vehicle is not None:
            steer = min(max(-control.steering / self.vehicle.max_steer_angle, -1.0), 1.0)
        push = control.acceleration + self._missing
        if speed < STANDING and control.acceleration <= HALT_BRAKING:
            return Pedals(0.0, steer, HOLD)
        return Pedals(min(max(push / FULL_THROTTLE, 0.0), 1.0), steer, min(max(-push / FULL_BRAKE, 0.0), 1.0))


def _at_rear_axle(seen: Odometry, vehicle: Vehicle, steering: float) -> EgoState:
    axle = seen.pose.apply(np.array([*vehicle.rear_axle, 0.0]))
    yaw = float(yaw_of_quaternion(seen.pose.quaternion))
    # A step back to where it stood is no driving backwards.
    return EgoState(float(axle[0]), float(axle[1]), yaw, max(seen.speed, 0.0), 0.0, steering)
