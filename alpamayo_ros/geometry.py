"""Rigid-body geometry in numpy: quaternions, rotations, poses, and their interpolation in time.

Quaternions are (x, y, z, w), the order of geometry_msgs; a pose maps child coordinates into the parent:
`p_parent = R p_child + t`. Everything is float64 and vectorised over leading axes. It knows nothing of frames'
names, of ROS or of the model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


def quaternion_to_matrix(quaternion: np.ndarray) -> np.ndarray:
    """(..., 4) unit quaternions -> (..., 3, 3) rotation matrices."""
    x, y, z, w = np.moveaxis(np.asarray(quaternion, dtype=np.float64), -1, 0)
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w),
        2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w),
        2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return np.stack(rows, axis=-1).reshape(*np.shape(x), 3, 3)


def matrix_to_quaternion(matrix: np.ndarray) -> np.ndarray:
    """(..., 3, 3) rotation matrices -> (..., 4) unit quaternions with w >= 0.

    Shepperd's method: of the four components the largest is taken from the diagonal, so no case divides by a
    small number.
    """
    m = np.asarray(matrix, dtype=np.float64)
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    # Each row is 4 q_i q for the candidate i = x, y, z, w; the row with the largest norm is the stable one.
    zy, xz, yx = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    xy, xz_sum, yz = m[..., 0, 1] + m[..., 1, 0], m[..., 0, 2] + m[..., 2, 0], m[..., 1, 2] + m[..., 2, 1]
    candidates = np.stack(
        [
            np.stack([1 + xx - yy - zz, xy, xz_sum, zy], axis=-1),
            np.stack([xy, 1 - xx + yy - zz, yz, xz], axis=-1),
            np.stack([xz_sum, yz, 1 - xx - yy + zz, yx], axis=-1),
            np.stack([zy, xz, yx, 1 + xx + yy + zz], axis=-1),
        ],
        axis=-2,
    )
    diagonal = np.stack([candidates[..., i, i] for i in range(4)], axis=-1)
    best = np.argmax(diagonal, axis=-1)
    quaternion = np.take_along_axis(candidates, best[..., None, None], axis=-2)[..., 0, :]
    quaternion = quaternion / np.linalg.norm(quaternion, axis=-1, keepdims=True)
    return np.where(quaternion[..., 3:] < 0, -quaternion, quaternion)


def quaternion_multiply(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Hamilton product: the rotation `right` first, then `left`. (..., 4) x (..., 4) -> (..., 4)."""
    lx, ly, lz, lw = np.moveaxis(np.asarray(left, dtype=np.float64), -1, 0)
    rx, ry, rz, rw = np.moveaxis(np.asarray(right, dtype=np.float64), -1, 0)
    return np.stack(
        [
            lw * rx + lx * rw + ly * rz - lz * ry,
            lw * ry - lx * rz + ly * rw + lz * rx,
            lw * rz + lx * ry - ly * rx + lz * rw,
            lw * rw - lx * rx - ly * ry - lz * rz,
        ],
        axis=-1,
    )


def quaternion_conjugate(quaternion: np.ndarray) -> np.ndarray:
    """The inverse rotation of a unit quaternion."""
    return np.asarray(quaternion, dtype=np.float64) * np.array([-1.0, -1.0, -1.0, 1.0])


