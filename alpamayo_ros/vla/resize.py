"""From camera frames to the vision encoder's patches, in numpy: the reference twin of `pixels.py`.

It holds the resize rule, the fixed-point bicubic weights, and the cut into patches. No torch. The frames stay uint8
through the resize, as in the released pipeline (specification section 1.3).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from alpamayo_ros.vla.config import ModelConfig
from alpamayo_ros.vla.errors import InputError

# Weights are int16, as in Pillow and PyTorch: as many fractional bits as keep the largest one below this.
_WEIGHT_LIMIT = 1 << 15
_MAX_FRACTION_BITS = 22
_LARGEST_ASPECT = 200
_BAND = 16  # outputs that share a matrix product


def target_size(height: int, width: int, factor: int, min_pixels: int, max_pixels: int) -> tuple[int, int]:
    """The size to which a frame is resized: multiples of `factor`, `min_pixels` <= area <= `max_pixels`.

    Raises:
        InputError: `frame_size` for an empty frame or one more than 200 times as long as wide.
    """
    if min(height, width) < 1 or max(height, width) > _LARGEST_ASPECT * min(height, width):
        raise InputError("frame_size", f"a frame of {width}x{height} cannot be resized (sides 1 or more, ratio <= 200)")
    rows, columns = round(height / factor) * factor, round(width / factor) * factor
    if rows * columns > max_pixels:
        shrink = math.sqrt(height * width / max_pixels)
        rows = max(factor, math.floor(height / shrink / factor) * factor)
        columns = max(factor, math.floor(width / shrink / factor) * factor)
    elif rows * columns < min_pixels:
        grow = math.sqrt(min_pixels / (height * width))
        rows = math.ceil(height * grow / factor) * factor
        columns = math.ceil(width * grow / factor) * factor
    return rows, columns


def grid(height: int, width: int, config: ModelConfig) -> np.ndarray:
    """(3,) patches (t = 1, rows, columns) of a frame of that size after the resize."""
    factor = config.patch_size * config.merge_size
    rows, columns = target_size(height, width, factor, config.min_pixels, config.max_pixels)
    return np.array([1, rows // config.patch_size, columns // config.patch_size], dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Weights:
    """One axis of a resize: output i = sum over j of `weight[i, j]` x input `first[i] + j`, over 2**`bits`.

    Attributes:
        first: (out,) int64, the first input that counts.
        weight: (out, taps) int32, zero beyond an output's own taps.
        bits: fractional bits of the weights.
    """

    first: np.ndarray
    weight: np.ndarray
    bits: int

    def dense(self, size: int) -> np.ndarray:
        """The same as a (size, out) float32 matrix; every entry is an exact integer."""
        matrix = np.zeros((size, len(self.first)), dtype=np.float32)
        for j in range(self.weight.shape[1]):
            rows = np.minimum(self.first + j, size - 1)
            matrix[rows, np.arange(len(self.first))] += self.weight[:, j]
        return matrix


def _cubic(x: np.ndarray) -> np.ndarray:
    """Keys' cubic convolution kernel (IEEE TASSP 29, 1981) with a = -0.5."""
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return np.where(x < 1.0, near, np.where(x < 2.0, far, 0.0))


@lru_cache(maxsize=64)
def bicubic(size: int, out: int) -> Weights:
    """Antialiased bicubic weights from `size` to `out` samples, in Pillow's fixed point.

    The kernel is stretched by the shrink factor, cut at the borders, normalised in float64 and rounded half away
    from zero.
    """
    scale = size / out
    stretch = max(scale, 1.0)
    centre = scale * (np.arange(out) + 0.5)
    first = np.maximum((centre - 2.0 * stretch + 0.5).astype(np.int64), 0)
    last = np.minimum((centre + 2.0 * stretch + 0.5).astype(np.int64), size)
    j = np.arange((last - first).max())
    value = _cubic((j + first[:, None] - centre[:, None] + 0.5) / stretch)
    value = np.where(j < (last - first)[:, None], value, 0.0)
    value = value / value.sum(axis=1, keepdims=True)
    bits = 0
    while bits < _MAX_FRACTION_BITS and int(0.5 + value.max() * (1 << (bits + 1))) < _WEIGHT_LIMIT:
        bits += 1
    weight = np.trunc(value * (1 << bits) + np.copysign(0.5, value)).astype(np.int32)
    return Weights(first, weight, bits)


