"""The part of the next prompt that is known already, read between the ticks.

Prompts begin with the first camera's images, oldest first, and on the 0.1 s grid its three oldest are three of this
tick's. What was read ahead counts only if the next prompt really begins so.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import torch

from alpamayo_ros.vla.engine.features import Features
from alpamayo_ros.vla.engine.graph import Captured
from alpamayo_ros.vla.engine.prefill import Prefill, Text
from alpamayo_ros.vla.inputs import Prompt


class Prefix:
    """What the store's first entries hold for the next tick."""

    def __init__(
        self, prefill: Prefill, features: Features, image_token: int, per_camera: int, capture: bool, pool: object
    ) -> None:
        self._prefill, self._features, self._image_token = prefill, features, image_token
        self._per_camera, self._capture, self._pool = per_camera, capture, pool
        self._ids, self._keys = np.empty(0, np.int64), ()
        self._readers: dict[tuple[int, int], tuple[Text, Captured]] = {}

    def take(self, ids: np.ndarray, keys: Sequence[Hashable]) -> int:
        """How many of a prompt's first entries are in the store; afterwards none are counted on."""
        count, seen = len(self._ids), len(self._keys)
        fits = np.array_equal(ids[:count], self._ids) and tuple(keys[:seen]) == self._keys
        self.forget()
        return count if fits else 0

    def forget(self) -> None:
        self._ids, self._keys = np.empty(0, np.int64), ()

    def read_ahead(self, given: Prompt, keys: Sequence[Hashable], slots: Sequence[int], tokens: Sequence[int]) -> None:
        """Queues the reading of what the next tick's prompt begins with; nobody waits for it."""
        known = self._per_camera - 1
        if known < 1 or len(set(tokens[: self._per_camera])) > 1:
            return
        places = np.flatnonzero(given.ids == self._image_token)
        count = int(places[sum(tokens[:known])])
        text, read = self._reader(count, sum(tokens[:known]))
        rows = self._features.rows(slots[1 : known + 1], tokens[1 : known + 1])
        for buffer, values in zip(
            (text.ids, text.positions, text.image_places, text.image_rows),
            (given.ids[:count], given.positions[:, :count], places[: len(rows)], rows),
            strict=True,
        ):
            buffer.copy_(torch.from_numpy(np.ascontiguousarray(values)), non_blocking=True)
        read()
        self._ids, self._keys = given.ids[:count].copy(), tuple(keys[1 : known + 1])

    def _reader(self, count: int, images: int) -> tuple[Text, Captured]:
        if (count, images) not in self._readers:
            device = self._features.values.device
            shapes = (count,), (3, count), (images,), (images,)
            text = Text(*(torch.zeros(shape, dtype=torch.int64, device=device) for shape in shapes))
            text.image_places.copy_(torch.arange(images))
            features = self._features.values.flatten(1, 2)
            read = Captured(lambda: self._prefill.read(text, 0, features, None), self._capture, pool=self._pool)
            self._readers[count, images] = text, read
        return self._readers[count, images]
