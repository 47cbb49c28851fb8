"""`convert world`: drives episodes of the small world with the rule driver and writes each as a bag.

Besides what a vehicle records, a bag has the rule driver's reasons on /truth/cause, at the bag's times.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from alpamayo_ros.contract import CAMERA_ROLES
from alpamayo_ros.world.bags import FULL_HD, UNEVEN, record
from alpamayo_ros.world.episode import Size, Timing
from alpamayo_ros.world.scenario import Family, draw


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="alpamayo_ros convert world", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="directory of the bags")
    parser.add_argument("--family", action="append", choices=[f.value for f in Family], help="default: all")
    parser.add_argument("--seeds", default="0", help="FIRST or FIRST-LAST")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each episode")
    parser.add_argument("--height", type=int, default=FULL_HD.height, help="of the pictures, which are 16:9")
    parser.add_argument("--even", action="store_true", help="all cameras at 10 Hz without jitter")
    parser.add_argument("--jobs", type=int, default=1, help="episodes at a time")
    options = parser.parse_args(argv)
    first, _, last = options.seeds.partition("-")
    if not (first.isdigit() and (last or first).isdigit()):
        parser.error(f"--seeds {options.seeds}: say 3 or 0-19")
    families = options.family or [family.value for family in Family]
    todo = [(family, seed) for family in families for seed in range(int(first), int(last or first) + 1)]
    taken = [name(*each) for each in todo if (options.out / name(*each)).exists()]
    if taken:
        print(f"convert: {options.out / taken[0]} exists already; give another --out", file=sys.stderr)
        return 2
    options.out.mkdir(parents=True, exist_ok=True)
    size = Size(options.height, options.height * 16 // 9)
    with ProcessPoolExecutor(options.jobs) as pool:
        jobs = [pool.submit(convert, options.out, *each, options.seconds, size, options.even) for each in todo]
        for job in jobs:
            print(job.result(), flush=True)
    return 0


def name(family: str, seed: int) -> str:
    return f"{family}_{seed:03d}"


def convert(out: Path, family: str, seed: int, seconds: float, size: Size, even: bool) -> Path:
    """One episode's bag."""
    timings = dict.fromkeys(CAMERA_ROLES, Timing()) if even else UNEVEN
    return record(out / name(family, seed), draw(family, seed), seconds, timings, size)
