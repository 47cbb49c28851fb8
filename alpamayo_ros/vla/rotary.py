"""Where tokens and patches stand, as numbers that a graph takes: rotary angles, and places in the position table.

numpy; the twin of what transformers' Qwen3-VL computes inside its modules. Specification section 2.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

_VISION_THETA = 10000.0


def text_tables(
    positions: np.ndarray, delta: int, rows: int, text: Mapping[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """Cosine and sine of every token's rotary angles, by the token's index.

    Args:
        positions: (3, L) mRoPE positions of a prompt; the token at index i >= L has position i + `delta`.
        rows: how many tokens in all, L or more.
        text: the `text_config`.

    Returns:
        Two (rows, head_dim / 2) float32.
    """
    later = np.tile(np.arange(positions.shape[1], rows) + delta, (3, 1))
    places = np.concatenate([positions, later], axis=1).astype(np.float32)
    angles = places[..., None] * _inverse_frequencies(text["rope_theta"], text["head_dim"] // 2)
    chosen = angles[0].copy()
    sections = text["rope_scaling"]["mrope_section"]
    for axis in (1, 2):  # rows and columns take every third frequency, as far as their section goes
        part = slice(axis, 3 * sections[axis], 3)
        chosen[:, part] = angles[axis][:, part]
    return np.cos(chosen), np.sin(chosen)


@dataclass(frozen=True, eq=False)
class PatchPlaces:
    """Where an image's P patches stand, in the order in which `resize.patches` gives them.

    Attributes:
        index, weight: (P, 4) int64 rows of the learned position table, and (P, 4, 1) their shares.
        cos, sin: (P, head_dim / 2) float32.
    """

    index: np.ndarray
    weight: np.ndarray
    cos: np.ndarray
    sin: np.ndarray


def patch_places(rows: int, columns: int, merge: int, vision: Mapping[str, Any]) -> PatchPlaces:
    """The places of an image of so many patches."""
    side = int(vision["num_position_embeddings"] ** 0.5)
    (row_low, row_high, row_share), (low, high, share) = (_between(rows, side), _between(columns, side))
    corners = [(row_low, low), (row_low, high), (row_high, low), (row_high, high)]
    index = np.stack([r[:, None] * side + c for r, c in corners], axis=-1)
    of_rows, of_columns = (1 - row_share, row_share), (1 - share, share)
    weight = np.stack([r[:, None] * c for r in of_rows for c in of_columns], axis=-1)
    row, column = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    frequencies = _inverse_frequencies(_VISION_THETA, vision["hidden_size"] // vision["num_heads"] // 4)
    angles = np.concatenate([row[..., None] * frequencies, column[..., None] * frequencies], axis=-1)
    angles = _merged_order(angles, merge).astype(np.float32)
    return PatchPlaces(
        _merged_order(index, merge), _merged_order(weight, merge)[..., None], np.cos(angles), np.sin(angles)
    )


def _between(count: int, side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The two rows of a table of `side` between which each of `count` evenly spread places lies, and the share."""
    place = np.linspace(0, side - 1, count, dtype=np.float32)
    low = place.astype(np.int64)
    return low, np.minimum(low + 1, side - 1), place - low.astype(np.float32)


def _merged_order(values: np.ndarray, merge: int) -> np.ndarray:
    """(rows, columns, D) -> (rows x columns, D), the patches of one merged token together."""
    rows, columns, width = values.shape
    blocks = values.reshape(rows // merge, merge, columns // merge, merge, width)
    return blocks.transpose(0, 2, 1, 3, 4).reshape(-1, width)


def _inverse_frequencies(theta: float, count: int) -> np.ndarray:
    exponent = np.arange(0, 2 * count, 2, dtype=np.float32) / np.float32(2 * count)
    return (1.0 / np.float32(theta) ** exponent).astype(np.float32)
