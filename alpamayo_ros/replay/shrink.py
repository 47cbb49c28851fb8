"""The report's pictures: small JPEGs of the images at t0, made while the images are at hand."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from alpamayo_ros.contract import REFERENCE_ROLE

# Pixels across: the front camera is looked at most.
WIDTH, REFERENCE_WIDTH = 288, 640
# JPEG qualities, the best first that keeps a tick's pictures within the budget: 600 ticks of it make 26 MB of base64.
QUALITIES, BUDGET = (65, 50, 35, 20), 32_000


def pictures(images: Mapping[str, np.ndarray]) -> dict[str, bytes]:
    """role -> JPEG, out of (H, W, 3) uint8 RGB images."""
    widths = {role: REFERENCE_WIDTH if role == REFERENCE_ROLE else WIDTH for role in images}
    small = {role: shrink(image, widths[role]) for role, image in images.items()}
    for quality in QUALITIES:
        made = {role: jpeg(image, quality) for role, image in small.items()}
        if sum(map(len, made.values())) <= BUDGET:
            break
    return made


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
