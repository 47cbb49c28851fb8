"""A function over fixed buffers, captured once as a CUDA graph and replayed; called as it is elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch

_WARM_UPS = 3


@cache
def _side(device: int) -> torch.cuda.Stream:
    """The stream of all captures on a device: for every stream that libraries see, they keep a workspace."""
    return torch.cuda.Stream(device)


class Captured:
    """Replays `work`, which must read and write the same tensors each time and wait for nothing.

    Its kernels are warmed up on a side stream first, so `work` must not mind being run a few times more than it is
    asked to (`restore` puts right what that changes). A capture that fails leaves the device's default generator
    unusable (PyTorch takes it to be capturing still): who draws beside a captured engine brings a generator of his own.
    """

    def __init__(
        self, work: Callable[[], object], capture: bool, restore: Callable[[], None] = lambda: None, pool=None
    ) -> None:
        self._work, self._graph = work, None
        self.output: object = None
        if not capture:
            return
        stream = _side(torch.cuda.current_device())
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UPS):
                work()
                restore()
        torch.cuda.current_stream().wait_stream(stream)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=pool, stream=stream):
            self.output = work()
        self._graph = graph
        restore()

    def __call__(self) -> object:
        if self._graph is None:
            self.output = self._work()
        else:
            self._graph.replay()
        return self.output
