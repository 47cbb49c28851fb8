"""A policy whose model sits in another process: it sends images, history and command, and gets words and actions.

Images travel through a file in shared memory, the rest through a socket. It knows no torch, so a process of the small
world starts quickly and stays small.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from multiprocessing.connection import Client
from pathlib import Path

import numpy as np

from alpamayo_ros.contract import Observation, Plan
from alpamayo_ros.vla.config import HistoryConfig
from alpamayo_ros.vla.tokens import history_bins

from .layout import COMMANDS
from .recording import plan_of
from .small import BINS, HISTORY_HIGH, HISTORY_LOW, IMAGE

FRAMES = (16, IMAGE.height, IMAGE.width, 3)
HISTORY = HistoryConfig(HISTORY_LOW, HISTORY_HIGH, BINS)


@dataclass(frozen=True, eq=False)
class Asked:
    """What goes over the socket beside the images. `seed` decides the noise, as in `policies.vla`."""

    bins: np.ndarray
    command: int
    seed: int


class ServedDriver:
    """The model behind the policy seam, through a `serving` process at `address`."""

    name = "served"

    def __init__(self, address: str, folder: Path, seed: int = 42) -> None:
        self._seed = seed
        path = folder / f"frames_{os.getpid()}"
        self._frames = np.memmap(path, np.uint8, "w+", shape=FRAMES)
        self._connection = Client(address, "AF_UNIX")
        self._connection.send(str(path))

    def __call__(self, observation: Observation) -> Plan:
        for index, image in enumerate(image for row in observation.images for image in row):
            self._frames[index] = image
        mixed = int(np.random.SeedSequence((self._seed, observation.t0_ns)).generate_state(1)[0])
        command = COMMANDS.index(observation.command)
        self._connection.send(Asked(history_bins(observation.history_xyz, HISTORY), command, mixed))
        text, actions = self._connection.recv()
        return plan_of(actions, text, observation, self.name)

    def reset(self) -> None:
        """Nothing is carried from tick to tick."""

    def close(self) -> None:
        """Says goodbye to the server."""
        self._connection.close()
