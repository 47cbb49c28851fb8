"""Keys and values in place: the prompt's once for all rows, and each row's own slots behind it.

Nothing grows, nothing is copied: lengths are numbers on the device that the attention reads.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from alpamayo_ros.vla.engine.kernels.twins import NEVER

# Entries of `Store.state`.
LENGTH, STEP, DELTA, LAST_STOP, LAST_END = range(5)


@dataclass(frozen=True, eq=False)
class Store:
    """Attributes:
    keys, values: (layers, KV, capacity, hd) of the prompt.
    own_keys, own_values: (layers, rows, KV, slots, hd); slot i is a row's i-th token after the prompt.
    state: int32: the prompt's length, the step of the token last chosen (-1 before any), the rope delta, and the
        steps of the last row's stop and end (`NEVER` before).
    """

    keys: torch.Tensor
    values: torch.Tensor
    own_keys: torch.Tensor
    own_values: torch.Tensor
    state: torch.Tensor

    @staticmethod
    def make(
        layers: int, kv: int, head: int, capacity: int, rows: int, slots: int, dtype: torch.dtype, device: torch.device
    ) -> Store:
        prompt = [torch.zeros((layers, kv, capacity, head), dtype=dtype, device=device) for _ in range(2)]
        own = [torch.zeros((layers, rows, kv, slots, head), dtype=dtype, device=device) for _ in range(2)]
        return Store(*prompt, *own, torch.zeros(5, dtype=torch.int32, device=device))

    def of(self, rows: int) -> Store:
        """The same with the first rows only."""
        return replace(self, own_keys=self.own_keys[:, :rows], own_values=self.own_values[:, :rows])

    @property
    def capacity(self) -> int:
        return self.keys.shape[2]

    @property
    def rows(self) -> int:
        return self.own_keys.shape[1]

    @property
    def slots(self) -> int:
        return self.own_keys.shape[3]

    def prompt(self, layer: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self.keys[layer], self.values[layer]

    def own(self, layer: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self.own_keys[layer], self.own_values[layer]

    def begin(self, length: int, delta: int) -> None:
        """A prompt of this length is in place, and nothing said after it."""
        fresh = torch.tensor([length, -1, delta, NEVER, NEVER], dtype=torch.int32)
        self.state.copy_(fresh, non_blocking=True)

    def say(self, step: int, last_stop: int, last_end: int) -> None:
        """The state behind so many tokens."""
        later = torch.tensor([step, last_stop, last_end], dtype=torch.int32).to(self.state.device, non_blocking=True)
        self.state[STEP] = later[0]
        self.state[LAST_STOP:] = later[1:]

    def move_behind(self, length: int, count: int) -> None:
        """Keys and values that were read as the prompt's entries from `length` on become slots 0 ... of the one row."""
        behind = slice(length, length + count)
        self.own_keys[:, 0, :, :count] = self.keys[:, :, behind]
        self.own_values[:, 0, :, :count] = self.values[:, :, behind]
