"""Cosines and sines of rotary positions, half a head wide: the other half is the same."""

from __future__ import annotations

import torch


def table(inverse_frequencies: torch.Tensor, positions: int, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """(positions, hd / 2) of text positions, where the three axes of mRoPE agree."""
    places = torch.arange(positions, device=inverse_frequencies.device, dtype=torch.float32)
    angles = places[:, None] * inverse_frequencies.float()
    return angles.cos().to(dtype), angles.sin().to(dtype)


def of_prompt(
    cosines: torch.Tensor, sines: torch.Tensor, positions: torch.Tensor, axis: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """(L, hd / 2) of a prompt's (3, L) positions: interleaved mRoPE, by `axes` from the table."""
    places = positions.index_select(0, axis).T
    return cosines.gather(0, places), sines.gather(0, places)


def axes(sections: list[int], half: int, device: torch.device) -> torch.Tensor:
    """(half,) the axis whose position turns each pair: time, and every third one rows or columns for their sections."""
    axis = torch.zeros(half, dtype=torch.int64)
    for number in (1, 2):
        axis[number : 3 * sections[number] : 3] = number
    return axis.to(device)
