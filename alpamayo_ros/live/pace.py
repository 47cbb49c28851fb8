"""The world's clock beside the wall's: how far the world should have come, and how much it had to slow down."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from alpamayo_ros.contract import SECOND_NS

# A world that is further behind than this does not catch up: its clock is slowed (s of wall time).
PATIENCE = 0.05


@dataclass
class Pace:
    """World time against wall time.

    Args:
        factor: world seconds a wall second; 1 is real time.
        clock: monotonic seconds.
    """

    factor: float = 1.0
    clock: Callable[[], float] = time.monotonic
    slipped: float = field(default=0.0, init=False)  # wall seconds by which the world was slowed
    _world_ns: int = field(default=0, init=False)
    _wall: float = field(default=0.0, init=False)

    def start(self, world_ns: int) -> None:
        self._world_ns, self._wall = world_ns, self.clock()

    def due_ns(self) -> int:
        """The world time that belongs to now."""
        return self._world_ns + int((self.clock() - self._wall) * self.factor * SECOND_NS)

    def ahead(self, world_ns: int) -> float:
        """Wall seconds until a world time is due; negative where it is overdue."""
        return (world_ns - self._world_ns) / SECOND_NS / self.factor - (self.clock() - self._wall)

    def reached(self, world_ns: int) -> None:
        """The world has come to this time: if that is far too late, from here on everything is later."""
        late = -self.ahead(world_ns) - PATIENCE
        if late > 0:
            self._wall += late
            self.slipped += late
