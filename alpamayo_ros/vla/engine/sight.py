"""From camera frames to features, encoding only the images that were not seen before."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from alpamayo_ros.contract import Observation
from alpamayo_ros.vla.engine.features import Features, digest
from alpamayo_ros.vla.engine.frames import Frames
from alpamayo_ros.vla.engine.stages import Stages
from alpamayo_ros.vla.engine.vision import Vision
from alpamayo_ros.vla.model import Alpamayo


@dataclass(frozen=True, eq=False)
class Shot:
    """A camera frame, (H, W, 3) uint8, and which one it is: camera and stamp."""

    key: Hashable
    frame: np.ndarray


def shots(observation: Observation) -> list[Shot]:
    """An observation's frames in the prompt's order."""
    return [
        Shot((role, int(stamp)), frame)
        for role, frames, stamps in zip(observation.cameras, observation.images, observation.stamps_ns, strict=True)
        for frame, stamp in zip(frames, stamps, strict=True)
    ]


class Sight:
    """Encodes images in groups of `group`; what does not fill a group is encoded beside old pixels.

    Where images are not `kept`, each call encodes all of its own.

    Attributes:
        encoded: how many images the last call encoded.
    """

    def __init__(
        self, model: Alpamayo, ops: Any, features: Features, group: int, kept: bool, capture: bool, pool: object
    ) -> None:
        self._model, self._ops, self._features = model, ops, features
        self._group, self._kept, self._graphs = group, kept, (capture, pool)
        self._loaders: dict[tuple[int, int], Frames] = {}
        self._encoders: dict[tuple[int, int], Vision] = {}
        self.encoded = 0

    def of_patches(self, grids: np.ndarray, patches: torch.Tensor, stages: Stages) -> list[int]:
        """The slots of images given as patches; no other image has one afterwards."""
        self._features.forget()
        slots = [self._features.claim(number) for number in range(len(grids))]
        parts = patches.split([int(grid.prod()) for grid in grids])
        self.encoded = len(slots)
        new = zip(map(_sides, grids), slots, parts, strict=True)
        for grid, places, group in self._groups([(grid, slot, part) for grid, slot, part in new]):
            self._encode(grid, torch.cat(group), places, stages)
        return slots

    def of_shots(self, grids: np.ndarray, shots: Sequence[Shot], stages: Stages) -> tuple[list[int], list[Hashable]]:
        """The slots of shots, and under which key each is kept."""
        keys = [(shot.key, digest(shot.frame)) if self._kept else number for number, shot in enumerate(shots)]
        if not self._kept:
            self._features.forget()
        found = [self._features.find(key) for key in keys]
        slots, new = [], []
        for grid, shot, key, slot in zip(grids, shots, keys, found, strict=True):
            if slot is None and (slot := self._features.find(key)) is None:  # the same frame twice is encoded once
                slot = self._features.claim(key)
                new.append(((_sides(grid), shot.frame.shape[:2]), slot, shot.frame))
            slots.append(slot)
        self.encoded = len(new)
        for (grid, size), places, group in self._groups(new):
            patches = self._loader(size).load(group)
            stages.mark("preprocess")
            self._encode(grid, patches, places, stages)
        return slots, keys

    def _encode(self, grid: tuple[int, int], patches: torch.Tensor, slots: list[int], stages: Stages) -> None:
        encoder = self._encoder(grid)
        encoder.patches[: len(patches)].copy_(patches)
        features = encoder.encode()
        for place, slot in enumerate(slots):
            self._features.values[:, slot, : encoder.tokens] = features[:, place]
        stages.mark("vision")

    def _groups(self, new: list[tuple[Hashable, int, Any]]) -> Iterator[tuple[Any, list[int], list[Any]]]:
        """Kind, slots and images of up to `group` images of one kind."""
        for kind in dict.fromkeys(kind for kind, _, _ in new):
            members = [(slot, image) for other, slot, image in new if other == kind]
            for start in range(0, len(members), self._group):
                slots, images = zip(*members[start : start + self._group], strict=True)
                yield kind, list(slots), list(images)

    def _loader(self, size: tuple[int, int]) -> Frames:
        if size not in self._loaders:
            self._loaders[size] = Frames(*size, self._group, self._model.config, self._model.device, *self._graphs)
        return self._loaders[size]

    def _encoder(self, grid: tuple[int, int]) -> Vision:
        if grid not in self._encoders:
            visual = self._model.vlm.model.visual
            self._encoders[grid] = Vision(visual, self._model.config, grid, self._group, self._ops, *self._graphs)
        return self._encoders[grid]


def _sides(grid: np.ndarray) -> tuple[int, int]:
    return int(grid[1]), int(grid[2])
