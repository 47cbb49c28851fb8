"""Seconds by stage without waiting in between: marks in the device's own queue, read at the end."""

from __future__ import annotations

import time

import torch


class Stages:
    """`mark(stage)` where a stage ends; stages that are marked twice add up."""

    def __init__(self, device: torch.device) -> None:
        self._device, self._cuda = device, device.type == "cuda"
        self._marks: list[tuple[str, object]] = []
        self.mark("")

    def mark(self, stage: str) -> None:
        if not self._cuda:
            self._marks.append((stage, time.perf_counter()))
            return
        event = torch.cuda.Event(enable_timing=True)
        event.record(torch.cuda.current_stream(self._device))
        self._marks.append((stage, event))

    def seconds(self) -> dict[str, float]:
        """Waits for the last mark."""
        if self._cuda:
            self._marks[-1][1].synchronize()
        sums: dict[str, float] = {}
        for (_, before), (stage, after) in zip(self._marks, self._marks[1:], strict=False):
            passed = before.elapsed_time(after) * 1e-3 if self._cuda else after - before
            sums[stage] = sums.get(stage, 0.0) + passed
        return sums
