"""Memory for images that is used again.

A fresh array of 6 MB costs more than what is put into it: the kernel has to find and clear 1500 pages. And what a dozen
threads allocate and free by turns leaves holes, so that the process's size wanders.
"""

from __future__ import annotations

from collections import deque

import numpy as np

# Arrays of one size that wait; what comes back beyond them is freed.
SPARE = 8
# Sizes that are remembered: four cameras rarely have more.
SIZES = 4


class SpareArrays:
    """Gives arrays, and takes back their memory once nothing looks at them or a view of them. Any thread may ask."""

    def __init__(self) -> None:
        self._spare: dict[int, deque[np.ndarray]] = {}

    def __call__(self, size: int) -> np.ndarray:
        """(size,) uint8, holding anything."""
        try:
            memory = self._spare[size].pop()
        except (KeyError, IndexError):
            memory = np.empty(size, np.uint8)
        return np.asarray(_Lent(memory, self))

    def give_back(self, memory: np.ndarray) -> None:
        if memory.size not in self._spare and len(self._spare) >= SIZES:
            self._spare = {}
        waiting = self._spare.setdefault(memory.size, deque())
        if len(waiting) < SPARE:
            waiting.append(memory)


class _Lent:
    """An array's memory as NumPy sees it; it goes back when the last view of it is gone."""

    def __init__(self, memory: np.ndarray, owner: SpareArrays):
        self._memory, self._owner = memory, owner
        self.__array_interface__ = memory.__array_interface__

    def __del__(self) -> None:
        self._owner.give_back(self._memory)
