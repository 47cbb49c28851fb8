"""Of several arrangements of the same kernels, the one that is quickest on this device, measured where it is used.

One that fails is left out with a warning."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

import torch

Made = TypeVar("Made")

_log = logging.getLogger(__name__)
_ROUNDS = 3

# What was chosen, so that all engines of a process do the same: by what was asked, the way.
CHOSEN: dict[Hashable, object] = {}
# Milliseconds of everything that was measured, for benches: by what was asked, of the ways in their order.
MEASURED: dict[Hashable, dict[object, float]] = {}


def quickest(
    what: Hashable, ways: Sequence[object], make: Callable[[object], Made], run: Callable[[Made], object], measure: bool
) -> Made:
    """What `make` makes of the way whose `run` takes the least time; where nothing is measured, of the first way."""
    if what in CHOSEN:
        return make(CHOSEN[what])
    if not measure or len(ways) == 1:
        return make(ways[0])
    best, least, failed = None, float("inf"), None
    for way in ways:
        try:
            made = make(way)
            milliseconds = min(_milliseconds(lambda made=made: run(made)) for _ in range(_ROUNDS))
        except Exception as error:  # what a compiler raises on a device that it does not fit is its own
            _log.warning("%s by %s is left out: %s", what, way, error)
            failed = error
            continue
        MEASURED.setdefault(what, {})[way] = milliseconds
        if milliseconds < least:
            best, least, CHOSEN[what] = made, milliseconds, way
    if best is None:
        raise RuntimeError(f"no arrangement of kernels runs {what}") from failed
    _log.info("%s is quickest by %s: %.3f ms", what, CHOSEN[what], least)
    return best


def _milliseconds(run: Callable[[], object]) -> float:
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    run()
    end.record()
    end.synchronize()
    return start.elapsed_time(end)
