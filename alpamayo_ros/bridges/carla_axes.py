"""CARLA's left-handed axes (x forward, y right, z up; degrees) to ROS's right-handed ones (y left; radians).

The mirror M = diag(1, -1, 1) takes a vector to M v, a rotation matrix to M R M, and an angular velocity, which is an
axial vector, to -M w. CARLA's rotation matrix is that of carla.Transform.get_matrix(); in terms of its angles the
mirrored one is roll, -pitch, -yaw about fixed axes.
"""

from __future__ import annotations

import math

import numpy as np

from alpamayo_ros.geometry import Pose, quaternion_conjugate, quaternion_multiply, rotate

MIRROR = np.array([1.0, -1.0, 1.0])


def vector(carla: tuple[float, float, float]) -> np.ndarray:
    """A place (m) or a velocity."""
    return np.asarray(carla, dtype=float) * MIRROR


def quaternion(roll: float, pitch: float, yaw: float) -> np.ndarray:
    """(4,) xyzw of a carla.Rotation, degrees."""
    about = ((0, math.radians(roll)), (1, -math.radians(pitch)), (2, -math.radians(yaw)))
    turned = np.array([0.0, 0.0, 0.0, 1.0])
    for axis, angle in about:
        turn = np.array([0.0, 0.0, 0.0, math.cos(angle / 2)])
        turn[axis] = math.sin(angle / 2)
        turned = quaternion_multiply(turn, turned)
    return turned


def pose(location: tuple[float, float, float], roll: float, pitch: float, yaw: float) -> Pose:
    """A carla.Transform."""
    return Pose(vector(location), quaternion(roll, pitch, yaw))


def twist(
    velocity: tuple[float, float, float], angular: tuple[float, float, float], attitude: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Linear (m/s) and angular (rad/s) velocity in the body's axes, as nav_msgs/Odometry wants them.

    Args:
        velocity: carla.Actor.get_velocity(), in the world's axes, m/s.
        angular: carla.Actor.get_angular_velocity(), in the world's axes, degrees/s.
        attitude: (4,) xyzw, the body in ROS's world.
    """
    back = quaternion_conjugate(attitude)
    return rotate(back, vector(velocity)), rotate(back, -np.radians(vector(angular)))


def wheel(position: tuple[float, float, float], vehicle: Pose) -> np.ndarray:
    """(3,) a wheel's place in the vehicle's frame, m.

    Args:
        position: carla.WheelPhysicsControl.position: in the world, in centimetres.
        vehicle: the vehicle's pose in ROS's world.
    """
    return vehicle.inverse().apply(vector(position) / 100.0)
