"""Features of the last ticks' images, on the device: each image has a slot, and keeps it until it is forgotten."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence

import numpy as np
import torch


class Features:
    """Final and deepstack features by image.

    Attributes:
        values: (1 + taps, slots, T, D): the merged tokens, then the deepstack taps; T is the longest image's.
    """

    def __init__(
        self, taps: int, slots: int, tokens: int, width: int, dtype: torch.dtype, device: torch.device
    ) -> None:
        self.values = torch.zeros((1 + taps, slots, tokens, width), dtype=dtype, device=device)
        self._of: OrderedDict[Hashable, int] = OrderedDict()
        self._free = list(range(slots))

    def find(self, key: Hashable) -> int | None:
        """The slot of an image, which counts as used now; None where it has none."""
        slot = self._of.get(key)
        if slot is not None:
            self._of.move_to_end(key)
        return slot

    def claim(self, key: Hashable) -> int:
        """A slot for a new image; the image that was used longest ago loses its own if there is no other."""
        slot = self._free.pop() if self._free else self._of.popitem(last=False)[1]
        self._of[key] = slot
        return slot

    def forget(self) -> None:
        """All images; the memory stays."""
        self._free += self._of.values()
        self._of.clear()

    def rows(self, slots: Sequence[int], tokens: Sequence[int]) -> np.ndarray:
        """(sum of tokens,) int64 places, in `values` with slots and tokens as one axis, of images of so many tokens."""
        longest = self.values.shape[2]
        return np.concatenate([slot * longest + np.arange(count) for slot, count in zip(slots, tokens, strict=True)])


def digest(frame: np.ndarray) -> int:
    """Of an image's content, on a grid of its pixels: two images of a camera that differ differ there."""
    return hash((frame.shape, frame[::16, ::16].tobytes()))
