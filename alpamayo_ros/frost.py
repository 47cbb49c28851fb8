"""Cameras that have frozen: the same picture again, byte by byte, under a new stamp, while the vehicle moves.

No sensor gives the same bytes twice, so one repetition is enough to refuse a frame. While the vehicle stands nothing
is said: a rendered scene may well stand still too. Two frames are compared from the end, where pictures differ first.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakSet

import numpy as np

from alpamayo_ros.cdr import CdrError, header_stamp_ns
from alpamayo_ros.contract import NotReady, Reason
from alpamayo_ros.window import Frame, Window, without

# The vehicle moves where it went this far between the first and the last slot (m in 0.3 s).
MOVED = 0.15
# Serialized bytes before which two messages of one picture differ: encapsulation and stamp.
STAMPED = 12
CHUNK = 1 << 16


class Frost:
    """Strikes frozen frames out of windows, and says so once of each."""

    def __init__(self) -> None:
        # Weakly: a frame that is remembered otherwise keeps its 6 MB.
        self._frozen: WeakSet[Frame] = WeakSet()
        self._fresh: WeakSet[Frame] = WeakSet()

    def __call__(self, window: Window) -> tuple[Window | NotReady, tuple[NotReady, ...]]:
        """The window chosen again without frozen frames, and a refusal of each that has not been refused before."""
        if np.linalg.norm(window.poses.xyz[-1] - window.poses.xyz[-4]) < MOVED:
            return window, ()
        frozen, said = self._find(window)
        thawed: Window | NotReady = window
        for frame in frozen:
            thawed = without(thawed, frame) if isinstance(thawed, Window) else thawed
        return thawed, tuple(said)

    def _find(self, window: Window) -> tuple[list[Frame], list[NotReady]]:
        frozen: list[Frame] = []
        said: list[NotReady] = []
        for role, offered in window.candidates.items():
            for before, frame in zip((offered.earlier, *offered.frames), offered.frames, strict=False):
                if frame in self._frozen:
                    frozen.append(frame)
                elif before is not None and frame not in self._fresh:
                    if same_picture(before.payload, frame.payload):
                        frozen.append(frame)
                        self._frozen.add(frame)
                        numbers = {"offset": (frame.stamp_ns - window.t0_ns) / 1e9}
                        detail = "the same picture as before, to the byte, while the vehicle moves"
                        said.append(NotReady(Reason.CAMERA_FROZEN, role, detail, numbers, window.t0_ns))
                    else:
                        self._fresh.add(frame)
        return frozen, said


def same_picture(one: Any, other: Any) -> bool:
    """Whether two serialized images differ in nothing but their stamps. What is no bytes differs."""
    if not isinstance(one, bytes | bytearray | memoryview) or len(one) != len(other) or len(one) <= STAMPED:
        return False
    a, b = memoryview(one), memoryview(other)
    for end in range(len(a), STAMPED, -CHUNK):
        start = max(STAMPED, end - CHUNK)
        if a[start:end].tobytes() != b[start:end].tobytes():
            return False
    try:
        return header_stamp_ns(a) != header_stamp_ns(b)
    except CdrError:
        return False
