"""The small world dressed as CARLA behind its ros-bridge: the same drive under CARLA's names, types, frames and signs.

Facts: the ros-bridge at e9063d9 and its messages (in synchronous mode, a tick of 0.05 s, `sensor_tick` 0.1 s, with
config/carla_rig.json's sensors). What a real simulator has beyond the driver's needs is left out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from alpamayo_ros.bridges import carla_topics
from alpamayo_ros.contract import CAMERA_ROLES
from alpamayo_ros.geometry import quaternion_from_yaw
from alpamayo_ros.live.drive import LiveDrive
from alpamayo_ros.live.topics import DRIVER, Heard, Said, Sent, follow
from alpamayo_ros.world import wire
from alpamayo_ros.world.episode import START_NS
from alpamayo_ros.world.rig import RIG
from alpamayo_ros.world.state import EgoState
from alpamayo_ros.world.vehicle import STEERING_LIMIT, WHEELBASE, Control

TICK_NS = 50_000_000
# The actor's origin: this far ahead of the rear axle, on the ground (m). A Tesla Model 3 of CARLA has about as much.
ORIGIN_AHEAD = 1.4
HALF_TRACK, WHEEL_RADIUS = 0.8, 0.35
# What the pedals do (m/s^2); not what the follower takes them for, as with a real vehicle.
FULL_THROTTLE, FULL_BRAKE = 3.2, 7.0
ROLLING, DRAG = 0.15, 4e-4  # m/s^2, and m/s^2 at 1 m/s for what grows with the square of the speed


class Carla:
    """The dress; `role` is the vehicle's role_name.

    Raises:
        CarlaMessagesMissing: carla_msgs is not installed.
    """

    def __init__(self, role: str = carla_topics.ROLE) -> None:
        self._role = role
        self._types = carla_topics.messages()
        queue = carla_topics.QUEUE
        self._odometry = carla_topics.topic(role, "odometry")
        self._info = carla_topics.topic(role, "vehicle_info")
        self.images = [carla_topics.image(role, camera) for camera in CAMERA_ROLES]
        # The driver and the follower listen to odometry.
        self.awaits = {**dict.fromkeys(self.images, 1), self._odometry: 2}
        self.says = [
            Said("/clock", wire.CLOCK, queue),
            Said("/tf", wire.TF, 100),
            Said("command", wire.STRING, 1, latched=True),
            Said(self._odometry, wire.ODOMETRY, queue),
            Said(self._info, carla_topics.INFO, queue, latched=True),
            *(Said(topic, wire.IMAGE, queue) for topic in self.images),
            *(Said(carla_topics.camera_info(role, camera), wire.CAMERA_INFO, queue) for camera in CAMERA_ROLES),
        ]
        self.hears = [
            Heard(f"{DRIVER}/path", wire.PATH, 1, follow),
            Heard(carla_topics.topic(role, "vehicle_control_cmd"), carla_topics.CONTROL, queue, _obey),
        ]

    def announce(self) -> Sent:
        from rclpy.serialization import serialize_message

        yield self._info, serialize_message(vehicle_info(self._types, self._role))

    def instant(self, now_ns: int, ego: EgoState) -> Sent:
        if (now_ns - START_NS) % TICK_NS:
            return
        yield "/clock", wire.clock(now_ns)
        x, y = origin(ego)
        turning = wire.yaw_rate(ego)
        velocity = (ego.speed, turning * ORIGIN_AHEAD)
        yield self._odometry, wire.body_odometry(now_ns, self._role, x, y, ego.yaw, velocity, turning)
        placed = (carla_topics.MAP, self._role, (x, y, 0.0), quaternion_from_yaw(ego.yaw))
        yield "/tf", wire.transforms(now_ns, [placed])

    def exposure(self, role: str, stamp_ns: int, rgb: np.ndarray) -> Sent:
        frame, (height, width) = carla_topics.optical_frame(self._role, role), rgb.shape[:2]
        yield "/tf", wire.transforms(stamp_ns, [(self._role, frame, camera_place(role), RIG[role].quaternion)])
        bgra = np.dstack([rgb[..., ::-1], np.full(rgb.shape[:2], 255, np.uint8)])
        k = RIG[role].intrinsics(height, width)
        k[:2, 2] = width / 2, height / 2  # as CARLA counts pixels
        yield carla_topics.camera_info(self._role, role), wire.pinhole(frame, stamp_ns, height, width, k)
        yield carla_topics.image(self._role, role), wire.image(frame, stamp_ns, "bgra8", bgra)

    def text(self, words: str) -> Sent:
        yield "command", wire.text(words)


def origin(ego: EgoState) -> tuple[float, float]:
    """Where the actor's origin is in the world."""
    return ego.x + ORIGIN_AHEAD * float(np.cos(ego.yaw)), ego.y + ORIGIN_AHEAD * float(np.sin(ego.yaw))


def camera_place(role: str) -> tuple[float, float, float]:
    """A camera's place in the frame of the actor's origin, m: `spawn_point` of config/carla_rig.json."""
    x, y, z = RIG[role].xyz
    return x - ORIGIN_AHEAD, y, z


def vehicle_info(types: Any, role: str) -> Any:
    """CarlaEgoVehicleInfo of the world's vehicle: front left, front right, rear left, rear right wheel."""
    info = types.CarlaEgoVehicleInfo(id=1, type="vehicle.tesla.model3", rolename=role, mass=1845.0)
    for ahead, turns in ((WHEELBASE - ORIGIN_AHEAD, STEERING_LIMIT), (-ORIGIN_AHEAD, 0.0)):
        for side in (HALF_TRACK, -HALF_TRACK):
            wheel = types.CarlaEgoVehicleInfoWheel(max_steer_angle=turns, radius=100 * WHEEL_RADIUS)  # centimetres
            wheel.position.x, wheel.position.y, wheel.position.z = ahead, side, WHEEL_RADIUS
            info.wheels.append(wheel)
    return info


def response(throttle: float, steer: float, brake: float, ego: EgoState) -> Control:
    """What a CarlaEgoVehicleControl does to the vehicle: its steer is positive to the right, our angles to the left."""
    resistance = ROLLING + DRAG * ego.speed**2 if ego.speed > 0.0 else 0.0
    acceleration = _share(throttle) * FULL_THROTTLE - _share(brake) * FULL_BRAKE - resistance
    return Control(-min(max(steer, -1.0), 1.0) * STEERING_LIMIT, acceleration)


def _share(pedal: float) -> float:
    return min(max(pedal, 0.0), 1.0)


def _obey(drive: LiveDrive, command: Any) -> None:
    drive.obey(lambda ego: response(command.throttle, command.steer, command.brake, ego))
