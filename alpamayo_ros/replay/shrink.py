"""The report's pictures: small JPEGs of the images at t0, made while the images are at hand."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from alpamayo_ros.contract import REFERENCE_ROLE

# Pixels across: the front camera is looked at most.
WIDTH, REFERENCE_WIDTH = 288, 640
# A tick's pictures stay within the budget: 600 ticks of it make 26 MB of base64.
BUDGET = 32_000
# JPEG qualities, the best first, and about how many bytes each takes of what the best one takes.
QUALITIES = {65: 1.0, 50: 0.8, 35: 0.65, 20: 0.45}


def pictures(images: Mapping[str, np.ndarray]) -> dict[str, bytes]:
    """role -> JPEG, out of (H, W, 3) uint8 RGB images."""
    widths = {role: REFERENCE_WIDTH if role == REFERENCE_ROLE else WIDTH for role in images}
    small = {role: shrink(image, widths[role]) for role, image in images.items()}
    for quality in _qualities(small):
        made = {role: jpeg(image, quality) for role, image in small.items()}
        if sum(map(len, made.values())) <= BUDGET:
            break
    return made


def _qualities(small: Mapping[str, np.ndarray]) -> list[int]:
    """Those that may fit, the best first: one small picture at the best quality tells what the others would take."""
    probe = min(small.values(), key=lambda image: image.size)
    best, least = next(iter(QUALITIES)), list(QUALITIES)[-1]
    expected = len(jpeg(probe, best)) * sum(image.size for image in small.values()) / probe.size
    return [quality for quality, share in QUALITIES.items() if expected * share <= BUDGET or quality == least]


def shrink(image: np.ndarray, width: int) -> np.ndarray:
    """The image at most this wide. Halved as often as it goes, which is the cheapest good filter there is."""
    while image.shape[1] >= 2 * width:
        image = cv2.resize(image, (image.shape[1] // 2, image.shape[0] // 2), interpolation=cv2.INTER_AREA)
    if image.shape[1] > width:
        size = (width, round(image.shape[0] * width / image.shape[1]))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return image


def jpeg(image: np.ndarray, quality: int) -> bytes:
    return cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
