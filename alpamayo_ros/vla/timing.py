"""Seconds by stage, with the device's queue drained at each edge so that a stage pays for its own kernels."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch


class Stopwatch:
    """`with watch("prefill"): ...`; the seconds of stages entered twice add up in `seconds`."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        self._drain()
        start = time.perf_counter()
        yield
        self._drain()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - start

    def _drain(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
