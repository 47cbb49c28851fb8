"""`python -m alpamayo_ros bench tiny`: how long a tick of the small model takes on PyTorch and on ONNX Runtime.

Both plan on the same consecutive ticks of a held-out drive, one sample, greedy; features of images that a tick shares
with the one before are kept where the policy keeps them, as in a drive.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from alpamayo_ros import paths, policies
from alpamayo_ros.contract import Observation, Policy
from alpamayo_ros.world.closed_loop import run
from alpamayo_ros.world.episode import Cameras, Episode, Size
from alpamayo_ros.world.oracle import OraclePolicy
from alpamayo_ros.world.scenario import Family
from alpamayo_ros.world.split import Split, scenarios

IMAGE = Size(96, 192)
WARM_UP = 5


def main(argv: Sequence[str]) -> int:
    """Runs the bench, prints it as JSON and writes it to a file where asked."""
    options = _parser().parse_args(argv)
    cv2.setNumThreads(1)
    seen = observations(options.ticks + WARM_UP)
    report: dict[str, Any] = {
        "machine": {"cores": os.cpu_count(), "load_before": round(os.getloadavg()[0], 2)},
        "ticks": options.ticks,
        "threads": options.threads,
    }
    if find_spec("onnxruntime"):
        report["onnx"] = _timed(policies.load("onnx", threads=options.threads), seen)
    if find_spec("torch"):
        import torch

        torch.set_num_threads(options.threads)
        chosen = {"device": options.device, "dtype": options.dtype, "engine": options.engine}
        vla = policies.load("vla", checkpoint=str(paths.model("tiny")), temperature=0.0, flow_steps=5, **chosen)
        report["torch"] = chosen | _timed(vla, seen)
    text = json.dumps(report, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")
    return 0


def observations(count: int) -> list[Observation]:
    """Consecutive ticks of the rule driver's drive towards a light."""
    episode = Episode(next(scenarios(Split.HELD_OUT_SEED, (Family.TRAFFIC_LIGHT,))))
    seen: list[Observation] = []
    cameras = Cameras(episode.scene, IMAGE)
    run(
        episode, OraclePolicy(episode), 0.1 * count, cameras=cameras, on_tick=lambda tick: seen.append(tick.observation)
    )
    return seen[:count]


def _timed(policy: Policy, seen: Sequence[Observation]) -> dict[str, float]:
    """Milliseconds of wall clock and of processor time a tick; the first ticks only warm up."""
    walls, cores = [], []
    for observation in seen:
        wall, core = time.perf_counter(), time.process_time()
        policy(observation)
        walls.append(1e3 * (time.perf_counter() - wall))
        cores.append(1e3 * (time.process_time() - core))
    p50, p95 = np.percentile(walls[WARM_UP:], [50, 95])
    return {
        "p50_ms": round(p50, 1), "p95_ms": round(p95, 1), "least_ms": round(min(walls), 1),
        "processor_ms": round(float(np.median(cores[WARM_UP:])), 1),
    }  # fmt: skip


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="alpamayo_ros bench tiny", description=__doc__.partition("\n")[0])
    parser.add_argument("--ticks", type=int, default=60)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu", help="of PyTorch")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--engine", default="auto", help="preset of the real-time engine, or 'plain'")
    parser.add_argument("--json", type=Path)
    return parser
