"""How old a stamp is, on a clock that may or may not be the stamps' own.

Live and with `use_sim_time`, stamps and clock agree and the age is their difference. A bag that is replayed without
`/clock` has stamps of another day: there the smallest distance seen between clock and stamps stands for "now".
"""

from __future__ import annotations

from collections import deque

from alpamayo_ros.contract import SECOND_NS

# Beyond this distance stamps are not of this clock (nanoseconds); no camera's latency is that large.
FOREIGN_NS = 10 * SECOND_NS
# Distances remembered: enough that one of them saw hardly any delay.
REMEMBERED = 100


class StampAges:
    """Ages of stamps from the distances of those that came in."""

    def __init__(self) -> None:
        self._distances: deque[int] = deque(maxlen=REMEMBERED)

    def received(self, stamp_ns: int, now_ns: int) -> None:
        """Takes note of a message that has just come in."""
        self._distances.append(now_ns - stamp_ns)

    def age_ns(self, stamp_ns: int, now_ns: int) -> int:
        """Nanoseconds between a stamp and now, in the stamps' own time."""
        return now_ns - stamp_ns - self.foreign_ns

    @property
    def foreign_ns(self) -> int:
        """How far the clock is ahead of the stamps, where they are not of one clock; else 0."""
        nearest = min(self._distances, default=0)
        return nearest if abs(nearest) > FOREIGN_NS else 0

    def reset(self) -> None:
        self._distances.clear()
