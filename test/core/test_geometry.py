import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation, Slerp

from alpamayo_ros.geometry import (
    IDENTITY,
    Pose,
    interpolate_poses,
    matrix_from_yaw,
    matrix_to_quaternion,
    quaternion_from_yaw,
    quaternion_multiply,
    quaternion_to_matrix,
    rotate,
    slerp,
    wrap_angle,
    yaw_of_matrix,
    yaw_of_quaternion,
)

component = st.floats(-1, 1, allow_nan=False, width=32)
quaternions = (
    st.tuples(component, component, component, component)
    .map(np.array)
    .filter(lambda q: np.linalg.norm(q) > 1e-2)
    .map(lambda q: q / np.linalg.norm(q))
)
vectors = st.tuples(*[st.floats(-1e5, 1e5)] * 3).map(np.array)


@given(quaternions)
def test_matrices_equal_scipys_and_come_back(q):
    matrix = quaternion_to_matrix(q)
    assert np.allclose(matrix, Rotation.from_quat(q).as_matrix(), atol=1e-12)
    back = matrix_to_quaternion(matrix)
    assert np.allclose(back, q if q[3] > 0 else -q, atol=1e-9) or abs(q[3]) < 1e-9


@given(quaternions, quaternions, vectors)
def test_a_product_rotates_right_to_left(a, b, v):
    assert np.allclose(rotate(quaternion_multiply(a, b), v), rotate(a, rotate(b, v)), atol=1e-9 * (1 + np.abs(v).max()))


def test_products_and_matrices_equal_those_of_tf_transformations_library():
    # tf_transformations is a thin layer over transforms3d, whose quaternions are (w, x, y, z).
    from transforms3d import quaternions as reference

    rng = np.random.default_rng(1)
    for a, b in rng.normal(size=(50, 2, 4)):
        a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
        product = reference.qmult(np.roll(a, 1), np.roll(b, 1))
        assert np.allclose(quaternion_multiply(a, b), np.roll(product, -1))
        assert np.allclose(quaternion_to_matrix(a), reference.quat2mat(np.roll(a, 1)))


@given(quaternions, quaternions, st.floats(0, 1))
def test_slerp_equals_scipys(a, b, u):
    if abs(a @ b) < 1e-6:
        return  # a half turn: the arc is not determined
    expected = Slerp([0, 1], Rotation.from_quat([a, b]))(u)
    assert (Rotation.from_quat(slerp(a, b, u)) * expected.inv()).magnitude() < 1e-7


def test_slerp_keeps_precision_for_tiny_angles():
    end = quaternion_from_yaw(1e-8)
    assert yaw_of_quaternion(slerp(IDENTITY.quaternion, end, 0.25)) == pytest.approx(2.5e-9, rel=1e-6)


@given(quaternions, vectors, quaternions, vectors, vectors)
def test_poses_compose_and_invert(qa, ta, qb, tb, p):
    a, b = Pose(ta, qa), Pose(tb, qb)
    scale = 1 + max(np.abs(ta).max(), np.abs(tb).max(), np.abs(p).max())
    assert np.allclose((a @ b).apply(p), a.apply(b.apply(p)), atol=1e-9 * scale)
    assert np.allclose((a.inverse() @ a).apply(p), p, atol=1e-9 * scale)


@given(st.floats(-3.1, 3.1))
def test_yaw_goes_there_and_back(yaw):
    assert yaw_of_matrix(matrix_from_yaw(yaw)) == pytest.approx(yaw)
    assert yaw_of_quaternion(quaternion_from_yaw(yaw)) == pytest.approx(yaw)


def test_angles_wrap():
    assert wrap_angle([np.pi + 0.1, -np.pi - 0.1, 0.0]) == pytest.approx([-np.pi + 0.1, np.pi - 0.1, 0.0])


def test_interpolation_meets_its_samples_and_its_middles():
    stamps = np.array([0, 100, 300], dtype=np.int64)
    poses = Pose(np.array([[0.0, 0, 0], [1, 0, 0], [1, 4, 0]]), quaternion_from_yaw(np.array([0.0, 0.2, 0.6])))
    got = interpolate_poses(stamps, poses, np.array([0, 50, 100, 200, 300]))
    assert np.allclose(got.xyz, [[0, 0, 0], [0.5, 0, 0], [1, 0, 0], [1, 2, 0], [1, 4, 0]])
    assert np.allclose(yaw_of_quaternion(got.quaternion), [0, 0.1, 0.2, 0.4, 0.6])


def test_interpolation_never_extrapolates():
    poses = Pose(np.zeros((2, 3)), quaternion_from_yaw(np.zeros(2)))
    for outside in (-1, 101):
        with pytest.raises(ValueError, match="outside"):
            interpolate_poses(np.array([0, 100]), poses, np.array([outside]))


def test_interpolation_at_a_single_pose():
    pose = Pose(np.array([[1.0, 2, 3]]), quaternion_from_yaw(np.array([0.5])))
    assert np.allclose(interpolate_poses(np.array([7]), pose, np.array([7, 7])).xyz, [[1, 2, 3], [1, 2, 3]])
