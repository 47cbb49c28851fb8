"""How long a push and a window take, on one core, at the rates of a demanding rig."""

from __future__ import annotations

import argparse
import json
import statistics
import time

from alpamayo_ros.contract import CAMERA_ROLES, SECOND_NS
from alpamayo_ros.history import centred
from alpamayo_ros.observer import Observer
from alpamayo_ros.window import Window


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="alpamayo_ros bench observer", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="of the simulated drive")
    parser.add_argument("--camera-rate", type=float, default=30.0)
    parser.add_argument("--odometry-rate", type=float, default=400.0)
    options = parser.parse_args(argv)
    messages = []
    for role in CAMERA_ROLES:
        messages += [(k / options.camera_rate, role) for k in range(int(options.seconds * options.camera_rate))]
    messages += [(k / options.odometry_rate, "odometry") for k in range(int(options.seconds * options.odometry_rate))]
    observer, start = Observer(), 1_700_000_000 * SECOND_NS
    pushes: list[float] = []
    windows: list[float] = []
    for seconds, stream in sorted(messages):
        stamp = start + round(seconds * SECOND_NS)
        began = time.perf_counter()
        if stream == "odometry":
            outcomes = observer.push_odometry(stamp, (10 * seconds, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0), "odom", "base_link")
        else:
            outcomes = observer.push_frame(stream, stamp, b"")
        found = [outcome for outcome in outcomes if isinstance(outcome, Window)]
        for window in found:
            centred(window.poses)
        (windows if outcomes else pushes).append(time.perf_counter() - began)
    report = {
        "camera_rate": options.camera_rate,
        "odometry_rate": options.odometry_rate,
        "push_us": _spread(pushes, 1e6),
        "push_that_settles_a_window_ms": _spread(windows, 1e3),
    }
    print(json.dumps(report, indent=1))
    return 0


def _spread(seconds: list[float], scale: float) -> dict[str, float]:
    ordered = sorted(seconds)
    return {
        "count": len(ordered),
        "median": round(statistics.median(ordered) * scale, 3),
        "p99": round(ordered[int(0.99 * len(ordered))] * scale, 3),
        "max": round(ordered[-1] * scale, 3),
    }