def rotate(quaternion: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Rotates (..., 3) vectors by (..., 4) unit quaternions."""
    q = np.asarray(quaternion, dtype=np.float64)
    v = np.asarray(vector, dtype=np.float64)
    twice = 2.0 * np.cross(q[..., :3], v)
    return v + q[..., 3:] * twice + np.cross(q[..., :3], twice)


def quaternion_from_yaw(yaw: np.ndarray | float) -> np.ndarray:
    """Rotations about z, radians counter-clockwise -> (..., 4)."""
    half = np.asarray(yaw, dtype=np.float64) / 2
    zero = np.zeros_like(half)
    return np.stack([zero, zero, np.sin(half), np.cos(half)], axis=-1)


def yaw_of_quaternion(quaternion: np.ndarray) -> np.ndarray:
    """Heading of the x axis in the parent's xy plane, radians in (-pi, pi]."""
    x, y, z, w = np.moveaxis(np.asarray(quaternion, dtype=np.float64), -1, 0)
    return np.arctan2(2 * (x * y + z * w), 1 - 2 * (y * y + z * z))


def yaw_of_matrix(matrix: np.ndarray) -> np.ndarray:
    """Heading of the x axis in the parent's xy plane, radians in (-pi, pi]."""
    m = np.asarray(matrix, dtype=np.float64)
    return np.arctan2(m[..., 1, 0], m[..., 0, 0])


def matrix_from_yaw(yaw: np.ndarray | float) -> np.ndarray:
    """Rotations about z, radians counter-clockwise -> (..., 3, 3)."""
    return quaternion_to_matrix(quaternion_from_yaw(yaw))


def wrap_angle(angle: np.ndarray | float) -> np.ndarray:
    """Radians wrapped into [-pi, pi)."""
    return (np.asarray(angle, dtype=np.float64) + np.pi) % (2 * np.pi) - np.pi


def slerp(start: np.ndarray, end: np.ndarray, fraction: np.ndarray | float) -> np.ndarray:
    """Spherical linear interpolation on the shorter arc (Shoemake 1985), renormalised.

    `start`, `end`: (..., 4) unit quaternions; `fraction`: (...) in [0, 1].
    """
    start = np.asarray(start, dtype=np.float64)
    end = np.asarray(end, dtype=np.float64)
    fraction = np.asarray(fraction, dtype=np.float64)[..., None]
    dot = np.sum(start * end, axis=-1, keepdims=True)
    end = np.where(dot < 0, -end, end)
    # atan2 of the chord and the sum keeps full precision for small angles, where arccos(dot) has none.
    angle = 2 * np.arctan2(
        np.linalg.norm(end - start, axis=-1, keepdims=True), np.linalg.norm(end + start, axis=-1, keepdims=True)
    )
    sine = np.sin(angle)
    small = sine < 1e-9
    safe = np.where(small, 1.0, sine)
    first = np.where(small, 1 - fraction, np.sin((1 - fraction) * angle) / safe)
    second = np.where(small, fraction, np.sin(fraction * angle) / safe)
    result = first * start + second * end
    return result / np.linalg.norm(result, axis=-1, keepdims=True)


@dataclass(frozen=True, eq=False)
class Pose:
    """One or many rigid transforms, child to parent: `xyz` (..., 3) metres, `quaternion` (..., 4) unit, xyzw."""

    xyz: np.ndarray
    quaternion: np.ndarray

    def __matmul__(self, child: Pose) -> Pose:
        """This pose after `child`: (a in b) @ (c in a) = c in b. Leading axes broadcast."""
        return Pose(
            self.xyz + rotate(self.quaternion, child.xyz), quaternion_multiply(self.quaternion, child.quaternion)
        )

    def inverse(self) -> Pose:
        backward = quaternion_conjugate(self.quaternion)
        return Pose(-rotate(backward, self.xyz), backward)

    def apply(self, points: np.ndarray) -> np.ndarray:
        """(..., 3) points in the child -> in the parent."""
        return self.xyz + rotate(self.quaternion, points)

    @property
    def matrix(self) -> np.ndarray:
        """(..., 3, 3) rotation part."""
        return quaternion_to_matrix(self.quaternion)


IDENTITY = Pose(np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0]))


def interpolate_poses(stamps_ns: np.ndarray, poses: Pose, at_ns: np.ndarray) -> Pose:
    """Poses at the times `at_ns`, linear in translation and slerp in rotation, between the two neighbours.

    Args:
        stamps_ns: (N,) int64, strictly rising.
        poses: N poses at those stamps.
        at_ns: (K,) int64, every one within [stamps_ns[0], stamps_ns[-1]].

    Raises:
        ValueError: a time outside the stamps; there is no extrapolation.
    """
    at_ns = np.asarray(at_ns, dtype=np.int64)
    if at_ns.size and (at_ns.min() < stamps_ns[0] or at_ns.max() > stamps_ns[-1]):
        raise ValueError(
            f"times {at_ns.min()}..{at_ns.max()} ns lie outside the poses {stamps_ns[0]}..{stamps_ns[-1]} ns"
        )
    after = np.clip(np.searchsorted(stamps_ns, at_ns, side="left"), 1, max(len(stamps_ns) - 1, 1))
    if len(stamps_ns) == 1:
        return Pose(np.repeat(poses.xyz, len(at_ns), axis=0), np.repeat(poses.quaternion, len(at_ns), axis=0))
    before = after - 1
    # The difference of int64 stamps is exact; only the fraction is a float.
    span = stamps_ns[after] - stamps_ns[before]
    fraction = (at_ns - stamps_ns[before]) / span
    start, end = poses.xyz[before], poses.xyz[after]
    # start + fraction * (end - start): exact at large coordinates where a weighted sum of both would round.
    xyz = start + fraction[:, None] * (end - start)
    return Pose(xyz, slerp(poses.quaternion[before], poses.quaternion[after], fraction))
