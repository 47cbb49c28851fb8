"""The drives on the GPU: frames once each as uint8, rows beside them; the newest drives replace the oldest.

A draw picks rows so that rare decisions come more often than they happen, and the last metres of stops too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from alpamayo_ros.vla.config import ModelConfig
from alpamayo_ros.vla.tokens import history_bins

from .layout import DECISIONS
from .recording import Recording

EVENNESS = 0.5  # 0: decisions as often as they happen; 1: all equally often
STOPS_WITHIN, STOPPING = 20.0, 3.0  # metres of a path that comes to a stop, and how much more often it is drawn
STANDING, STANDING_SHARE = 0.3, 0.4  # m/s of a car that stands and stays, and how often that is drawn
_WINDOW = 4


@dataclass(frozen=True, eq=False)
class Rows:
    """B drawn rows: frames (B, 16, H, W, 3) uint8 in the prompt's order, the others as in a `Recording`."""

    frames: torch.Tensor
    history: torch.Tensor
    speed: torch.Tensor
    future: torch.Tensor
    decision: torch.Tensor
    command: torch.Tensor
    facts: torch.Tensor
    numbers: torch.Tensor
    known: torch.Tensor


class Store:
    """At most `capacity` frames of each camera, and as many rows."""

    def __init__(self, capacity: int, config: ModelConfig, device: torch.device | str, image: tuple[int, int]) -> None:
        self.device, self._config, self._capacity = device, config, capacity
        self._frames = torch.empty((capacity, len(config.cameras), *image, 3), dtype=torch.uint8, device=device)
        self._rows: dict[str, torch.Tensor] = {}
        self._next = 0
        self._weights: torch.Tensor | None = None
        self._decisions = np.full(capacity, -1)
        self._emphasis = np.ones(capacity)
        self.added = 0

    def __len__(self) -> int:
        return int((self._decisions >= 0).sum())

    def counts(self) -> np.ndarray:
        """How many rows there are of each decision."""
        return np.bincount(self._decisions[self._decisions >= 0], minlength=len(DECISIONS))

    def add(self, drive: Recording) -> None:
        """Takes a drive in. A row lies where its newest frame lies."""
        count = len(drive.frames)
        if self._next + count > self._capacity:
            self._forget(self._next, self._capacity)
            self._next = 0
        first = self._next
        self._forget(first, first + count + _WINDOW)
        self._frames[first : first + count] = torch.from_numpy(drive.frames).to(self.device)
        places = first + drive.newest
        for name, values in self._columns(drive).items():
            if name not in self._rows:
                self._rows[name] = torch.zeros(
                    (self._capacity, *values.shape[1:]), dtype=values.dtype, device=self.device
                )
            self._rows[name][torch.from_numpy(places).to(self.device)] = values.to(self.device)
        self._decisions[places] = drive.decision
        self._emphasis[places] = _emphasis(drive)
        self._next, self._weights = first + count, None
        self.added += len(places)

    def draw(self, count: int, generator: torch.Generator) -> Rows:
        """Rows with repetition. `generator` is on the store's device."""
        if self._weights is None:
            self._weigh()
        chosen = torch.rand(count, device=self.device, generator=generator, dtype=torch.float64) * self._weights[-1]
        places = torch.searchsorted(self._weights, chosen).clamp_(max=self._capacity - 1)
        window = places[:, None] + torch.arange(1 - _WINDOW, 1, device=self.device)
        frames = self._frames[window].transpose(1, 2).flatten(1, 2)
        return Rows(frames, **{name: values[places] for name, values in self._rows.items()})

    def statistics(self) -> dict[str, float]:
        """Mean and deviation of the drives' accelerations and curvatures, for the model's action space."""
        rows = np.flatnonzero(self._decisions >= 0)
        future = self._rows["future"][torch.from_numpy(rows).to(self.device)].double()
        return {
            "accel_mean": float(future[..., 0].mean()),
            "accel_std": float(future[..., 0].std()),
            "curvature_mean": float(future[..., 1].mean()),
            "curvature_std": float(future[..., 1].std()),
        }

    def _columns(self, drive: Recording) -> dict[str, torch.Tensor]:
        bins = np.stack([history_bins(xyz, self._config.history) for xyz in drive.history])
        return {
            "history": torch.from_numpy(bins + self._config.history_start),
            "speed": torch.from_numpy(drive.speed),
            "future": torch.from_numpy(drive.future),
            "decision": torch.from_numpy(drive.decision),
            "command": torch.from_numpy(drive.command),
            "facts": torch.from_numpy(drive.facts),
            "numbers": torch.from_numpy(drive.numbers),
            "known": torch.from_numpy(drive.known),
        }

    def _forget(self, first: int, end: int) -> None:
        self._decisions[first : min(end, self._capacity)] = -1

    def _weigh(self) -> None:
        shares = np.maximum(self.counts(), 1.0) ** -EVENNESS
        weights = np.where(self._decisions >= 0, shares[self._decisions] * self._emphasis, 0.0)
        self._weights = torch.from_numpy(weights.cumsum()).to(self.device)


def _emphasis(drive: Recording) -> np.ndarray:
    """(T,) how much more often a row is drawn for what the car does in it."""
    step = np.hypot(*np.moveaxis(drive.path[:, -1] - drive.path[:, -2], -1, 0))
    stops = step < 0.1 * STANDING
    stands = drive.speed < STANDING
    stopping = stops & ~stands & (np.abs(drive.path[:, -1, 0]) < STOPS_WITHIN)
    return np.where(stopping, STOPPING, np.where(stops & stands, STANDING_SHARE, 1.0))
