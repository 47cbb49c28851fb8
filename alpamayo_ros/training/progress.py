"""A line that says how far the training is: overwritten on a terminal, now and then in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping

_EVERY_S = 10.0


class Bar:
    """Shows the share of the time, the steps and a few numbers."""

    def __init__(self) -> None:
        self._shown = 0.0

    def show(self, share: float, step: int, numbers: Mapping[str, float], note: str) -> None:
        """Call as often as you like."""
        terminal, now = sys.stderr.isatty(), time.monotonic()
        if now - self._shown < (0.5 if terminal else _EVERY_S):
            return
        self._shown = now
        bar = "#" * int(30 * min(share, 1.0))
        words = " ".join(f"{name} {value:.4g}" for name, value in numbers.items())
        print(f"[{bar:<30}] {100 * share:4.1f} % step {step} {words} | {note}", end="\r" if terminal else "\n",
              file=sys.stderr, flush=True)  # fmt: skip
