"""Processes that drive the small world and leave recordings in a folder, while the training reads them away.

Drive number i is decided by the seed and i alone, but for what a model in training does. At first the rule driver's
wandering copy drives; from the moment when a `serving` process answers, the model drives a share of them, so that the
rule driver's labels cover what the model gets itself into (DAgger: Ross, Gordon, Bagnell 2011).
"""

from __future__ import annotations

import multiprocessing
import os
import time
import zlib
from itertools import islice
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np

OWN_SHARE = 0.5  # of the drives, once the model answers
HASTY_SHARE = 0.5  # of the model's drives, that overshoot and undershoot what it plans
SECONDS = 30.0
MOST_WAITING = 40  # recordings in the folder at which the actors wait for the reader
_LATENCIES = (0.0, 0.05, 0.1)
_PLAIN_SHARE = 0.4  # of the drives whose frames are not through JPEG
_LESS_URGENT = 5  # niceness: the process that trains and the one that answers go first


def start(folder: Path, address: str, processes: int, seed: int, first: int, seconds: float) -> list[BaseProcess]:
    """Starts the actors; they end with the process that started them.

    Args:
        address: of the serving process; drives of the model begin when it is there.
        first: number of the first drive.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Spawned: a fork of a process that holds a GPU does not live long.
    context = multiprocessing.get_context("spawn")
    actors = [
        context.Process(target=_act, args=(str(folder), address, index, processes, seed, first, seconds), daemon=True)
        for index in range(processes)
    ]
    for actor in actors:
        actor.start()
    return actors


def _act(folder: str, address: str, index: int, processes: int, seed: int, first: int, seconds: float) -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    os.nice(_LESS_URGENT)
    import cv2

    from alpamayo_ros.world.scenario import Family
    from alpamayo_ros.world.split import Split, scenarios

    # Stops for lights and people are the hardest to learn, so they come more often than the others.
    stops = (Family.PEDESTRIAN, Family.TRAFFIC_LIGHT, Family.PEDESTRIAN, Family.LIGHT_QUEUE, Family.LEAD_BRAKING)
    families = (*Family, *stops, Family.PEDESTRIAN, Family.TRAFFIC_LIGHT)
    cv2.setNumThreads(1)
    place, driver, parent = Path(folder), None, os.getppid()
    numbered = islice(enumerate(scenarios(Split.TRAIN, families, 1000 * seed)), first + index, None, processes)
    for number, scenario in numbered:
        while len(list(place.glob("*.npz"))) >= MOST_WAITING:
            time.sleep(0.2)
        if os.getppid() != parent:
            return
        driver = driver or _connected(address, place)
        try:
            _drive(place, number, scenario, driver, seed, seconds)
        except (ConnectionError, EOFError):
            driver = None  # the serving process has gone; the rule driver goes on


def _connected(address: str, folder: Path):
    """The model's driver, None while there is none."""
    if not Path(address).exists():
        return None
    from .driver import ServedDriver

    try:
        return ServedDriver(address, folder)
    except (ConnectionError, FileNotFoundError):
        return None


def _drive(place: Path, number: int, scenario, driver, seed: int, seconds: float) -> None:
    from alpamayo_ros.world.samples import Wanderer

    from .hasty import Hasty
    from .recording import record, save

    rng = np.random.default_rng([seed, number, zlib.crc32(b"drive")])
    own, quality, latency = rng.random() < OWN_SHARE, int(rng.integers(80, 96)), rng.choice(_LATENCIES)
    plain = rng.random() < _PLAIN_SHARE
    hasty = rng.random() < HASTY_SHARE
    by_model = own and driver is not None

    def model(episode):
        return Hasty(driver, scenario.stream("hasty")) if hasty else driver

    recording = record(
        scenario, model if by_model else Wanderer, seconds, latency if by_model else 0.0,
        None if plain else quality,
    )  # fmt: skip
    if recording is not None:
        save(recording, place / f"drive_{number:06d}_{'model' if by_model else 'rule'}.npz")
