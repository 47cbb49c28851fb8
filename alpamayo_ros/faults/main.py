"""`faults`: every kind of fault, from several seeds, on the real node over real DDS; a table and its JSON."""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

from alpamayo_ros.faults import disk, report, truth
from alpamayo_ros.faults.kinds import KINDS, Group
from alpamayo_ros.faults.lane import Case, domain

# Cases that one driver process goes through; then there is a fresh one.
CHUNK = 24


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="alpamayo_ros faults", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="of each kind")
    parser.add_argument("--kinds", help="comma-separated; default: all")
    parser.add_argument("--minutes", type=float, default=90.0, help="after which no further driver is started")
    parser.add_argument("--parallel", type=int, default=2, help="drivers at once")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--log", type=Path, default=Path("out/faults"), help="a folder for the drivers' logs")
    parser.add_argument("--table", type=Path, help="only print the README's block, of a folder's three reports")
    options = parser.parse_args(argv)
    if options.table:
        print(table(options.table), end="")
        return 0
    names = options.kinds.split(",") if options.kinds else list(KINDS)
    unknown = [name for name in names if name not in KINDS]
    if unknown:
        parser.error(f"no fault is called {unknown[0]!r}; there are {', '.join(KINDS)}")
    cases = list(run(names, range(1, options.seeds + 1), options.parallel, options.log, options.minutes))
    found = report.report(cases, f"python -m alpamayo_ros faults --seeds {options.seeds}")
    print(report.summary(found))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    return 1 if found["failed"] else 0


def table(folder: Path) -> str:
    """The README's block on reliability."""
    return report.markdown(*(json.loads((folder / f"{name}.json").read_text()) for name in ("faults", "soak", "fuzz")))


def run(
    names: Sequence[str], seeds: Iterable[int], parallel: int, log: Path, minutes: float = 90.0
) -> Iterator[Case]:
    """The cases as they come, all kinds of one seed before the next seed's."""
    ends = time.monotonic() + 60.0 * minutes
    log.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(parallel) as lanes:
        known = Path(folder) / "truth.npz"
        truth.draw().save(known)
        chunks = list(_chunks(names, list(seeds)))
        running = [
            lanes.submit(_chunk, group, chunk, known, log / f"{number}_{group.value}.log", number, ends)
            for number, (group, chunk) in enumerate(chunks)
        ]
        for each in running:
            yield from each.result()


def _chunks(names: Sequence[str], seeds: Sequence[int]) -> Iterator[tuple[Group, list[tuple[str, int]]]]:
    """Cases of one group and seed in an order of their own, so that faults follow each other in any order."""
    for seed, group in product(seeds, Group):
        cases = [(name, seed) for name in names if KINDS[name].group is group]
        random.Random(f"{group.value} {seed}").shuffle(cases)
        for first in range(0, len(cases), CHUNK):
            yield group, cases[first : first + CHUNK]


def _chunk(
    group: Group, cases: list[tuple[str, int]], known: Path, log: Path, number: int, ends: float
) -> list[Case]:
    if time.monotonic() > ends:
        return []
    if group is Group.REPLAY:
        return [_disk(name, seed, known) for name, seed in cases]
    lane = subprocess.Popen(
        [
            sys.executable, "-m", "alpamayo_ros.faults.lane", "--truth", str(known), "--group", group.value,
            "--cases", json.dumps(cases), "--log", str(log), "--domain", str(domain(os.getpid() + number)),
        ],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    found = []
    for line in lane.stdout:
        if line.startswith("{"):
            case = Case(**json.loads(line))
            found.append(case)
            print(f"{case.kind} {case.seed}: {case.failed or 'as it should'}", file=sys.stderr, flush=True)
    lane.wait()
    done = {(case.kind, case.seed) for case in found}
    return found + [
        Case(name, seed, KINDS[name].told.value, failed=f"not run: the lane ended with {lane.returncode}")
        for name, seed in cases
        if (name, seed) not in done
    ]


def _disk(name: str, seed: int, known: Path) -> Case:
    took, wrong = disk.full(seed, truth.load(known))
    case = Case(name, seed, KINDS[name].told.value, lasted=round(took, 2), named="File too large", failed=wrong)
    print(f"{name} {seed}: {wrong or 'as it should'}", file=sys.stderr, flush=True)
    return case


