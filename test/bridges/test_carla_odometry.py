"""The odometry source of the native bridge, on real DDS, fed by a stand-in for the PythonAPI."""

import time

import numpy as np
import pytest
import rclpy
from bridges import carla_standin as standin
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile

from alpamayo_ros.bridges import carla_odometry
from alpamayo_ros.bridges.carla_odometry import CarlaOdometry
from alpamayo_ros.bridges.carla_vehicle import vehicle_of_wheels
from alpamayo_ros.geometry import yaw_of_quaternion
from alpamayo_ros.messages import stamp_ns

# It stands at (100, 5) and looks along CARLA's +y, which is ROS's -y; it drives on at 8 m/s and turns to its right.
PLACED = standin.transform((100.0, 5.0, 0.02), 0.0, 0.0, 90.0)
WHEELS = [
    ((100.0 * x, 100.0 * y, 35.0), turn)
    for x, y, turn in ((100.8, 6.6, 70.0), (99.2, 6.6, 70.0), (100.8, 3.6, 0.0), (99.2, 3.6, 0.0))
]


@pytest.fixture
def world():
    rclpy.init()
    yield standin.World(
        [
            standin.Actor(7, "traffic", PLACED),
            standin.Actor(8, "hero", PLACED, (0.0, 8.0, 0.0), (0.0, 0.0, 30.0), WHEELS),
        ]
    )
    rclpy.try_shutdown()


def hear(world, node):
    from carla_msgs.msg import CarlaEgoVehicleInfo
    from nav_msgs.msg import Odometry

    heard, executor, listener = {}, SingleThreadedExecutor(), rclpy.create_node("listener")
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    for kind, name, qos in ((Odometry, "odometry", 10), (CarlaEgoVehicleInfo, "vehicle_info", latched)):
        listener.create_subscription(kind, f"/carla/hero/{name}", lambda m, n=name: heard.setdefault(n, m), qos)
    executor.add_node(listener)
    deadline = time.monotonic() + 10
    while len(heard) < 2 and time.monotonic() < deadline:
        world.tick(12.35)
        executor.spin_once(timeout_sec=0.05)
    executor.shutdown()
    listener.destroy_node()
    return heard["odometry"], heard["vehicle_info"]


def test_odometry_and_wheels_as_the_ros_bridge_has_them(world):
    node = CarlaOdometry(standin.module(world), cli_args=["--ros-args", "-p", "host:=sim", "-p", "port:=2010"])
    odometry, info = hear(world, node)
    assert standin.ADDRESSES[-1] == ("sim", 2010)
    assert (odometry.header.frame_id, odometry.child_frame_id) == ("map", "hero")
    assert stamp_ns(odometry.header.stamp) == 12_350_000_000
    p, q, twist = odometry.pose.pose.position, odometry.pose.pose.orientation, odometry.twist.twist
    assert (p.x, p.y, p.z) == (100.0, -5.0, 0.02)
    assert yaw_of_quaternion(np.array([q.x, q.y, q.z, q.w])) == pytest.approx(-np.pi / 2)
    np.testing.assert_allclose([twist.linear.x, twist.linear.y, twist.linear.z], [8.0, 0.0, 0.0], atol=1e-9)
    assert twist.angular.z == pytest.approx(np.radians(-30.0))  # to the right is negative
    wheels = info.wheels
    vehicle = vehicle_of_wheels([(w.position.x, w.position.y) for w in wheels], [w.max_steer_angle for w in wheels])
    assert vehicle.rear_axle == pytest.approx((-1.4, 0.0)) and vehicle.wheelbase == pytest.approx(3.0)
    assert vehicle.max_steer_angle == pytest.approx(np.radians(70.0)) and info.rolename == "hero"
    assert wheels[0].position.y == pytest.approx(0.8)  # CARLA's larger x is its left here
    node.destroy_node()
    assert world.listeners == 0


def test_a_vehicle_that_is_not_there_is_named_with_those_that_are(world, monkeypatch):
    monkeypatch.setattr(carla_odometry, "SPAWNING", 0.0)
    with pytest.raises(TimeoutError, match="'ego'; it has hero, traffic"):
        CarlaOdometry(standin.module(world), cli_args=["--ros-args", "-p", "role_name:=ego"])


def test_without_the_python_api_it_says_what_to_install(capsys):
    with pytest.raises(ImportError):
        import carla  # noqa: F401
    assert carla_odometry.main(["--ros-args"]) == 1
    assert "pip install" in capsys.readouterr().err
