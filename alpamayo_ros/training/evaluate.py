"""Held-out episodes for a checkpoint: `world.evaluate`'s trials, with the model in one process for all of them.

Each process runs whole trials through the driver's own observer; its questions are answered in batches by a
`serving` process. The model is the checkpoint's, in float32 and greedy; of the six paths the first is driven.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path

from alpamayo_ros.world.report import failures, summarise
from alpamayo_ros.world.scenario import Scenario
from alpamayo_ros.world.split import scenarios
from alpamayo_ros.world.table import table
from alpamayo_ros.world.trial import Setup, Trial, run_trial

from .loop import scratch_folder
from .small import IMAGE

SAMPLES = 6
START_S = 120.0  # in which the serving process must be there
_worker: dict = {}


def evaluate(
    checkpoint: Path,
    episodes: int,
    seed: int,
    jobs: int,
    device: str,
    out: Path | None,
    minutes: float,
    seconds: float = 30.0,
) -> None:
    """Tries a checkpoint on held-out scenarios, prints the table, and writes the JSON.

    After `minutes` what is done counts: the scenarios come in an order in which every first part is balanced.
    """
    tried = list(islice(scenarios(None, first_seed=seed), episodes))
    setup = Setup(seconds, size=IMAGE)
    began = time.monotonic()
    trials = []
    with tempfile.TemporaryDirectory(dir=scratch_folder()) as folder:
        address = str(Path(folder) / "socket")
        command = [sys.executable, "-m", "alpamayo_ros.training.serving", address, str(checkpoint), "", device]
        server = subprocess.Popen([*command, str(SAMPLES)])
        try:
            _wait_for(address, server)
            for trial in _trials(tried, setup, jobs, address, folder):
                trials.append(trial)
                spent = time.monotonic() - began
                if len(trials) % 10 == 0 or len(trials) == len(tried):
                    print(f"{len(trials)} of {len(tried)} episodes, {spent:.0f} s", file=sys.stderr, flush=True)
                if spent > 60.0 * minutes:
                    break
        finally:
            server.terminate()
    summary = {
        "policy": "the checkpoint, served in batches", "checkpoint": str(checkpoint), "seed": seed, "split": "held_out",
        "seconds": setup.seconds, "latency": setup.latency, "image": [IMAGE.height, IMAGE.width], "samples": SAMPLES,
        "wall_s": time.monotonic() - began, **summarise(trials, seed), "failures": failures(trials),
    }  # fmt: skip
    print(table(summary))
    places = [out] if out else []
    if os.environ.get("OUT"):
        places.append(Path(os.environ["OUT"]) / (out.name if out else "evaluation.json"))
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(summary, indent=1) + "\n")


def _trials(tried: list[Scenario], setup: Setup, jobs: int, address: str, folder: str) -> Iterator[Trial]:
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, context, _start, (address, folder, setup))
    try:
        yield from pool.map(_try, tried)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _start(address: str, folder: str, setup: Setup) -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    import cv2

    from .driver import ServedDriver

    cv2.setNumThreads(1)
    _worker.update(policy=ServedDriver(address, Path(folder)), setup=setup)


def _try(scenario: Scenario) -> Trial:
    return run_trial(scenario, _worker["policy"], _worker["setup"], True)


def _wait_for(address: str, server: subprocess.Popen) -> None:
    began = time.monotonic()
    while not Path(address).exists():
        if server.poll() is not None or time.monotonic() - began > START_S:
            raise RuntimeError(
                f"the serving process has not started (exit status {server.poll()}); see its message above"
            )
        time.sleep(0.2)
