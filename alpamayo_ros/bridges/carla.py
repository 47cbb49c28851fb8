"""`carla`: drives a CARLA vehicle along the driver's path, and says where its rear axle is.

    in   /carla/<role>/odometry      nav_msgs/Odometry        the actor's origin (ros-bridge, or `carla-odometry`)
         /carla/<role>/vehicle_info  CarlaEgoVehicleInfo      latched: wheels
         alpamayo_driver/path        nav_msgs/Path
    out  /carla/<role>/vehicle_control_cmd  CarlaEgoVehicleControl   one for each odometry: 20 Hz at CARLA's usual step
         /tf_static                  <role> -> base_link      by which the driver brings odometry to the rear axle

Brakes while there is no fresh path. It needs carla_msgs; the driver does not.
"""

from __future__ import annotations

import numpy as np
from geometry_msgs.msg import TransformStamped
from nav_msgs.msg import Odometry as OdometryMsg
from nav_msgs.msg import Path as PathMsg
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from tf2_msgs.msg import TFMessage

from alpamayo_ros import params
from alpamayo_ros.bridges import carla_topics
from alpamayo_ros.bridges.carla_follow import Follower, Odometry, Pedals
from alpamayo_ros.bridges.carla_options import FOLLOWER
from alpamayo_ros.bridges.carla_vehicle import Vehicle, WheelsUnknown, vehicle_of_wheels
from alpamayo_ros.bridges.run import run
from alpamayo_ros.contract import SECOND_NS
from alpamayo_ros.geometry import Pose
from alpamayo_ros.messages import stamp_ns, time_msg
from alpamayo_ros.world.follower import path_of

# Seconds of ROS time between two looks whether odometry still comes.
WATCH_PERIOD = 0.1
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class CarlaFollower(Node):
    """See the module; parameters are in carla_options.py.

    Raises:
        CarlaMessagesMissing: carla_msgs is not installed.
        WheelsUnknown: measures as parameters that no vehicle has.
    """

    def __init__(self, **options):
        super().__init__("carla_follower", **options)
        carla = carla_topics.messages()
        self._control = carla.CarlaEgoVehicleControl
        params.declare(self, FOLLOWER)
        values = params.read(self, FOLLOWER)
        self._role = values["role_name"]
        self._follower = Follower(self._role, round(values["max_path_age"] * SECOND_NS))
        self._told = ""
        self._odometry_came_ns = 0
        self._out_tf = self.create_publisher(TFMessage, "/tf_static", LATCHED)
        if values["wheelbase"] > 0.0:
            self._drive(Vehicle((values["rear_axle_x"], 0.0), values["wheelbase"], values["max_steer_angle"]))
        else:
            self.create_subscription(
                carla.CarlaEgoVehicleInfo, carla_topics.topic(self._role, "vehicle_info"), self._on_info, LATCHED
            )
        if values["follow"]:
            self._follow()

    def _follow(self) -> None:
        command, odometry = (carla_topics.topic(self._role, name) for name in ("vehicle_control_cmd", "odometry"))
        self._out = self.create_publisher(self._control, command, carla_topics.QUEUE)
        # Best effort matches every publisher; the next one comes soon.
        sensor = QoSProfile(depth=carla_topics.QUEUE, reliability=ReliabilityPolicy.BEST_EFFORT)
        self.create_subscription(OdometryMsg, odometry, self._on_odometry, sensor)
        self.create_subscription(PathMsg, "alpamayo_driver/path", self._on_path, QoSProfile(depth=1))
        self.create_timer(WATCH_PERIOD, self._on_watch)

    def _drive(self, vehicle: Vehicle) -> None:
        """The vehicle is known: latches where its rear axle is."""
        self._follower.vehicle = vehicle
        transform = TransformStamped(child_frame_id=carla_topics.BASE)
        transform.header.frame_id = self._role
        transform.transform.translation.x, transform.transform.translation.y = vehicle.rear_axle
        self._out_tf.publish(TFMessage(transforms=[transform]))
        self.get_logger().info(
            f"{self._role}: rear axle at x = {vehicle.rear_axle[0]:.3f} m, wheelbase {vehicle.wheelbase:.3f} m, "
            f"wheels turn {vehicle.max_steer_angle:.3f} rad"
        )

    def _on_info(self, info) -> None:
        wheels = info.wheels
        try:
            self._drive(
                vehicle_of_wheels([(w.position.x, w.position.y) for w in wheels], [w.max_steer_angle for w in wheels])
            )
        except WheelsUnknown as error:
            self.get_logger().error(f"/carla/{self._role}/vehicle_info: {error}")

    def _on_path(self, message: PathMsg) -> None:
        try:
            self._follower.hear(path_of(message), stamp_ns(message.header.stamp), message.header.frame_id)
        except ValueError as error:
            self.get_logger().error(f"alpamayo_driver/path: {error}", throttle_duration_sec=5.0)

    def _on_odometry(self, message: OdometryMsg) -> None:
        p, q = message.pose.pose.position, message.pose.pose.orientation
        pose = Pose(np.array([p.x, p.y, p.z]), np.array([q.x, q.y, q.z, q.w]))
        stamp, frame = stamp_ns(message.header.stamp), message.header.frame_id
        seen = Odometry(stamp, frame, message.child_frame_id, pose, message.twist.twist.linear.x)
        if not seen.sound:
            self.get_logger().error(f"/carla/{self._role}/odometry is no pose: {seen}", throttle_duration_sec=5.0)
            return
        self._odometry_came_ns = self.get_clock().now().nanoseconds
        self._send(self._follower.pedals(seen), stamp)

    def _on_watch(self) -> None:
        # Since it came, not since its stamp: the simulator's time may not be this node's (use_sim_time forgotten).
        now = self.get_clock().now().nanoseconds
        pedals = self._follower.without_odometry(now - self._odometry_came_ns)
        if pedals is not None:
            self._send(pedals, now)

    def _send(self, pedals: Pedals, now_ns: int) -> None:
        command = self._control(throttle=pedals.throttle, steer=pedals.steer, brake=pedals.brake)
        command.header.stamp, command.header.frame_id = time_msg(now_ns), self._role
        self._out.publish(command)
        follower = self._follower
        if follower.braking_for != self._told:
            self._told = follower.braking_for
            if follower.braking_for:
                self.get_logger().warning(f"braking: {follower.braking_for} {follower.detail}".rstrip())
            else:
                self.get_logger().info("following the path")


def main(argv: list[str] | None = None) -> int:
    """Runs the node until it is told to end; 1 where it cannot begin."""
    return run("carla_follower", CarlaFollower, (carla_topics.CarlaMessagesMissing, WheelsUnknown), argv)
