import numpy as np
import pytest

from alpamayo_ros.geometry import Pose, matrix_to_quaternion
from alpamayo_ros.projection import CameraModel, draw_path, ribbon

# Optical axes (x right, y down, z forward) in the ego frame (x forward, y left, z up): REP-103.
FORWARD = matrix_to_quaternion(np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]]))
K = np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]])


def camera(distortion=(0, 0, 0, 0, 0), model="plumb_bob", height=1.5):
    return CameraModel(K, np.array(distortion, float), model, (480, 640), Pose(np.array([1.0, 0, height]), FORWARD))


def test_a_point_ahead_is_in_the_middle_and_left_is_left():
    pixels, visible = camera().project(np.array([[11.0, 0, 1.5], [11.0, 2.0, 1.5], [11.0, 0, 0.5]]))
    assert visible.all()
    assert pixels == pytest.approx(np.array([[320, 240], [220, 240], [320, 290]]))


def test_what_is_behind_is_not_in_view():
    _, visible = camera().project(np.array([[-5.0, 0, 0], [1.1, 0, 1.5], [20.0, 0, 0]]))
    assert visible.tolist() == [False, False, True]


def test_a_fisheye_follows_the_angle():
    angle = np.radians(40)
    ray = np.array([[1.0 + np.cos(angle), -np.sin(angle), 1.5]])
    pixels, _ = camera((0, 0, 0, 0), "equidistant").project(ray)
    assert pixels[0] == pytest.approx([320 + 500 * angle, 240])


def test_a_distortion_that_folds_back_ends_the_view():
    folding = camera((-0.6, 0.05, 0, 0, 0))
    near = np.array([[1.4, 0.0, 0.0]])
    assert not folding.project(near)[1][0] and camera().project(near)[1][0]
    assert folding.widest < camera().widest


def test_a_path_is_drawn_on_the_ground_ahead():
    xyz = np.stack([np.linspace(2, 30, 64), np.zeros(64), np.zeros(64)], axis=-1)
    image = np.zeros((480, 640, 3), np.uint8)
    drawn = draw_path(image, camera(), xyz, np.zeros(64), (0, 255, 0))
    rows = np.flatnonzero(drawn[..., 1].any(axis=1))
    assert rows.min() > 240 and drawn[400, 320, 1] > 0 and not image.any()


def test_a_ribbon_is_as_wide_as_the_vehicle_and_leaves_out_standing_still():
    xyz = np.array([[0.0, 0, 0], [1, 0, 0], [1, 0, 0], [2, 0, 0]])
    quads = ribbon(xyz, np.zeros(4), 0.9)
    assert quads.shape == (2, 4, 3) and np.ptp(quads[0][:, 1]) == pytest.approx(1.8)
