"""From logits to tokens: the trajectory mask, temperature, top-p, the draw, and when a batch has said enough.

It knows no model. The order is the released pipeline's: mask, temperature, top-p. Specification section 3.2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

# (rows, vocabulary) logits and the step -> (rows,) tokens.
Choose = Callable[[torch.Tensor, int], torch.Tensor]


@dataclass(frozen=True, eq=False)
class Sampler:
    """Draws one token a row.

    Attributes:
        temperature: 0 takes the likeliest token.
        top_p: the smallest set of tokens of at least this probability is drawn from; 1 is all.
        masked: range of ids that are never drawn.
        generator: on the logits' device; None is its default one.
    """

    temperature: float
    top_p: float
    masked: range = range(0)
    generator: torch.Generator | None = None

    def __call__(self, logits: torch.Tensor, step: int) -> torch.Tensor:
        logits = logits.clone()
        logits[:, self.masked.start : self.masked.stop] = -torch.inf
        if self.temperature == 0:
            return logits.argmax(-1)
        probabilities = _nucleus(logits / self.temperature, self.top_p).softmax(-1)
        return torch.multinomial(probabilities, 1, generator=self.generator)[:, 0]


def replay(tokens: torch.Tensor) -> Choose:
    """Gives the columns of (rows, steps) tokens instead of drawing."""
    return lambda logits, step: tokens[:, step]


def _nucleus(logits: torch.Tensor, top_p: float) -> torch.Tensor:
    """Logits with everything outside the nucleus at -inf; the likeliest token always stays."""
    if top_p >= 1:
        return logits
    ascending, order = logits.sort(-1)
    outside = ascending.softmax(-1).cumsum(-1) <= 1 - top_p
    outside[:, -1] = False
    return logits.masked_fill(outside.scatter(-1, order, outside), -torch.inf)


class StopRule:
    """When rows and batch end.

    A row that says `end` is padded from then on. The batch ends when every row has ended, or one token after every
    row has said `stop` (that token puts the stop's keys and values into the store); rows that said `stop` go on
    until then.
    """

    def __init__(self, rows: int, end: int, pad: int, stop: int | None, device: torch.device) -> None:
        self._end, self._pad, self._stop = end, pad, stop
        self._open = torch.ones(rows, dtype=torch.bool, device=device)
        self._stopped = torch.zeros(rows, dtype=torch.bool, device=device)

    def padded(self, tokens: torch.Tensor) -> torch.Tensor:
        """The chosen tokens, with padding in the rows that have ended."""
        return torch.where(self._open, tokens, self._pad)

    def finished(self, tokens: torch.Tensor) -> bool:
        """Takes note of a step's tokens; whether they were the last."""
        all_stopped = bool(self._stopped.all())
        if self._stop is not None:
            self._stopped |= tokens == self._stop
        self._open &= tokens != self._end
        return all_stopped or not bool(self._open.any())
