"""How fast the small world draws and steps on one core: frames at several sizes over all scenario families. JSON.

CPU time, so that other work on the machine does not count. Medians over instants of drives by the rule driver; a set
is the rig's four cameras at one instant.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time

import cv2

from alpamayo_ros.contract import CAMERA_ROLES
from alpamayo_ros.world.closed_loop import Tick, run
from alpamayo_ros.world.episode import STEP_S, Cameras, Episode, Size
from alpamayo_ros.world.oracle import OraclePolicy, label
from alpamayo_ros.world.scenario import Family, draw
from alpamayo_ros.world.vehicle import Control

SIZES = (Size(96, 160), Size(128, 224), Size(320, 576), Size(1080, 1920))
EVERY = 10  # ticks between two measured instants
LABELS = 50


def _instants(family: Family, seed: int, seconds: float) -> tuple[Episode, list[Tick]]:
    episode = Episode(draw(family, seed))
    ticks: list[Tick] = []
    run(episode, OraclePolicy(episode), seconds, on_tick=ticks.append)
    return episode, ticks[::EVERY]


def _drawing(size: Size, drives: list[tuple[Episode, list[Tick]]]) -> dict[str, float]:
    sets = []
    for episode, ticks in drives:
        cameras = Cameras(episode.scene, size)
        for role in CAMERA_ROLES:  # tables are made with the first frame
            cameras.render(role, ticks[0].snapshot)
        for tick in ticks:
            start = time.process_time()
            for role in CAMERA_ROLES:
                cameras.render(role, tick.snapshot)
            sets.append(time.process_time() - start)
    ranked = sorted(sets)
    return {
        "set_ms_p50": 1e3 * statistics.median(sets),
        "set_ms_p95": 1e3 * ranked[int(0.95 * (len(ranked) - 1))],
        "frames_per_second": len(CAMERA_ROLES) * len(sets) / sum(sets),
        "sets": len(sets),
    }


def _stepping(seconds: float) -> dict[str, float]:
    episode = Episode(draw(Family.LIGHT_QUEUE, 0))
    start = time.process_time()
    steps = int(seconds / STEP_S)
    for _ in range(steps):
        episode.step(Control(0.0, 0.0))
    stepped = time.process_time() - start
    labelled = 0.0
    for _ in range(LABELS):
        episode.step(Control(0.0, 0.0))
        start = time.process_time()
        label(episode.scene, episode.snapshot)
        labelled += time.process_time() - start
    return {"step_us": 1e6 * stepped / steps, "label_ms": 1e3 * labelled / LABELS}


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="alpamayo_ros bench world", description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=12.0, help="of driving a family")
    options = parser.parse_args(argv)
    cv2.setNumThreads(1)
    drives = [_instants(family, options.seed, options.seconds) for family in Family]
    result = {
        "machine": platform.processor() or platform.machine(),
        "opencv": cv2.__version__,
        "sizes": {f"{size.height}x{size.width}": _drawing(size, drives) for size in SIZES},
        **_stepping(options.seconds),
    }
    json.dump(result, sys.stdout, indent=2)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
