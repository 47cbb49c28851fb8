import math

import numpy as np
import pytest

from alpamayo_ros.contract import CAMERA_ROLES
from alpamayo_ros.geometry import quaternion_to_matrix
from alpamayo_ros.world.rig import RIG


def pixel(role: str, point: tuple[float, float, float], height: int = 320, width: int = 576) -> np.ndarray:
    camera = RIG[role]
    x, y, z = camera.to_optical(np.array(point))
    u, v, w = camera.intrinsics(height, width) @ [x, y, z]
    return np.array([u, v]) / w


def test_the_rig_has_the_models_cameras():
    assert tuple(RIG) == CAMERA_ROLES
    assert [camera.fov for camera in RIG.values()] == [120.0, 120.0, 120.0, 30.0]
    assert [camera.yaw for camera in RIG.values()] == [60.0, 0.0, -60.0, 0.0]


def test_a_point_straight_ahead_is_in_the_middle_and_left_is_left_and_up_is_up():
    assert pixel("front_wide", (20.0, 0.0, 2.4)) == pytest.approx([287.5, 159.5])
    assert pixel("front_wide", (20.0, 3.0, 2.4))[0] < 287.5
    assert pixel("front_wide", (20.0, 0.0, 4.0))[1] < 159.5


@pytest.mark.parametrize("role", RIG)
def test_the_field_of_view_spans_the_image(role):
    camera = RIG[role]
    half = math.radians(camera.fov) / 2
    angle = math.radians(camera.yaw) + half
    far = np.array(camera.xyz) + 100.0 * np.array([math.cos(angle), math.sin(angle), 0.0])
    assert pixel(role, tuple(far))[0] == pytest.approx(-0.5, abs=1e-6)


@pytest.mark.parametrize("role", RIG)
def test_the_optical_frame_is_a_rotation_and_its_quaternion_the_same(role):
    camera = RIG[role]
    assert np.linalg.det(camera.rotation) == pytest.approx(1.0)
    assert np.allclose(quaternion_to_matrix(camera.quaternion), camera.rotation)
    forward = camera.rotation[:, 2]
    assert math.degrees(math.atan2(forward[1], forward[0])) == pytest.approx(camera.yaw)


def test_the_eye_moves_with_the_ego():
    assert RIG["front_wide"].eye(10.0, 5.0, math.pi / 2) == pytest.approx([10.0, 6.5, 2.4])
