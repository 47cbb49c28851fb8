"""A process that holds the model and answers many `ServedDriver`s, all that wait together in one batch.

It takes newer weights from a file whenever there are any.
"""

from __future__ import annotations

import sys
import time
from multiprocessing.connection import Connection, Listener, wait
from pathlib import Path

import numpy as np
import torch

from alpamayo_ros.vla import checkpoint
from alpamayo_ros.vla.model import Alpamayo

from .driver import FRAMES
from .layout import lay_out
from .speech import Speaker

GATHER_S = 0.002  # waited for others once one has asked
MOST = 64  # drives in one batch


def serve(address: str, folder: str, weights: str, device: str, samples: int) -> None:
    """Answers until it is terminated.

    Args:
        folder: of a checkpoint, whose weights come first; weights: a file of `torch.save`d weights that is looked at
            for newer ones; "" is none.
    """
    torch.set_num_threads(1)
    loaded = checkpoint.load(folder, device, "float32")
    speaker = Speaker(loaded.model, loaded.vocabulary, lay_out(loaded.model.config, loaded.vocabulary))
    server = _Server(speaker, samples)
    fresh = _Fresh(Path(weights), loaded.model) if weights else None
    with Listener(address, "AF_UNIX", backlog=256) as listener:
        while True:
            server.turn(listener)
            if fresh is not None:
                fresh.take()


class _Fresh:
    """Newer weights, from a file that is replaced now and then."""

    def __init__(self, path: Path, model: Alpamayo) -> None:
        self._path, self._model, self._seen, self._looked = path, model, 0.0, 0.0

    def take(self) -> None:
        if time.monotonic() - self._looked < 1.0:
            return
        self._looked = time.monotonic()
        changed = self._path.stat().st_mtime if self._path.exists() else 0.0
        if changed > self._seen:
            self._seen = changed
            self._model.load_state_dict(torch.load(self._path, map_location=self._model.device, weights_only=True))


class _Server:
    """The drives that are connected."""

    def __init__(self, speaker: Speaker, samples: int) -> None:
        self._speaker, self._samples = speaker, samples
        self._frames: dict[Connection, np.memmap] = {}

    def turn(self, listener: Listener) -> None:
        """Waits a little for questions and newcomers, and answers all that are there."""
        door = listener._listener._socket  # the one way to wait for newcomers and questions together
        ready = wait([door, *self._frames], timeout=0.5)
        if door in ready:
            connection = listener.accept()
            self._frames[connection] = np.memmap(connection.recv(), np.uint8, "r", shape=FRAMES)
        if ready and len(ready) < len(self._frames):
            time.sleep(GATHER_S)
            ready = wait(list(self._frames), timeout=0)
        asking = [(each, self._question(each)) for each in ready if each in self._frames]
        asking = [(each, asked) for each, asked in asking if asked is not None]
        for first in range(0, len(asking), MOST):
            self._answer(asking[first : first + MOST])

    def _question(self, connection: Connection):
        try:
            return connection.recv()
        except (EOFError, ConnectionError):
            del self._frames[connection]
            return None

    def _answer(self, asking: list) -> None:
        model = self._speaker.model
        frames = torch.from_numpy(np.stack([self._frames[each] for each, _ in asking])).to(model.device)
        history = np.stack([asked.bins for _, asked in asking]) + model.config.history_start
        noise = torch.stack([_noise(asked.seed, self._samples) for _, asked in asking]).to(model.device)
        commands = np.array([asked.command for _, asked in asking])
        answers = self._speaker(frames, torch.from_numpy(history).to(model.device), commands, noise)
        for (connection, _), answer in zip(asking, answers, strict=True):
            try:
                connection.send((answer.text, answer.actions))
            except (BrokenPipeError, ConnectionError):
                self._frames.pop(connection, None)


def _noise(seed: int, samples: int) -> torch.Tensor:
    return torch.randn((samples, 64, 2), generator=torch.Generator().manual_seed(seed))


if __name__ == "__main__":
    address, folder, weights, device, samples = sys.argv[1:]
    serve(address, folder, weights, device, int(samples))
