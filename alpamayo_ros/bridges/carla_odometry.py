"""`carla-odometry`: the odometry and vehicle_info that CARLA's own `--ros2` lacks, out of its PythonAPI.

Published under the ros-bridge's names and in its form, so that everything else is the same for both bridges:

    /carla/<role>/odometry      nav_msgs/Odometry    map -> <role>, the actor's origin, once a tick at its own stamp
    /carla/<role>/vehicle_info  CarlaEgoVehicleInfo  latched: the wheels

Needs the package `carla` of the simulator's version, and carla_msgs. Never run against a real simulator by us.
"""

from __future__ import annotations

import math
import sys
import time
from typing import Any

from nav_msgs.msg import Odometry
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile

from alpamayo_ros import params
from alpamayo_ros.bridges import carla_axes, carla_topics
from alpamayo_ros.bridges.carla_options import ODOMETRY
from alpamayo_ros.bridges.run import run
from alpamayo_ros.contract import SECOND_NS
from alpamayo_ros.geometry import Pose
from alpamayo_ros.messages import time_msg

# How long the vehicle may take to be spawned, and to answer (s).
SPAWNING, ANSWERING = 60.0, 10.0


class CarlaOdometry(Node):
    """Publishes once a tick. Parameters are in carla_options.py.

    Args:
        carla: the PythonAPI's module.

    Raises:
        TimeoutError: no vehicle of that role name.
    """

    def __init__(self, carla: Any, **options):
        super().__init__("carla_odometry", **options)
        types = carla_topics.messages()
        params.declare(self, ODOMETRY)
        values = params.read(self, ODOMETRY)
        self._role, host, port = values["role_name"], values["host"], values["port"]
        queue = carla_topics.QUEUE
        self._out = self.create_publisher(Odometry, carla_topics.topic(self._role, "odometry"), queue)
        latched = QoSProfile(depth=queue, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        info = self.create_publisher(types.CarlaEgoVehicleInfo, carla_topics.topic(self._role, "vehicle_info"), latched)
        self._client = carla.Client(host, port)
        self._client.set_timeout(ANSWERING)
        self._world = self._client.get_world()
        self._vehicle = _await_vehicle(self._world, self._role, f"CARLA at {host}:{port}")
        info.publish(vehicle_info(types, self._vehicle, self._role))
        self._callback = self._world.on_tick(self._on_tick)

    def destroy_node(self) -> None:
        self._world.remove_on_tick(self._callback)
        super().destroy_node()

    def _on_tick(self, snapshot: Any) -> None:
        actor = snapshot.find(self._vehicle.id)
        if actor is None:
            self.get_logger().error(f"{self._role} is no longer in the world", throttle_duration_sec=5.0)
            return
        stamp_ns = round(snapshot.timestamp.elapsed_seconds * SECOND_NS)
        self._out.publish(odometry(self._role, stamp_ns, actor))


def odometry(role: str, stamp_ns: int, actor: Any) -> Odometry:
    """A carla.ActorSnapshot as Odometry of the actor's origin in map, its twist in the body's axes."""
    pose = _pose(actor.get_transform())
    linear, angular = carla_axes.twist(_xyz(actor.get_velocity()), _xyz(actor.get_angular_velocity()), pose.quaternion)
    message = Odometry(child_frame_id=role)
    message.header.stamp, message.header.frame_id = time_msg(stamp_ns), carla_topics.MAP
    p, q = message.pose.pose.position, message.pose.pose.orientation
    p.x, p.y, p.z = pose.xyz.tolist()
    q.x, q.y, q.z, q.w = pose.quaternion.tolist()
    twist = message.twist.twist
    twist.linear.x, twist.linear.y, twist.linear.z = linear.tolist()
    twist.angular.x, twist.angular.y, twist.angular.z = angular.tolist()
    return message


def vehicle_info(types: Any, vehicle: Any, role: str) -> Any:
    """CarlaEgoVehicleInfo of a carla.Vehicle, with of its wheels what a follower needs."""
    pose = _pose(vehicle.get_transform())
    info = types.CarlaEgoVehicleInfo(id=vehicle.id, type=vehicle.type_id, rolename=role)
    for wheel in vehicle.get_physics_control().wheels:
        place = carla_axes.wheel(_xyz(wheel.position), pose)
        told = types.CarlaEgoVehicleInfoWheel(max_steer_angle=math.radians(wheel.max_steer_angle), radius=wheel.radius)
        told.position.x, told.position.y, told.position.z = place.tolist()
        info.wheels.append(told)
    return info


def _await_vehicle(world: Any, role: str, where: str) -> Any:
    deadline = time.monotonic() + SPAWNING
    while True:
        vehicles = list(world.get_actors().filter("vehicle.*"))
        for vehicle in vehicles:
            if role in (vehicle.attributes.get("role_name"), vehicle.attributes.get("ros_name")):
                return vehicle
        if time.monotonic() > deadline:
            names = ", ".join(sorted(str(v.attributes.get("role_name")) for v in vehicles)) or "no vehicle"
            raise TimeoutError(f"{where} has no vehicle with role_name or ros_name {role!r}; it has {names}")
        time.sleep(0.2)


def _pose(transform: Any) -> Pose:
    turned = transform.rotation
    return carla_axes.pose(_xyz(transform.location), turned.roll, turned.pitch, turned.yaw)


def _xyz(vector: Any) -> tuple[float, float, float]:
    return vector.x, vector.y, vector.z


def main(argv: list[str] | None = None) -> int:
    """Runs the node until it is told to end; 1 where something that it needs is missing."""
    try:
        import carla
    except ImportError as error:
        print(
            f"carla_odometry: CARLA's PythonAPI is not installed ({error}); pip install the version of your simulator, "
            "e.g. carla==0.9.16. With the ros-bridge it is not needed (bridge:=ros_bridge)",
            file=sys.stderr,
        )
        return 1
    # RuntimeError is what the PythonAPI raises where no simulator answers.
    refusals = (carla_topics.CarlaMessagesMissing, TimeoutError, RuntimeError)
    return run("carla_odometry", lambda: CarlaOdometry(carla), refusals, argv)
