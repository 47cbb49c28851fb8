"""Camera frames to patches on the device, for groups of frames of one size: staging, resize and cut in place.

The arithmetic is `vla.pixels`'; here its matrices stay on the device, and its steps can be a CUDA graph.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import torch

from alpamayo_ros.vla import pixels, resize
from alpamayo_ros.vla.config import ModelConfig
from alpamayo_ros.vla.engine.graph import Captured


class Frames:
    """Up to `group` frames of (height, width) at a time.

    Attributes:
        patches: (group x P, 3 t p p) float32, what the last `load` left.
    """

    def __init__(
        self,
        height: int,
        width: int,
        group: int,
        config: ModelConfig,
        device: torch.device,
        capture: bool,
        pool: object = None,
    ) -> None:
        shape = (group, height, width, 3)
        cuda = device.type == "cuda"
        self._host = torch.zeros(shape, dtype=torch.uint8, pin_memory=cuda)
        self._raw = torch.zeros(shape, dtype=torch.uint8, device=device) if cuda else self._host
        self._config = config
        _, rows, columns = (int(n) * config.patch_size for n in resize.grid(height, width, config))
        self._size = rows, columns
        self._axes = [_Axis(width, columns, device), _Axis(height, rows, device)]
        self._levels = torch.from_numpy(resize.normalised_levels()).to(device)
        self._cut = Captured(self._resize_and_cut, capture, pool=pool)
        self._sent = torch.cuda.Event() if cuda else None

    def load(self, frames: Sequence[np.ndarray]) -> torch.Tensor:
        """Brings frames to the device and cuts them; fewer than `group` leave old ones behind them."""
        if self._sent is not None:
            self._sent.synchronize()  # the staging memory may still be on its way
        staged = [place.numpy() for place in self._host[: len(frames)]]
        for number, _ in enumerate(_copiers().map(np.copyto, staged, frames)):
            if self._sent is not None:
                self._raw[number].copy_(self._host[number], non_blocking=True)
        if self._sent is not None:
            self._sent.record()
        return self._cut()

    def _resize_and_cut(self) -> torch.Tensor:
        image = self._raw.permute(0, 3, 1, 2)
        if tuple(image.shape[-2:]) == self._size:
            return pixels.cut(image, self._levels, self._config)
        if image.device.type == "cpu":
            return pixels.cut(pixels.resized(self._raw, *self._size), self._levels, self._config)
        across = self._axes[0](image)
        return pixels.cut(self._axes[1](across.transpose(-1, -2)).transpose(-1, -2), self._levels, self._config)


@cache
def _copiers() -> ThreadPoolExecutor:
    """One core copies at a fraction of what the memory gives."""
    return ThreadPoolExecutor(min(16, os.cpu_count() or 1), "staging")


class _Axis:
    """`pixels.resize_last` to one size with its weights on the device."""

    def __init__(self, size: int, out: int, device: torch.device) -> None:
        weights = resize.bicubic(size, out)
        self._bits, self._same = weights.bits, size == out
        dense = weights.dense(size)
        self._matrix = torch.from_numpy(dense).to(device)
        offset = 128 * dense.sum(axis=0).astype(np.int32) + (1 << (weights.bits - 1))
        self._offset = torch.from_numpy(offset).to(device)

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        if self._same:
            return image
        return pixels.weighted(image, self._matrix, self._offset, self._bits)
