"""Positions of a prompt's tokens on the three axes of Qwen3-VL's interleaved mRoPE, in numpy.

Text advances all three axes together; an image stands still in time, counts rows and columns, and advances the text
after it by its longer side. Specification sections 1.8 and 2.6; the rule itself is Qwen3-VL's.
"""

from __future__ import annotations

import numpy as np

from alpamayo_ros.vla.errors import InputError


def image_tokens(grid: np.ndarray, merge: int) -> int:
    """How many tokens an image of `grid` (t, rows, columns of patches) takes after merging."""
    return int(np.prod(grid)) // (merge * merge)


def mrope(ids: np.ndarray, grids: np.ndarray, image_token: int, merge: int) -> tuple[np.ndarray, int]:
    """Positions of a prompt, and how far the text after it is ahead of its index.

    Args:
        ids: (L,) token ids.
        grids: (N, 3) patches of each image as (t, rows, columns), t = 1, in the prompt's order.
        image_token: the placeholder's id.
        merge: patches of a side that become one token.

    Returns:
        (3, L) int64 positions (time, row, column), and the delta: the token at index i >= L has position i + delta.

    Raises:
        InputError: `image_tokens` where the placeholders are not those of the grids.
    """
    pieces, index, position = [], 0, 0
    for grid in np.asarray(grids):
        start = _next(ids, image_token, index)
        rows, columns = int(grid[1]) // merge, int(grid[2]) // merge
        pieces.append(np.tile(np.arange(position, position + start - index), (3, 1)))
        position += start - index
        row, column = np.divmod(np.arange(rows * columns), columns)
        pieces.append(position + np.stack([np.zeros_like(row), row, column]))
        index = start + rows * columns
        if not (ids[start:index] == image_token).all() or len(ids) < index:
            raise InputError("image_tokens", f"the prompt holds fewer than {rows * columns} tokens for an image")
        position += max(rows, columns)
    if (ids[index:] == image_token).any():
        raise InputError("image_tokens", f"the prompt holds more image tokens than {len(grids)} images take")
    pieces.append(np.tile(np.arange(position, position + len(ids) - index), (3, 1)))
    positions = np.concatenate(pieces, axis=1)
    return positions, int(positions.max()) + 1 - len(ids)


def _next(ids: np.ndarray, image_token: int, index: int) -> int:
    found = np.flatnonzero(ids[index:] == image_token)
    if not len(found):
        raise InputError("image_tokens", "the prompt holds fewer images than were given")
    return index + int(found[0])
