"""Decoding over the store: one token a row and step, chosen and ended on the device.

The host launches steps and looks at a pinned copy of each step's state while the next one runs. Once every row has
said its stop exactly one more token is wanted (it puts the stop's keys and values in place), and that step is already
on its way: nothing is computed in vain, and nobody waits for the host.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from alpamayo_ros.vla.engine import layers
from alpamayo_ros.vla.engine.cache import LAST_END, LAST_STOP, STEP, Store
from alpamayo_ros.vla.engine.graph import Captured
from alpamayo_ros.vla.engine.kernels import twins
from alpamayo_ros.vla.engine.weights import Matrix, Stack


@dataclass(frozen=True)
class Choice:
    """How tokens are chosen: ids never drawn, temperature (0 is greedy), nucleus, and the stop, end and pad ids."""

    masked: range
    temperature: float
    top_p: float
    ids: tuple[int, int, int]


class Decoder:
    """Continues the store's prompt in a fixed number of rows.

    Attributes:
        tokens: (R, width) int32, what was chosen; forced: (R, width) int32, what is taken instead where not negative.
        seed: (2,) int32; stops, ends: (R,) int32, the step of a row's first stop and end.
    """

    def __init__(
        self, embed: torch.Tensor, stack: Stack, head: Matrix, ops: Any, store: Store, tables: layers.Tables,
        rows: int, choice: Choice, capture: bool, pool: object = None,
    ) -> None:  # fmt: skip
        self._embed, self._stack, self._head, self._ops = embed, stack, head, ops
        self._store, self._tables, self.choice = store, tables, choice
        device = embed.device
        whole = {"dtype": torch.int32, "device": device}
        self.tokens = torch.zeros((rows, store.slots), **whole)
        self.forced = torch.full((rows, store.slots), -1, **whole)
        self.current, self.stops, self.ends = (torch.zeros(rows, **whole) for _ in range(3))
        self.seed = torch.zeros(2, **whole)
        self._rows = rows
        self._first_logits = torch.zeros((1, len(head.weight)), dtype=embed.dtype, device=device)
        self._seen = torch.zeros((store.slots + 1, 5), dtype=torch.int32, pin_memory=device.type == "cuda")
        self._events = [torch.cuda.Event() for _ in range(store.slots + 1)] if device.type == "cuda" else []
        ready = store.state.clone()
        ready[STEP] = 0
        self._restore(ready)
        self._ready = ready
        self._start = Captured(self._choose_first, capture, lambda: self._restore(ready), pool)
        self._step = Captured(self._read_and_choose, capture, lambda: self._restore(ready), pool)

    def rehearse(self) -> None:
        """Takes a few steps and forgets them."""
        for _ in range(min(8, self._store.slots - 2)):
            self._step()
        self._restore(self._ready)

    def begin(self, seed: int, forced: torch.Tensor | None = None) -> None:
        """Forgets what was said; `forced`: (R, steps) tokens to take instead of drawing them."""
        words = torch.tensor([seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF], dtype=torch.int64)
        self.seed.copy_(words.to(torch.int32), non_blocking=True)
        self.stops.fill_(twins.NEVER)
        self.ends.fill_(twins.NEVER)
        self.forced.fill_(-1)
        if forced is not None:
            self.forced[:, : forced.shape[1]] = forced

    def place(self, tokens: Sequence[int]) -> None:
        """Puts a row's first tokens in place as if they had been chosen one by one, all but the last of them read."""
        stop, end, _ = self.choice.ids
        said, step = torch.tensor(tokens, dtype=torch.int32), len(tokens) - 1
        stops, ends = (tokens.index(token) if token in tokens else twins.NEVER for token in (stop, end))
        self.tokens[0, : len(tokens)].copy_(said, non_blocking=True)
        self.current.fill_(tokens[-1])
        self.stops.fill_(stops)
        self.ends.fill_(ends)
        self._store.say(step, stops, ends)

    def run(self, logits: torch.Tensor, limit: int, ruled: bool = True, trace: list[torch.Tensor] | None = None) -> int:
        """Continues from the (1, V) logits behind the prompt.

        Args:
            ruled: ends before `limit` where every row has ended or said stop.
            trace: gets each step's (R, V) float32 logits.

        Returns:
            How many tokens each row has; `tokens` holds them, padding and surplus included.
        """
        self._first_logits.copy_(logits)
        self._start()
        _keep(trace, self._first_logits.expand(self._rows, -1))
        return self.resume(1, limit, ruled, trace)

    def resume(self, chosen: int, limit: int, ruled: bool = True, trace: list[torch.Tensor] | None = None) -> int:
        """Goes on where `chosen` tokens of the rows are in place and all but the last of them have been read."""
        self._note(chosen - 1)
        while chosen < limit:
            logits = self._step()
            self._note(chosen)
            _keep(trace, logits)
            chosen += 1
            if ruled and (last := self._last(chosen - 2)) < chosen:
                return last + 1
        return chosen

    def _note(self, step: int) -> None:
        """Sends the state after a step to the host."""
        self._seen[step].copy_(self._store.state, non_blocking=True)
        if self._events:
            self._events[step].record()

    def _last(self, step: int) -> int:
        """The step with which the rows end, as known after a step: one after the last stop, or the last end."""
        if self._events:
            self._events[step].synchronize()
        return min(int(self._seen[step, LAST_STOP]) + 1, int(self._seen[step, LAST_END]))

    def _choose_first(self) -> None:
        self._choose(self._first_logits.expand(self._rows, -1).contiguous())

    def _read_and_choose(self) -> torch.Tensor:
        x = self._embed.index_select(0, self.current)
        logits = layers.read_tokens(self._ops, self._stack, self._head, x, self._tables, self._store)
        self._choose(logits)
        return logits

    def _choose(self, logits: torch.Tensor) -> None:
        drawn = self.draw(logits)
        self._ops.settle(
            drawn, self.forced, self.tokens, self.current, self._store.state, self.stops, self.ends, self.choice.ids
        )

    def draw(self, logits: torch.Tensor, verify: bool = False) -> torch.Tensor:
        """(R, V) logits -> (R,) int32; `verify`: row r is step r of the one sample."""
        choice, edge = self.choice, None
        if choice.temperature > 0 and choice.top_p < 1:
            edge = self._ops.edge(logits, choice.masked, choice.temperature, choice.top_p)
        return self._ops.draw(logits, edge, self.seed, self._store.state, choice.masked, choice.temperature, verify)

    def _restore(self, state: torch.Tensor) -> None:
        self._store.state.copy_(state)
        self.stops.fill_(twins.NEVER)
        self.ends.fill_(twins.NEVER)


def _keep(trace: list[torch.Tensor] | None, logits: torch.Tensor) -> None:
    if trace is not None:
        trace.append(logits.float().clone())


assert STEP == 1, "the kernels write the step there"
