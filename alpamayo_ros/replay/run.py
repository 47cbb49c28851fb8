"""One bag's replay from beginning to end: set up, resume, run, and write everything that is made of it."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from alpamayo_ros.contract import REFERENCE_ROLE, SECOND_NS, Policy
from alpamayo_ros.replay import journal, outputs, shrink
from alpamayo_ros.replay.bag import Bag
from alpamayo_ros.replay.evaluate import Summary, rows
from alpamayo_ros.replay.journal import Journal
from alpamayo_ros.replay.lockstep import Lockstep
from alpamayo_ros.replay.setup import Matched, Setup, SetupError, fingerprint, match, parameters
from alpamayo_ros.report.collect import Collector

# The report shows this many ticks at most, evenly spread: all are in the tables.
REPORT_TICKS = 600
JOURNAL, RUN, METRICS, REPORT, BAG, VIDEO = (
    "journal", "run.json", "metrics.json", "report.html", "outputs", "video.mp4"
)  # fmt: skip


@dataclass(frozen=True)
class Progress:
    """How far a replay has come: the share of the bag's time, ticks so far, seconds to go (None: not known yet)."""

    share: float
    ticks: int
    remaining: float | None


Watch = Callable[[Progress], None]


def replay(setup: Setup, policy: Policy, watch: Watch = lambda progress: None) -> dict[str, Any]:
    """Replays one bag and writes its results; what an earlier, equal call has done is not done again.

    Returns:
        What metrics.json says.

    Raises:
        BagError, RigError, SetupError: what is wrong with what was given.
        OSError: the results cannot be written; what has been written stays.
    """
    with Bag(setup.bag) as bag:
        matched = match(bag, setup, str(setup.parameters.get("ego_frame", "base_link")))
        values = parameters(setup, matched.rig)
        _begin(setup)
        done = _finished(setup)
        if done is not None:
            return done
        frames, seconds = bag.counts[matched.rig.topics[REFERENCE_ROLE]], (bag.end_ns - bag.start_ns) / SECOND_NS
        stride = max(1, math.ceil(min(frames, seconds / values["plan_period"]) / REPORT_TICKS))
        lockstep = Lockstep(
            bag, matched.rig, policy, values, setup.command, setup.threads,
            shrink.pictures if setup.report else None, lambda number: number % stride == 0,
        )  # fmt: skip
        try:
            digest = _run(setup, bag, lockstep, watch)
        finally:
            lockstep.close()
    return _finish(setup, matched, values, lockstep, digest, stride)


def _begin(setup: Setup) -> None:
    """Makes the directory, and makes sure that what is in it is of the same replay."""
    asked = json.loads(json.dumps(setup.asked(), default=str))
    setup.out.mkdir(parents=True, exist_ok=True)
    path = setup.out / RUN
    if path.exists():
        before = json.loads(path.read_text())["asked"]
        if fingerprint(before) != fingerprint(asked):
            other = [key for key in asked if before.get(key) != asked[key]]
            raise SetupError(
                f"{setup.out} holds a replay that differs in {', '.join(other)}; give another --out, or --fresh"
            )
    else:
        outputs.write_json(path, {"asked": asked, "fingerprint": fingerprint(asked)})


def _finished(setup: Setup) -> dict[str, Any] | None:
    """The metrics of a replay that is there whole."""
    wanted = [METRICS] + [REPORT] * setup.report + [VIDEO] * setup.video
    if all((setup.out / name).exists() for name in wanted):
        return json.loads((setup.out / METRICS).read_text())
    return None


def _run(setup: Setup, bag: Bag, lockstep: Lockstep, watch: Watch) -> str:
    """Brings the journal to the bag's end; the hash of its results."""
    with Journal(setup.out / JOURNAL) as records:
        began, first = time.monotonic(), None
        for record in lockstep.run(records.count):
            records.append(record)
            at = (record.received_ns - bag.start_ns) / max(bag.end_ns - bag.start_ns, 1)
            first = at if first is None else first
            spent = time.monotonic() - began
            watch(Progress(at, records.count, spent * (1 - at) / (at - first) if at > first else None))
        return str(records.digest)


def _finish(
    setup: Setup, matched: Matched, values: Mapping[str, Any], lockstep: Lockstep, digest: str, stride: int
) -> dict[str, Any]:
    """Everything that is made of the journal."""
    path, summary = setup.out / JOURNAL, Summary()
    driven = lockstep.track.driven()
    report = Collector(matched.cameras, driven, stride) if setup.report else None
    for judged in outputs.write_tables(setup.out, rows(journal.read(path), driven)):
        summary.add(judged)
        if report is not None:
            report.add(judged)
    outputs.write_bag(setup.out / BAG, journal.read(path))
    remarks = list(matched.remarks) + ([lockstep.damage] if lockstep.damage not in ("", *matched.remarks) else [])
    said = {
        "bag": str(setup.bag),
        "policy": setup.policy,
        "parameters": dict(setup.parameters),
        "what_if": {"command": setup.command, "dropped": list(setup.drop)},
        "rig": dict(matched.rig.topics),
        "remarks": remarks,
        "hash": digest,
        **summary.value(),
        "latency": _latency(setup.out / JOURNAL),
    }
    if report is not None:
        report.write(setup.out / REPORT, said)
    if setup.video:
        from alpamayo_ros.report.video import write_video

        write_video(setup.out / VIDEO, setup.bag, matched, values, journal.read(path), driven)
    outputs.write_json(setup.out / METRICS, {key: value for key, value in said.items() if key != "latency"})
    return said


def _latency(path: Path) -> dict[str, float] | None:
    """Quantiles of decoding and planning together, seconds; of this machine, not of the results."""
    seconds = [sum(record.timings.get(s, 0.0) for s in ("decode", "policy")) for record in journal.read(path)
               if record.planned is not None]  # fmt: skip
    if not seconds:
        return None
    return {name: float(np.quantile(seconds, q)) for name, q in (("p50", 0.5), ("p99", 0.99))}


def forget(out: Path) -> None:
    """Removes what an earlier replay left in a directory, and nothing else."""
    shutil.rmtree(out / BAG, ignore_errors=True)
    for name in (JOURNAL, RUN, METRICS, REPORT, VIDEO, "plans.parquet", "timings.parquet"):
        (out / name).unlink(missing_ok=True)