def resize(frames: np.ndarray, height: int, width: int) -> np.ndarray:
    """(..., H, W, 3) uint8 -> (..., height, width, 3) uint8: columns first, then rows, as PyTorch does."""
    rows, columns, channels = frames.shape[-3:]
    if (rows, columns) == (height, width):
        return frames
    made = [_resize(frame, height, width) for frame in frames.reshape(-1, rows, columns, channels)]
    return np.stack(made).reshape(*frames.shape[:-3], height, width, channels)


def _resize(frame: np.ndarray, height: int, width: int) -> np.ndarray:
    import cv2  # the GPU's path needs it not

    rows, columns, channels = frame.shape
    upright = cv2.transpose(frame).reshape(columns, rows * channels)
    across = _resize_first(upright, width).reshape(width, rows, channels)
    level = cv2.transpose(across).reshape(rows, width * channels)
    return _resize_first(level, height).reshape(height, width, channels)


def _resize_first(image: np.ndarray, out: int) -> np.ndarray:
    """Resizes the first axis of a (size, K) uint8 array, rounding and clipping back to uint8."""
    size = image.shape[0]
    if size == out:
        return image
    bands, offset, bits = _bands(size, out)
    real = bands[0][2].dtype
    centred = image.astype(real) - real.type(128)
    total = np.empty((out, image.shape[1]), dtype=np.int32)
    for band, seen, matrix in bands:
        total[band] = matrix @ centred[seen]
    total += offset
    total >>= bits
    return np.clip(total, 0, 255, out=total).astype(np.uint8)


@lru_cache(maxsize=64)
def _bands(size: int, out: int) -> tuple[list[tuple[slice, slice, np.ndarray]], np.ndarray, int]:
    """A resize as matrix products: bands of outputs, the inputs that each sees, and the weights between them.

    The products and their sums are integers around mid-grey, in the floating type that holds them exactly. With
    them: what is added to the sums, (out, 1), and the fractional bits.
    """
    weights = bicubic(size, out)
    dense = weights.dense(size)
    dense = dense.astype(np.float32 if np.abs(dense).sum(axis=0).max() * 128 < 1 << 24 else np.float64)
    bands = []
    for start in range(0, out, _BAND):
        band = slice(start, min(start + _BAND, out))
        seen = slice(weights.first[band][0], min(weights.first[band][-1] + weights.weight.shape[1], size))
        bands.append((band, seen, np.ascontiguousarray(dense[seen, band].T)))
    offset = (128 * dense.sum(axis=0)).astype(np.int32)[:, None] + (1 << (weights.bits - 1))
    return bands, offset, weights.bits


def normalised_levels() -> np.ndarray:
    """(256,) float32: what each grey level becomes; mean and deviation are both half of the range."""
    return (np.arange(256, dtype=np.float32) - np.float32(127.5)) / np.float32(127.5)


def patches(frames: np.ndarray, config: ModelConfig) -> np.ndarray:
    """(N, H, W, 3) uint8 of the target size -> (N rows columns, 3 t p p) float32 patches.

    Patches of one merged token stand together; the single frame fills the temporal patch.
    """
    count, height, width, _ = frames.shape
    p, m = config.patch_size, config.merge_size
    blocks = frames.reshape(count, height // (m * p), m, p, width // (m * p), m, p, 3)
    blocks = blocks.transpose(0, 1, 4, 2, 5, 7, 3, 6)
    repeated = np.repeat(blocks[..., None, :, :], config.temporal_patch_size, axis=-3)
    return normalised_levels()[repeated].reshape(-1, 3 * config.temporal_patch_size * p * p)
