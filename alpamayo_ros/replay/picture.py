"""One picture of one plan on a bag: the front camera with the plan in it, and from above what was planned and done."""

from __future__ import annotations

import textwrap

import cv2
import numpy as np

from alpamayo_ros.geometry import Pose, interpolate_poses, yaw_of_quaternion
from alpamayo_ros.projection import CameraModel, draw_path

WIDTH, HEIGHT = 1600, 760
PAPER, INK, FAINT, GRID = (18, 21, 28), (238, 240, 244), (140, 148, 160), (44, 50, 60)
HISTORY, PLANNED, OTHERS, DONE = (255, 255, 255), (64, 224, 255), (255, 214, 96), (240, 120, 220)
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def picture(
    front: np.ndarray,
    camera: CameraModel | None,
    samples_xyz: np.ndarray,
    samples_yaw: np.ndarray,
    chosen: int,
    driven_xyz: np.ndarray,
    reasoning: str,
    caption: str,
) -> np.ndarray:
    """(760, 1600, 3) uint8 RGB.

    Args:
        front: (H, W, 3) RGB of the front camera at t0.
        camera: its model; without it the plan is drawn from above alone.
        samples_xyz, samples_yaw: (S, 64, 3) and (S, 64) in the ego frame of t0.
        driven_xyz: (N, 3) where the vehicle was, before and after t0, in that frame.
    """
    canvas = np.full((HEIGHT, WIDTH, 3), PAPER, np.uint8)
    if camera is not None:
        front = draw_path(front, camera, samples_xyz[chosen], samples_yaw[chosen], PLANNED)
    _fit(canvas, front, (20, 20, 1100, 620))
    above = _above(samples_xyz, chosen, driven_xyz, 440, HEIGHT - 40)
    canvas[20 : HEIGHT - 20, 1140 : 1140 + 440] = above
    for row, line in enumerate(textwrap.wrap(_plain(reasoning), 88)[:2]):
        cv2.putText(canvas, line, (20, 682 + 26 * row), _FONT, 0.62, PLANNED, 1, cv2.LINE_AA)
    cv2.putText(canvas, _plain(caption), (20, 742), _FONT, 0.5, FAINT, 1, cv2.LINE_AA)
    return canvas


def driven_in_ego(stamps_ns: np.ndarray, poses: Pose, t0_ns: int, before_s: float, after_s: float) -> np.ndarray:
    """(N, 3): where the vehicle was from `before_s` before t0 to `after_s` after it, in the ego frame of t0."""
    ego = interpolate_poses(stamps_ns, poses, np.array([t0_ns]))
    window = (stamps_ns >= t0_ns - before_s * 1e9) & (stamps_ns <= t0_ns + after_s * 1e9)
    return Pose(ego.xyz[0], ego.quaternion[0]).inverse().apply(poses.xyz[window])


def most_telling(yaws: list[np.ndarray]) -> int:
    """The index of the plan that turns most; of plans that all go straight, the middle one."""
    turned = [abs(float(yaw[-1] - yaw[0])) for yaw in yaws]
    return int(np.argmax(turned)) if max(turned) > 0.1 else len(yaws) // 2


def yaw_in_ego(ego: Pose, poses: Pose) -> np.ndarray:
    """Headings of poses relative to the ego's."""
    return yaw_of_quaternion((ego.inverse() @ poses).quaternion)


def _above(samples: np.ndarray, chosen: int, driven: np.ndarray, width: int, height: int) -> np.ndarray:
    """From above, the ego's heading upwards, everything in view."""
    every = np.concatenate([samples.reshape(-1, 3), driven, np.zeros((1, 3))])[:, :2]
    low, high = every.min(axis=0) - 4.0, every.max(axis=0) + 4.0
    scale = min(height / (high[0] - low[0]), width / max(high[1] - low[1], 16.0))
    middle = (low[1] + high[1]) / 2

    def pixels(points: np.ndarray) -> np.ndarray:
        across, along = width / 2 - (points[:, 1] - middle) * scale, height - (points[:, 0] - low[0]) * scale
        return np.rint(np.stack([across, along], axis=-1) * 16).astype(np.int32)

    image = np.full((height, width, 3), (26, 30, 38), np.uint8)
    for metres in range(int(np.ceil(low[0] / 10)) * 10, int(high[0]) + 1, 10):
        row = int(height - (metres - low[0]) * scale)
        cv2.line(image, (0, row), (width, row), GRID, 1)
        cv2.putText(image, f"{metres} m", (6, row - 4), _FONT, 0.4, FAINT, 1, cv2.LINE_AA)
    for number, sample in enumerate(samples):
        if number != chosen:
            cv2.polylines(image, [pixels(sample)], False, OTHERS, 1, cv2.LINE_AA, 4)
    cv2.polylines(image, [pixels(driven[driven[:, 0] >= 0])], False, DONE, 6, cv2.LINE_AA, 4)
    cv2.polylines(image, [pixels(driven[driven[:, 0] <= 0])], False, HISTORY, 3, cv2.LINE_AA, 4)
    cv2.polylines(image, [pixels(samples[chosen])], False, PLANNED, 2, cv2.LINE_AA, 4)
    box = np.array([[3.7, 0.95, 0], [3.7, -0.95, 0], [-0.9, -0.95, 0], [-0.9, 0.95, 0]])
    cv2.fillConvexPoly(image, pixels(box), INK, cv2.LINE_AA, 4)
    for row, (name, colour) in enumerate((("history", HISTORY), ("planned", PLANNED), ("driven", DONE))):
        cv2.line(image, (width - 110, 20 + 22 * row), (width - 84, 20 + 22 * row), colour, 3)
        cv2.putText(image, name, (width - 76, 25 + 22 * row), _FONT, 0.45, INK, 1, cv2.LINE_AA)
    return image


def _fit(canvas: np.ndarray, image: np.ndarray, box: tuple[int, int, int, int]) -> None:
    x, y, width, height = box
    scale = min(width / image.shape[1], height / image.shape[0])
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    canvas[y : y + size[1], x : x + size[0]] = cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _plain(text: str) -> str:
    """OpenCV's letters are ASCII."""
    return text.encode("ascii", "replace").decode()
