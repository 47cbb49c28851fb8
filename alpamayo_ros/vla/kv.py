"""Keys and values of every layer, growing: the plain path's store, shared by the VLM and the expert."""

from __future__ import annotations

import torch


class KeyValues:
    """One (B, heads, length, head_dim) pair a layer.

    It is what the decoder layers of transformers take as `past_key_values`; they call `update` alone. Concatenating
    promotes: once a float32 key follows bfloat16 ones the layer's keys stay float32 (section 2.5).
    """

    def __init__(self, layers: int) -> None:
        self.keys: list[torch.Tensor | None] = [None] * layers
        self.values: list[torch.Tensor | None] = [None] * layers

    @property
    def length(self) -> int:
        return 0 if self.keys[0] is None else self.keys[0].shape[2]

    def update(
        self, key: torch.Tensor, value: torch.Tensor, layer: int, _extra: object = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Appends to a layer and returns all of it."""
        if self.keys[layer] is not None:
            key = torch.cat([self.keys[layer], key], dim=2)
            value = torch.cat([self.values[layer], value], dim=2)
        self.keys[layer], self.values[layer] = key, value
        return key, value

    def crop(self, length: int) -> None:
        """Forgets what was appended beyond `length`."""
        self.keys = [key[:, :, :length] for key in self.keys]
        self.values = [value[:, :, :length] for value in self.values]

    def expanded(self, rows: int) -> KeyValues:
        """The same single row seen `rows` times, without a copy until something is appended."""
        wide = KeyValues(len(self.keys))
        wide.keys = [key.expand(rows, -1, -1, -1) for key in self.keys]
        wide.values = [value.expand(rows, -1, -1, -1) for value in self.values]
        return wide
