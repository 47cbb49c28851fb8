"""Many bags: one after the other, in processes of this machine, or on a Ray cluster. The same results each way.

A bag that cannot be replayed is reported and does not stop the others; a bag whose worker died is done again, and as
what it had done is in its journal, it goes on from there.
"""

from __future__ import annotations

import multiprocessing
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

from alpamayo_ros.contract import Policy
from alpamayo_ros.replay.bag import BagError
from alpamayo_ros.replay.run import Progress, replay
from alpamayo_ros.replay.setup import Setup, SetupError, load_policy
from alpamayo_ros.rig import RigError

# How often a bag is tried whose worker died (out of memory, a lost machine).
TRIES = 3


@dataclass(frozen=True)
class Outcome:
    """What became of one bag: metrics.json's contents, or a sentence."""

    setup: Setup
    metrics: dict[str, Any] | None = None
    error: str = ""


Report = Callable[[Setup, Progress], None]


class Replayer:
    """Replays bags with one policy, which is loaded once."""

    def __init__(self) -> None:
        self._loaded: tuple[tuple, Policy] | None = None

    def __call__(self, setup: Setup, report: Report = lambda setup, progress: None) -> Outcome:
        """Never raises for what is wrong with a bag, a rig, the settings or the disk: it says so."""
        try:
            return Outcome(setup, replay(setup, self._policy(setup), lambda progress: report(setup, progress)))
        except (BagError, RigError, SetupError) as error:
            return Outcome(setup, error=str(error))
        except OSError as error:
            return Outcome(setup, error=_disk(setup, error))
        except Exception as error:  # a fault of this package costs one bag, not a night's run of two hundred
            return Outcome(setup, error=f"{type(error).__name__}: {error}\n{traceback.format_exc()}")

    def close(self) -> None:
        if self._loaded is not None:
            self._loaded[1].close()

    def _policy(self, setup: Setup) -> Policy:
        key = (setup.policy, tuple(sorted(setup.parameters.items())))
        if self._loaded is None or self._loaded[0] != key:
            self.close()
            self._loaded = (key, load_policy(setup))
        self._loaded[1].reset()
        return self._loaded[1]


def serially(setups: Sequence[Setup], report: Report) -> Iterator[Outcome]:
    """In this process."""
    replayer = Replayer()
    try:
        for setup in setups:
            yield replayer(setup, report)
    finally:
        replayer.close()


def in_processes(setups: Sequence[Setup], count: int) -> Iterator[Outcome]:
    """In that many processes of this machine; outcomes as they come."""
    waiting, tries = list(setups), 0
    while waiting:
        tries += 1
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(count, len(waiting)), spawn) as pool:
            futures = {pool.submit(_in_this_process, setup): setup for setup in waiting}
            waiting = []
            for future in as_completed(futures):
                try:
                    yield future.result()
                except BrokenProcessPool:
                    waiting.append(futures[future])
        if tries == TRIES:
            yield from (Outcome(setup, error=_died(setup)) for setup in waiting)
            return


def on_cluster(setups: Sequence[Setup], address: str, workers: int | None = None) -> Iterator[Outcome]:
    """On a Ray cluster ("local": one on this machine), one actor a GPU; without GPUs `workers`, or one a CPU.

    Raises:
        SetupError: no Ray.
    """
    try:
        import ray
    except ImportError:
        raise SetupError("--cluster needs Ray: pip install 'alpamayo_ros[cluster]'") from None
    from ray.exceptions import RayError

    ray.init(address=None if address == "local" else address, log_to_driver=False, include_dashboard=False)
    try:
        gpus = int(ray.cluster_resources().get("GPU", 0))
        count = min(len(setups), gpus or workers or int(ray.cluster_resources().get("CPU", 1)))
        actor = ray.remote(num_cpus=1, num_gpus=1 if gpus else 0, max_restarts=-1)(Replayer)
        idle = [actor.remote() for _ in range(count)]
        left = [(setup, 1) for setup in setups]
        running: dict[Any, tuple[Any, Setup, int]] = {}
        while left or running:
            while left and idle:
                worker, (setup, tries) = idle.pop(), left.pop(0)
                running[worker.__call__.remote(setup)] = (worker, setup, tries)
            (done,), _ = ray.wait(list(running))
            worker, setup, tries = running.pop(done)
            idle.append(worker)
            try:
                yield ray.get(done)
            except RayError:
                if tries < TRIES:
                    left.append((setup, tries + 1))
                else:
                    yield Outcome(setup, error=_died(setup))
    finally:
        ray.shutdown()


_replayer: Replayer | None = None


def _in_this_process(setup: Setup) -> Outcome:
    """A worker keeps its policy from bag to bag."""
    global _replayer
    if _replayer is None:
        _replayer = Replayer()
    return _replayer(setup)


def _died(setup: Setup) -> str:
    return f"the worker that replayed {setup.bag} died {TRIES} times (out of memory?); what it did is in {setup.out}"


def _disk(setup: Setup, error: OSError) -> str:
    where = error.filename or setup.out
    why = error.strerror or error
    return f"{where} cannot be written: {why}; what is done is kept in {setup.out}, the same command goes on from there"
