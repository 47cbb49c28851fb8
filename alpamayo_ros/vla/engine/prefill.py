"""Reading a prompt into the store: all its tokens at once, behind what has been read of it already.

Lengths are rounded up to `BUCKET` tokens of padding, which nobody sees, so that a few shapes are all that occur. In
the last layer only the tokens whose logits are wanted go on after their keys and values are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from alpamayo_ros.vla.engine import layers, rope
from alpamayo_ros.vla.engine.attend import attend
from alpamayo_ros.vla.engine.cache import Store
from alpamayo_ros.vla.engine.weights import Matrix, Stack

BUCKET = 64


def padded(tokens: int) -> int:
    """The least multiple of the bucket."""
    return -(-tokens // BUCKET) * BUCKET


@dataclass(frozen=True, eq=False)
class Text:
    """Tokens to be read, on the device.

    Attributes:
        ids: (L,) int64; positions: (3, L) int64.
        image_places: (T,) int64 indices of the image tokens; image_rows: (T,) int64, the features' rows for them.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    image_places: torch.Tensor
    image_rows: torch.Tensor


class Prefill:
    """Reads tokens with their images."""

    def __init__(
        self, embed: torch.Tensor, stack: Stack, head: Matrix, ops: Any, store: Store, tables: layers.Tables,
        sections: Sequence[int],
    ) -> None:  # fmt: skip
        self._embed, self._stack, self._head, self._ops = embed, stack, head, ops
        self._store, self._tables = store, tables
        self._axis = rope.axes(list(sections), tables[0].shape[1], embed.device)

    def read(self, text: Text, first: int, features: torch.Tensor, wanted: slice | None) -> torch.Tensor | None:
        """Keeps the keys and values of tokens that are entries `first` ... of the store.

        Args:
            features: (1 + taps, rows, D): the merged image tokens, then the deepstack taps.
            wanted: the tokens whose (N, vocabulary) logits are returned; None is none.
        """
        cos, sin = rope.of_prompt(*self._tables, text.positions, self._axis)
        x = self._embed.index_select(0, text.ids)
        taken = features.index_select(1, text.image_rows)
        x = x.index_copy_(0, text.image_places, taken[0])
        h = self._ops.norm(x, self._stack.layers[0].input_gain, self._stack.eps)
        last = len(self._stack.layers) - 1
        for index in range(last):
            tap = taken[1 + index] if 1 + index < len(taken) else None
            x, h = self._layer(index, x, h, cos, sin, first, tap, text.image_places)
        seen = self._seen(last, h, cos, sin, first)
        if wanted is None:
            return None
        layer, eps = self._stack.layers[last], self._stack.eps
        x, h = self._ops.add_norm(x[wanted], self._ops.linear_parts(seen[wanted], layer.out), layer.post_gain, eps)
        delta = self._ops.linear_parts(self._ops.gate_up(h, layer.gate_up), layer.down)
        _, h = self._ops.add_norm(x, delta, self._stack.gain, eps)
        return self._ops.linear(h, self._head)

    def _layer(self, index, x, h, cos, sin, first, tap, places) -> tuple[torch.Tensor, torch.Tensor]:
        ops, eps, layer = self._ops, self._stack.eps, self._stack.layers[index]
        gain = self._stack.layers[index + 1].input_gain
        x, h = ops.add_norm(x, ops.linear(self._seen(index, h, cos, sin, first), layer.out), layer.post_gain, eps)
        delta = ops.linear(ops.gate_up(h, layer.gate_up), layer.down)
        if tap is None:
            return ops.add_norm(x, delta, gain, eps)
        x = (x + delta).index_add_(0, places, tap)
        return x, ops.norm(x, gain, eps)

    def _seen(self, index: int, h: torch.Tensor, cos, sin, first: int) -> torch.Tensor:
        """(M, H hd) what tokens see of each other and of what was read before them."""
        layer, (keys, values), count = self._stack.layers[index], self._store.prompt(index), first + len(h)
        q = self._ops.turn_and_keep(
            self._ops.linear(h, layer.qkv), layer.q_gain, layer.k_gain, self._stack.eps, cos, sin, keys, values, first
        )
        if first:
            # The kernels for square causal attention are so much faster that queries which nobody asks for are free.
            square = q.new_zeros((count, *q.shape[1:]))
            square[first:] = q
            q = square
        seen = attend(q.transpose(0, 1)[None], keys[None, :, :count], values[None, :, :count], causal=True)
        return seen[0].transpose(0, 1)[first:].reshape(len(h), -1)
