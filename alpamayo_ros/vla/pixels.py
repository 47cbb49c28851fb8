"""From camera frames to the vision encoder's patches, in torch: on the CPU bit-equal to the released pipeline,
on a GPU all frames of a size in a few kernels.

The rule, the weights and a numpy twin are `resize.py`'s.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F

from alpamayo_ros.vla import resize
from alpamayo_ros.vla.config import ModelConfig


def preprocess(frames: Sequence[np.ndarray], config: ModelConfig, device: torch.device | str) -> torch.Tensor:
    """Frames -> patches on `device`, in the frames' order.

    Args:
        frames: (H, W, 3) uint8 each; sizes may differ between frames.

    Returns:
        (P, 3 t p p) float32, P the patches of all frames together.
    """
    sizes = [frame.shape[:2] for frame in frames]
    parts: list[torch.Tensor | None] = [None] * len(frames)
    for size in dict.fromkeys(sizes):
        members = [i for i, other in enumerate(sizes) if other == size]
        batch = torch.from_numpy(np.stack([frames[i] for i in members])).to(device)
        _, rows, columns = (int(n) * config.patch_size for n in resize.grid(*size, config))
        cut = _patches(resized(batch, rows, columns), config)
        for i, part in zip(members, cut.chunk(len(members)), strict=True):
            parts[i] = part
    return torch.cat(parts)


def resized(frames: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """(N, H, W, 3) uint8 -> (N, 3, height, width) uint8, antialiased bicubic, rounded after each axis."""
    channels_first = frames.permute(0, 3, 1, 2)
    if frames.shape[1:3] == (height, width):
        return channels_first
    if frames.device.type == "cpu":
        return F.interpolate(channels_first, size=(height, width), mode="bicubic", antialias=True)
    return resized_by_products(channels_first, height, width)


def resized_by_products(frames: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """(N, 3, H, W) uint8 -> (N, 3, height, width) uint8 by two matrix products of exact integers in float32.

    The same bits as on the CPU where a frame shrinks less than eightfold and float32 products are not cut to TF32;
    within one grey level otherwise.
    """
    across = _resize_last(frames, width)
    return _resize_last(across.transpose(-1, -2), height).transpose(-1, -2)


def _resize_last(image: torch.Tensor, out: int) -> torch.Tensor:
    size = image.shape[-1]
    if size == out:
        return image
    weights = resize.bicubic(size, out)
    dense = weights.dense(size)
    offset = 128 * dense.sum(axis=0).astype(np.int32) + (1 << (weights.bits - 1))
    matrix, added = (torch.from_numpy(part).to(image.device) for part in (dense, offset))
    return weighted(image, matrix, added, weights.bits)


def weighted(image: torch.Tensor, matrix: torch.Tensor, offset: torch.Tensor, bits: int) -> torch.Tensor:
    """(..., size) uint8 times a (size, out) matrix of exact integers over 2**bits -> (..., out) uint8.

    Args:
        offset: (out,) int32: 128 times the sum of a column, and half of 2**bits.
    """
    # Around mid-grey the sums stay below 2**24, where float32 still counts in ones.
    total = torch.matmul(image.float() - 128.0, matrix).int()
    total += offset
    return (total >> bits).clamp_(0, 255).to(torch.uint8)


def _patches(frames: torch.Tensor, config: ModelConfig) -> torch.Tensor:
    return cut(frames, torch.from_numpy(resize.normalised_levels()).to(frames.device), config)


def cut(frames: torch.Tensor, levels: torch.Tensor, config: ModelConfig) -> torch.Tensor:
    """(N, 3, H, W) uint8 -> (N rows columns, 3 t p p) float32, in `resize.patches`' order.

    Args:
        levels: `resize.normalised_levels()` on the frames' device.
    """
    count, _, height, width = frames.shape
    p, m, t = config.patch_size, config.merge_size, config.temporal_patch_size
    blocks = levels.index_select(0, frames.reshape(-1).int()).reshape(
        count, 3, height // (m * p), m, p, width // (m * p), m, p
    )
    blocks = blocks.permute(0, 2, 5, 3, 6, 1, 4, 7)
    repeated = blocks.unsqueeze(-3).expand(*blocks.shape[:-2], t, p, p)
    return repeated.reshape(-1, 3 * t * p * p)
