"""From logits to tokens in numpy: temperature, top-p, the draw, and when a batch has said enough.

The same rules as `vla/sampling.py`'s. The trajectory tokens that are never drawn have no logits in the graphs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Sampler:
    """Draws one token a row.

    Attributes:
        temperature: 0 takes the likeliest token.
        top_p: the smallest set of tokens of at least this probability is drawn from; 1 is all.
    """

    temperature: float
    top_p: float
    rng: np.random.Generator

    def __call__(self, logits: np.ndarray) -> np.ndarray:
        """(rows, V) logits -> (rows,) indices."""
        if self.temperature == 0:
            return logits.argmax(-1)
        scaled = logits.astype(np.float64) / self.temperature
        likely = np.exp(scaled - scaled.max(-1, keepdims=True))
        likely /= likely.sum(-1, keepdims=True)
        return np.array([self._draw(row) for row in likely])

    def _draw(self, probability: np.ndarray) -> int:
        order = np.argsort(-probability, kind="stable")
        summed = probability[order].cumsum()
        # The likeliest tokens up to the first at which their sum reaches top_p.
        size = min(int(np.searchsorted(summed, self.top_p)) + 1, len(order))
        return int(order[np.searchsorted(summed[:size], self.rng.random() * summed[size - 1], side="right")])


class StopRule:
    """When rows and batch end; see `vla.sampling.StopRule`, whose rule this is."""

    def __init__(self, rows: int, end: int, pad: int, stop: int) -> None:
        self._end, self._pad, self._stop = end, pad, stop
        self._open, self._stopped = np.ones(rows, dtype=bool), np.zeros(rows, dtype=bool)

    def padded(self, tokens: np.ndarray) -> np.ndarray:
        """The chosen tokens, with padding in the rows that have ended."""
        return np.where(self._open, tokens, self._pad)

    def finished(self, tokens: np.ndarray) -> bool:
        """Takes note of a step's tokens; whether they were the last."""
        all_stopped = bool(self._stopped.all())
        self._stopped |= tokens == self._stop
        self._open &= tokens != self._end
        return all_stopped or not self._open.any()
