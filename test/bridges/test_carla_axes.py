"""CARLA's left-handed world in ROS's axes, against the rotation matrix of carla.Transform and against differences."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alpamayo_ros.bridges import carla_axes
from alpamayo_ros.geometry import quaternion_to_matrix

MIRROR = np.diag([1.0, -1.0, 1.0])
degrees = st.floats(-180.0, 180.0)


def unreal(roll, pitch, yaw):
    """carla.Transform.get_matrix(): columns are the body's forward, right and up in the left-handed world."""
    (cr, sr), (cp, sp), (cy, sy) = ((math.cos(a), math.sin(a)) for a in map(math.radians, (roll, pitch, yaw)))
    return np.array(
        [
            [cp * cy, cy * sp * sr - sy * cr, -cy * sp * cr - sy * sr],
            [cp * sy, sy * sp * sr + cy * cr, -sy * sp * cr + cy * sr],
            [sp, -cp * sr, cp * cr],
        ]
    )


@given(degrees, st.floats(-89.0, 89.0), degrees)
def test_a_rotation_is_the_mirrored_one(roll, pitch, yaw):
    turned = quaternion_to_matrix(carla_axes.quaternion(roll, pitch, yaw))
    np.testing.assert_allclose(turned, MIRROR @ unreal(roll, pitch, yaw) @ MIRROR, atol=1e-12)


@pytest.mark.parametrize(
    ("angles", "ahead"),
    [
        ((0.0, 0.0, 0.0), (1.0, 0.0, 0.0)),
        ((0.0, 0.0, 90.0), (0.0, -1.0, 0.0)),  # CARLA turns to the right, towards its own +y
        ((0.0, 90.0, 0.0), (0.0, 0.0, 1.0)),  # nose up
    ],
)
def test_where_the_nose_points(angles, ahead):
    pose = carla_axes.pose((0.0, 0.0, 0.0), *angles)
    np.testing.assert_allclose(pose.apply(np.array([1.0, 0.0, 0.0])), ahead, atol=1e-12)


@given(degrees, st.floats(-60.0, 60.0), degrees, st.tuples(*[st.floats(-90.0, 90.0)] * 3))
def test_twist_is_what_the_poses_do(roll, pitch, yaw, spin):
    """`spin` in degrees/s turns the left-handed matrix by dR/dt = [w]x R, an identity of components in any hand."""
    w = np.radians(spin)
    cross = np.array([[0, -w[2], w[1]], [w[2], 0, -w[0]], [-w[1], w[0], 0]])
    before = unreal(roll, pitch, yaw)
    change = MIRROR @ (cross @ before) @ MIRROR
    ros = MIRROR @ before @ MIRROR
    in_body = ros.T @ change  # [w_body]x
    attitude = carla_axes.quaternion(roll, pitch, yaw)
    linear, angular = carla_axes.twist(tuple(before @ [3.0, 0.5, -0.25]), tuple(spin), attitude)
    np.testing.assert_allclose(angular, [in_body[2, 1], in_body[0, 2], in_body[1, 0]], atol=1e-9)
    np.testing.assert_allclose(linear, [3.0, -0.5, -0.25], atol=1e-9)  # forward, left, up


def test_a_wheel_comes_from_the_worlds_centimetres_into_the_vehicles_metres():
    vehicle = carla_axes.pose((100.0, 5.0, 0.0), 0.0, 0.0, 90.0)  # looks along CARLA's +y
    front_right = (100.0 - 0.8, 5.0 + 1.6, 0.35)  # right of +y is -x
    np.testing.assert_allclose(
        carla_axes.wheel(tuple(100.0 * v for v in front_right), vehicle), [1.6, -0.8, 0.35], atol=1e-9
    )
