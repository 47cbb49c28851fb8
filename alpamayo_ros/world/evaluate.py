"""`evaluate-world`: a policy's drives and reasons over held-out scenarios of the small world, beside the rule driver.

The same policy, episodes and seed give the same numbers with any number of jobs: each scenario is tried by itself,
after `policy.reset()`, and the results are put together in the scenarios' order.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import cv2

from alpamayo_ros.contract import Policy
from alpamayo_ros.policies.options import named
from alpamayo_ros.world.episode import Size
from alpamayo_ros.world.report import failures, summarise
from alpamayo_ros.world.scenario import Family, Scenario
from alpamayo_ros.world.split import Split, scenarios
from alpamayo_ros.world.table import table
from alpamayo_ros.world.trial import Setup, Trial, run_trial

ORACLE = "oracle"
BLIND = (ORACLE, "baseline")  # policies that look at no image: nothing is drawn for them
_worker: dict[str, Any] = {}


def main(argv: list[str]) -> int:
    options = _parser().parse_args(argv)
    families = tuple(Family(name) for name in options.family) or tuple(Family)
    split = None if options.split == "held_out" else Split(options.split)
    tried = list(islice(scenarios(split, families, options.seed), options.episodes))
    setup = Setup(options.seconds, options.latency, Size(options.height, options.width), options.open_every)
    policy_options = dict(named(text) for text in options.option)
    started = time.monotonic()
    trials = []
    for trial in evaluate(options.policy, policy_options, tried, setup, options.jobs):
        trials.append(trial)
        _show_progress(len(trials), len(tried), time.monotonic() - started)
    summary = {
        "policy": options.policy,
        "options": policy_options,
        "seed": options.seed,
        "split": options.split,
        "seconds": setup.seconds,
        "latency": setup.latency,
        "image": [setup.size.height, setup.size.width],
        "machine": f"{_processor()}, {os.cpu_count()} cores, {options.jobs} processes",
        "wall_s": round(time.monotonic() - started, 1),
        **summarise(trials, options.seed),
        "failures": failures(trials),
    }
    print(table(summary))
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(summary, indent=1) + "\n")
    return 0


def evaluate(
    policy: str, policy_options: dict[str, Any], tried: Sequence[Scenario], setup: Setup, jobs: int = 1
) -> Iterator[Trial]:
    """Trials of a policy by name, in the order of `tried`, on `jobs` processes."""
    if jobs <= 1:
        _start(policy, policy_options, setup)
        yield from map(_try, tried)
        return
    # Spawned, not forked: a policy's own threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with context.Pool(jobs, _start, (policy, policy_options, setup)) as pool:
        yield from pool.imap(_try, tried)


def _start(policy: str, policy_options: dict[str, Any], setup: Setup) -> None:
    """Loads the policy once in each process."""
    cv2.setNumThreads(1)
    _worker.update(policy=_load(policy, policy_options), setup=setup, draws=policy not in BLIND)


def _processor() -> str:
    """The processor's name, where the system tells it."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text().splitlines() if told.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _load(policy: str, policy_options: dict[str, Any]) -> Policy | None:
    if policy == ORACLE:
        return None
    from alpamayo_ros.policies import load

    return load(policy, **policy_options)


def _try(scenario: Scenario) -> Trial:
    return run_trial(scenario, _worker["policy"], _worker["setup"], _worker["draws"])


def _show_progress(done: int, total: int, elapsed: float) -> None:
    left = elapsed / done * (total - done)
    end = "\n" if done == total else "\r"
    if sys.stderr.isatty() or done == total or done % 10 == 0:
        print(f"{done} of {total} episodes, about {left:.0f} s left   ", end=end, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="alpamayo_ros evaluate-world", description=__doc__)
    parser.add_argument("--policy", default="onnx", help="a name that policies.load knows, or oracle (the rule driver)")
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="of the policy; repeatable")
    parser.add_argument("--episodes", type=int, default=44)
    parser.add_argument("--seed", type=int, default=0, help="first scenario seed, and the bootstrap's")
    parser.add_argument("--split", default="held_out", choices=["held_out", *(split.value for split in Split)])
    parser.add_argument("--family", action="append", default=[], choices=[family.value for family in Family])
    parser.add_argument("--seconds", type=float, default=30.0, help="of driving an episode")
    parser.add_argument("--latency", type=float, default=0.1, help="seconds from t0 until a plan is followed")
    parser.add_argument("--height", type=int, default=96, help="of the images, pixels; the small model's own")
    parser.add_argument("--width", type=int, default=192)
    parser.add_argument("--open-every", type=int, default=10, help="ticks between two open-loop questions")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--json", type=Path, help="write everything here")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
