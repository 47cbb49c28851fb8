"""How long a call takes on the GPU, alone, and what the benches of single kernels hand to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

# Bytes a second that an H200 reads, by its data sheet.
PEAK = 4.8e12

# Empty, or the calls seen, and of which of how many processes this is the one that compiles.
COMPILE: list[int] = []


class Compiled(Exception):
    """Instead of a time, where kernels are only compiled."""


def microseconds(work: Sequence[Callable[[], object]], rounds: int = 5) -> float:
    """One call's time, in a graph that makes all calls one after the other; median of the rounds."""
    if COMPILE:
        COMPILE[0] += 1
        if COMPILE[0] % COMPILE[2] == COMPILE[1]:
            work[0]()
        raise Compiled
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        work[0]()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for one in work:
            one()
    times = []
    for _ in range(rounds + 1):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        graph.replay()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end) * 1e3 / len(work))
    return sorted(times[1:])[rounds // 2]


def random(*shape: int, dtype: torch.dtype = torch.bfloat16, scale: float = 1.0) -> torch.Tensor:
    return (torch.randn(shape, device="cuda") * scale).to(dtype)


def error_of(found: torch.Tensor, wanted: torch.Tensor) -> float:
    return float((found.float() - wanted.float()).norm() / wanted.float().norm())


def line_of(name: str, micro: float, bytes_read: float, error: float | None = None, **more: Any) -> dict[str, Any]:
    line = {"kernel": name, "us": micro, "TBps": bytes_read / micro * 1e-6, "of_peak": bytes_read / micro * 1e6 / PEAK}
    return line | ({} if error is None else {"error": error}) | more


def copies(rows: int, columns: int) -> list[torch.Tensor]:
    """Weights of enough layers that they do not fit in the cache."""
    count = 1 if COMPILE else max(4, int(400e6 // (2 * rows * columns)))
    return [random(rows, columns, scale=0.02) for _ in range(min(count, 24))]
