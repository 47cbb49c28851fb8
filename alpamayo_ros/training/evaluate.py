"""Held-out episodes for a checkpoint: `world.evaluate`'s trials, with the model in a few processes for all of them.

Each process runs whole trials through the driver's own observer; its questions are answered in batches by one of the
`serving` processes. The model is the checkpoint's, in float32 and greedy; of the six paths the first is driven.
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
from concurrent.futures import ProcessPoolExecutor, TimeoutError, as_completed
from itertools import islice
from pathlib import Path

import torch

from alpamayo_ros.world.report import failures, summarise
from alpamayo_ros.world.scenario import Scenario
from alpamayo_ros.world.split import scenarios
from alpamayo_ros.world.table import table
from alpamayo_ros.world.trial import Setup, Trial

from . import trying
from .loop import scratch_folder
from .small import IMAGE

SAMPLES = 6
SCORE_EVERY, OPEN_EVERY = 2, 20  # ticks: every second one is scored, the open loop is asked every two seconds
START_S = 120.0  # in which the serving process must be there


def evaluate(
    checkpoint: Path,
    episodes: int,
    seed: int,
    jobs: int,
    device: str,
    out: Path | None,
    minutes: float,
    seconds: float = 30.0,
    servers: int = 2,
) -> None:
    """Tries a checkpoint on held-out scenarios, prints the table, and writes the JSON.

    After `minutes` what is done counts: the scenarios come in an order in which every first part is balanced.

    Args:
        servers: processes that hold the model; one cannot keep a GPU busy.
    """
    tried = list(islice(scenarios(None, first_seed=seed), episodes))
    setup = Setup(seconds, size=IMAGE, open_every=OPEN_EVERY, blank_every=2 * OPEN_EVERY, score_every=SCORE_EVERY)
    began = time.monotonic()
    trials = []
    with tempfile.TemporaryDirectory(dir=scratch_folder()) as folder:
        addresses = [str(Path(folder) / f"socket_{index}") for index in range(servers)]
        module = [sys.executable, "-m", "alpamayo_ros.training.serving"]
        serving = [
            subprocess.Popen([*module, address, str(checkpoint), "", _nth(device, index), str(SAMPLES)])
            for index, address in enumerate(addresses)
        ]
        try:
            for address, server in zip(addresses, serving, strict=True):
                _wait_for(address, server)
            for trial in _trials(tried, setup, jobs, addresses, folder, began + 60.0 * minutes):
                trials.append(trial)
                spent = time.monotonic() - began
                if len(trials) % 10 == 0 or len(trials) == len(tried):
                    print(f"{len(trials)} of {len(tried)} episodes, {spent:.0f} s", file=sys.stderr, flush=True)
        finally:
            for server in serving:
                server.terminate()
    order = {scenario: index for index, scenario in enumerate(tried)}
    trials.sort(key=lambda trial: order[trial.scenario])
    summary = {
        "policy": "the checkpoint, served in batches", "checkpoint": str(checkpoint), "seed": seed, "split": "held_out",
        "seconds": setup.seconds, "latency": setup.latency, "image": [IMAGE.height, IMAGE.width], "samples": SAMPLES,
        "score_every": SCORE_EVERY, "open_every": OPEN_EVERY, "processes": jobs,
        "wall_s": time.monotonic() - began, **summarise(trials, seed), "failures": failures(trials),
    }  # fmt: skip
    print(table(summary))
    places = [out] if out else []
    if os.environ.get("OUT"):
        places.append(Path(os.environ["OUT"]) / (out.name if out else "evaluation.json"))
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(summary, indent=1) + "\n")


def _nth(device: str, index: int) -> str:
    """The device of one of the servers: all GPUs of the machine in turn."""
    several = device == "cuda" and torch.cuda.device_count() > 1
    return f"cuda:{index % torch.cuda.device_count()}" if several else device


def _trials(
    tried: list[Scenario], setup: Setup, jobs: int, addresses: list[str], folder: str, deadline: float
) -> Iterator[Trial]:
    """As they are done, until the deadline of the monotonic clock."""
    context = multiprocessing.get_context("spawn")
    turns = context.Value("i", 0)
    pool = ProcessPoolExecutor(jobs, context, trying.start, (addresses, turns, folder, setup))
    running = [pool.submit(trying.attempt, scenario) for scenario in tried]
    try:
        for done in as_completed(running, max(0.0, deadline - time.monotonic())):
            yield done.result()
    except TimeoutError:  # what is done counts
        pass
    finally:
        workers = list((pool._processes or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        for worker in workers:  # those that are in the middle of a drive would hold the end up
            worker.terminate()


def _wait_for(address: str, server: subprocess.Popen) -> None:
    began = time.monotonic()
    while not Path(address).exists():
        if server.poll() is not None or time.monotonic() - began > START_S:
            raise RuntimeError(
                f"the serving process has not started (exit status {server.poll()}); see its message above"
            )
        time.sleep(0.2)
