"""`soak`: one driver through random faults for a long time; no crash, no wrong plan, no leak, and plans in between.

Between two faults the driver has a while without any: of the ticks of those whiles, from the first plan on, the share
that published is counted.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from alpamayo_ros.contract import PLAN_PERIOD_NS
from alpamayo_ros.faults import truth
from alpamayo_ros.faults.kinds import KINDS, Group
from alpamayo_ros.faults.lane import STARTING, Case, Lane, domain
from alpamayo_ros.faults.report import machine

# How long there is no fault between two (s), and what at its end is too young to have been planned.
CALM, TAIL_NS = (3.0, 6.0), 500_000_000


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="alpamayo_ros soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--group", choices=[g.value for g in Group if g is not Group.REPLAY], default="plain")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--log", type=Path, default=Path("out/soak.log"))
    options = parser.parse_args(argv)
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    os.environ.setdefault("ROS_DOMAIN_ID", str(domain(os.getpid())))
    options.log.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        known = Path(folder) / "truth.npz"
        truth.draw().save(known)
        found = soak(Group(options.group), known, options.log, options.minutes, options.seed)
    found = {"command": f"python -m alpamayo_ros soak --minutes {options.minutes:g} --seed {options.seed}", **found}
    text = json.dumps(found, indent=1)
    print(json.dumps({name: value for name, value in found.items() if name != "every_case"}, indent=1))
    if options.json:
        options.json.write_text(text + "\n")
    return 1 if found["failed"] else 0


def soak(group: Group, known: Path, log: Path, minutes: float, seed: int) -> dict[str, Any]:
    """Faults of one group until the time is over; the report."""
    rng = random.Random(seed)
    kinds = [kind for kind in KINDS.values() if kind.group is group]
    lane = Lane(group, known, log)
    cases: list[Case] = []
    ticks = planned = 0
    memory: list[float] = []
    began = time.monotonic()
    try:
        lane.wait_until_planning(STARTING)
        process = psutil.Process(lane.driver.pid)
        while time.monotonic() - began < 60.0 * minutes and lane.driver.poll() is None:
            due, came = _calm(lane, rng.uniform(*CALM))
            ticks, planned = ticks + due, planned + came
            cases.append(lane.run(rng.choice(kinds), rng.randrange(1 << 30)))
            memory.append(process.memory_info().rss / 2**20 if lane.driver.poll() is None else 0.0)
            print(f"{cases[-1].kind}: {cases[-1].failed or 'as it should'}", file=sys.stderr, flush=True)
    finally:
        crashed = lane.driver.poll() is not None
        lane.close()
    failed = [case for case in cases if case.failed]
    first, last = np.array_split(np.array(memory), 4)[1], np.array_split(np.array(memory), 4)[-1]
    return {
        "machine": machine(),
        "minutes": round((time.monotonic() - began) / 60.0, 1),
        "faults": len(cases),
        "kinds": len({case.kind for case in cases}),
        "crashed": crashed,
        "failed": len(failed) + crashed,
        "failures": [f"{case.kind} {case.seed}: {case.failed}" for case in failed],
        "plans_on_bad_input": sum(case.wrong_plans for case in cases if case.told != "no"),
        "fault_free_ticks": ticks,
        "fault_free_ticks_planned": planned,
        "share": round(planned / ticks, 4) if ticks else None,
        "memory_mb_second_quarter": round(float(np.median(first)), 1) if first.size else None,
        "memory_mb_last_quarter": round(float(np.median(last)), 1) if last.size else None,
        "memory_mb": [round(value, 1) for value in memory],
        "threads": [cases[0].threads[0], cases[-1].threads[1]] if cases else None,
        "every_case": [asdict(case) for case in cases],
    }


def _calm(lane: Lane, seconds: float) -> tuple[int, int]:
    """A while without a fault, from a plan on: how many ticks there were in it, and how many were planned."""
    if not lane.wait_until_planning(8.0):
        return 0, 0
    since = time.monotonic()
    first = lane.ears.plans[-1].t0_ns
    time.sleep(seconds)
    end = lane.order(say="")["stamp"] - TAIL_NS
    ticks = max(0, (end - first) // PLAN_PERIOD_NS)
    t0s = {plan.t0_ns for plan in list(lane.ears.plans) if first < plan.t0_ns <= end and plan.at >= since}
    return ticks, min(len(t0s), ticks)
