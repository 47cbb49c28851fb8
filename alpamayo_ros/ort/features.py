"""Image features: each image goes through the vision graph once, however many ticks it is in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alpamayo_ros.contract import Observation
from alpamayo_ros.ort.sessions import Graph
from alpamayo_ros.vla import resize
from alpamayo_ros.vla.config import ModelConfig
from alpamayo_ros.vla.rotary import PatchPlaces, patch_places


@dataclass(frozen=True, eq=False)
class _Kept:
    """An image and its features: output name -> (tokens, width)."""

    image: np.ndarray
    features: dict[str, np.ndarray]


class ImageFeatures:
    """Keeps the features of the last observation's images.

    An image is known again by its camera, its stamp and being the same array object (the contract's promise for an
    image that two ticks share), so pixels that were changed in between are never taken for the old ones.
    """

    def __init__(self, graph: Graph, config: ModelConfig) -> None:
        self._graph, self._config = graph, config
        self._kept: dict[tuple[str, int], _Kept] = {}
        self._places: dict[tuple[int, int], PatchPlaces] = {}
        self.encoded = 0

    def __call__(self, observation: Observation) -> dict[str, np.ndarray]:
        """Output name -> (image tokens, width) of all images, in the prompt's order."""
        wanted: list[tuple[str, int]] = []
        images: dict[tuple[str, int], np.ndarray] = {}
        for role, row, stamps in zip(observation.cameras, observation.images, observation.stamps_ns, strict=True):
            for image, stamp in zip(row, stamps.tolist(), strict=True):
                images[role, stamp] = image
                wanted.append((role, stamp))
        kept = {key: self._kept[key] for key in images if key in self._kept and self._kept[key].image is images[key]}
        new = [key for key in images if key not in kept]
        for size in dict.fromkeys(images[key].shape[:2] for key in new):
            members = [key for key in new if images[key].shape[:2] == size]
            for key, features in zip(members, self._encode([images[key] for key in members]), strict=True):
                kept[key] = _Kept(images[key], features)
        self._kept = kept
        return {name: np.concatenate([kept[key].features[name] for key in wanted]) for name in self._graph.outputs}

    def clear(self) -> None:
        self._kept = {}

    def _encode(self, images: list[np.ndarray]) -> list[dict[str, np.ndarray]]:
        """The features of images of one size."""
        self.encoded += len(images)
        count, patch = len(images), self._config.patch_size
        _, rows, columns = resize.grid(*images[0].shape[:2], self._config).tolist()
        small = np.stack([resize.resize(image, rows * patch, columns * patch) for image in images])
        places = self._places_of(rows, columns)
        outputs = self._graph(
            {
                "patches": resize.patches(small, self._config).reshape(count, rows * columns, -1),
                "position_index": places.index,
                "position_weight": places.weight,
                "cos": np.repeat(places.cos[None], count, axis=0),
                "sin": np.repeat(places.sin[None], count, axis=0),
            }
        )
        whole = {name: value.numpy() for name, value in outputs.items()}
        return [{name: value[k] for name, value in whole.items()} for k in range(count)]

    def _places_of(self, rows: int, columns: int) -> PatchPlaces:
        if (rows, columns) not in self._places:
            self._places[rows, columns] = patch_places(rows, columns, self._config.merge_size, self._config.vision)
        return self._places[rows, columns]
