"""One process of an evaluation: whole trials, with a served model. It knows no torch, so that many start quickly."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import cv2

from alpamayo_ros.world.scenario import Scenario
from alpamayo_ros.world.trial import Setup, Trial, run_trial

from .driver import ServedDriver

_worker: dict[str, Any] = {}


def start(addresses: list[str], turns: Any, folder: str, setup: Setup) -> None:
    """Connects to the servers in turn; `turns` is a number that all processes share."""
    os.environ["OMP_NUM_THREADS"] = "1"
    cv2.setNumThreads(1)
    with turns.get_lock():
        address = addresses[turns.value % len(addresses)]
        turns.value += 1
    _worker.update(policy=ServedDriver(address, Path(folder)), setup=setup)


def attempt(scenario: Scenario) -> Trial:
    """A scenario's trial."""
    return run_trial(scenario, _worker["policy"], _worker["setup"], True)
