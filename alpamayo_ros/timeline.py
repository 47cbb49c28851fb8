"""A bounded, stamp-ordered record of one stream.

It keeps what came within `horizon_ns` of its newest stamp, up to a number, in stamp order whatever the order of
arrival, and says of each push whether it was new, late, a duplicate, or a rewind. It never clears itself: what a
rewind means is the observer's business.
"""

from __future__ import annotations

import sys
from bisect import bisect_left, bisect_right, insort
from enum import Enum
from typing import Generic, TypeVar

T = TypeVar("T")

# Enough to see a camera's own period through jitter and loss, few enough to follow a change of rate in 2 s.
PERIOD_SAMPLES = 16


class Push(Enum):
    """What became of a pushed value."""

    NEWEST = "newest"  # after everything that is here
    LATE = "late"  # put in its place among older ones
    DUPLICATE = "duplicate"  # this stamp is here already; the first one stays
    TOO_OLD = "too_old"  # before the horizon; not kept
    REWOUND = "rewound"  # further back than any late message; not kept


class Timeline(Generic[T]):
    """One stream's values by stamp.

    Args:
        horizon_ns: what is older than the newest stamp by more than this is dropped.
        rewind_ns: a stamp further behind the newest than this is a rewind, not a late message.
        most: values that are kept at most, the newest ones: a bound on memory, whatever a source sends.
    """

    def __init__(self, horizon_ns: int, rewind_ns: int, most: int = sys.maxsize):
        self._horizon_ns = horizon_ns
        self._most = most
        self._rewind_ns = rewind_ns
        self._stamps: list[int] = []
        self._values: list[T] = []
        self._recent: list[int] = []  # stamps alone, kept longer than the values, for the period

    def __len__(self) -> int:
        return len(self._stamps)

    @property
    def stamps(self) -> list[int]:
        """Rising stamps, nanoseconds. Not to be changed."""
        return self._stamps

    @property
    def newest_ns(self) -> int | None:
        return self._stamps[-1] if self._stamps else None

    @property
    def oldest_ns(self) -> int | None:
        return self._stamps[0] if self._stamps else None

    @property
    def period_ns(self) -> int | None:
        """Median distance of the last stamps; None before there are three. A lost frame does not move it."""
        if len(self._recent) < 3:
            return None
        steps = sorted(later - earlier for earlier, later in zip(self._recent, self._recent[1:], strict=False))
        return steps[len(steps) // 2]

    def push(self, stamp_ns: int, value: T) -> Push:
        """Takes one value in; constant time for values in order."""
        newest = self.newest_ns
        if newest is None or stamp_ns > newest:
            self._stamps.append(stamp_ns)
            self._values.append(value)
            self._remember(stamp_ns)
            self._trim()
            return Push.NEWEST
        if stamp_ns < newest - self._rewind_ns:
            return Push.REWOUND
        if stamp_ns < newest - self._horizon_ns:
            return Push.TOO_OLD
        index = bisect_left(self._stamps, stamp_ns)
        if self._stamps[index] == stamp_ns:
            return Push.DUPLICATE
        self._stamps.insert(index, stamp_ns)
        self._values.insert(index, value)
        self._remember(stamp_ns)
        self._trim()
        return Push.LATE

    def between(self, first_ns: int, last_ns: int) -> tuple[list[int], list[T]]:
        """Stamps and values in [first_ns, last_ns]."""
        start, stop = bisect_left(self._stamps, first_ns), bisect_right(self._stamps, last_ns)
        return self._stamps[start:stop], self._values[start:stop]

    def around(self, first_ns: int, last_ns: int) -> tuple[list[int], list[T]]:
        """Like `between`, and one neighbour more on each side that lies outside, where there is one."""
        start = max(bisect_right(self._stamps, first_ns) - 1, 0)
        stop = bisect_left(self._stamps, last_ns) + 1
        return self._stamps[start:stop], self._values[start:stop]

    def clear(self) -> None:
        self._stamps.clear()
        self._values.clear()
        self._recent.clear()

    def _remember(self, stamp_ns: int) -> None:
        insort(self._recent, stamp_ns)
        if len(self._recent) > PERIOD_SAMPLES:
            del self._recent[0]

    def _trim(self) -> None:
        limit = self._stamps[-1] - self._horizon_ns
        if self._stamps[0] < limit or len(self._stamps) > self._most:
            keep = max(bisect_left(self._stamps, limit), len(self._stamps) - self._most)
            del self._stamps[:keep], self._values[:keep]
