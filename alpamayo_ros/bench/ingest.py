"""What camera frames cost on their way to a tick: our driver beside a straightforward node, cameras in a third process.

Four 1920x1080 cameras and 100 Hz odometry. One contender is our driver with a policy that checksums all sixteen
decoded images of each tick against those that were sent: nothing lost, nothing wrong. The others plan with the
baseline, so that what is compared is the way of the frames. The floor takes the same streams as bytes through rclpy and
does nothing with them. All take turns in one run: a noisy machine is noisy for all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
from pathlib import Path

from alpamayo_ros.transport import VARIABLE, profile

# (receiver, policy, transport): ours and the floor always with our profile; the straightforward node with both.
OURS, CHECKED = ("driver", "baseline", "profile"), ("driver", "checksum", "profile")
FLOOR = ("floor", "baseline", "profile")
CONTENDERS = (
    OURS, CHECKED, ("straightforward", "baseline", "profile"), ("straightforward", "baseline", "default"), FLOOR
)  # fmt: skip


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="alpamayo_ros bench ingest", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each run")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each contender and case")
    parser.add_argument("--cases", default="jpeg:10,jpeg:30,rgb8:10", help="ENCODING:HZ, comma-separated, or none")
    parser.add_argument("--soak-minutes", type=float, default=0.0, help="a long run of our driver, for its memory")
    parser.add_argument("--json", type=Path, help="write the report here as well")
    options = parser.parse_args(argv)
    cases = [(encoding, int(rate)) for encoding, rate in (case.split(":") for case in options.cases.split(",") if case)]
    report = {"machine": {"cpus": os.cpu_count(), "python": platform.python_version()}, "cases": []}
    for encoding, rate in cases:
        report["cases"].append(_case(encoding, rate, options.seconds, options.rounds))
    if options.soak_minutes:
        report["soak"] = _soak(60 * options.soak_minutes)
    text = json.dumps(report, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")
    return 0


def _case(encoding: str, rate: int, seconds: float, rounds: int) -> dict:
    """All contenders in turn, `rounds` times; medians over the rounds, and the ratios round by round."""
    runs: dict[tuple[str, str, str], list[dict]] = {contender: [] for contender in CONTENDERS}
    for number in range(rounds):
        for contender in CONTENDERS:
            print(f"{encoding} {rate} Hz, round {number + 1}: {' '.join(contender)}", file=sys.stderr, flush=True)
            runs[contender].append(run(*contender, encoding, rate, seconds))
    ours = runs[OURS]
    case: dict = {"encoding": encoding, "rate": rate, "seconds": seconds, "rounds": rounds}
    for contender, results in runs.items():
        row = {key: statistics.median(r[key] for r in results) for key in ("cpu_ms_per_frame", "frames_received")}
        row["frames_sent"] = results[0]["frames_sent"]
        row["frames_lost"] = [r["frames_sent"] - r["frames_received"] for r in results]
        if contender != FLOOR:
            row["latency_ms"] = {q: _median([r["latency_ms"][q] for r in results]) for q in results[0]["latency_ms"]}
        row["publishing_ms"] = _median([r["publishing_ms"] for r in results])
        if contender == CHECKED:
            row |= {key: sum(r[key] for r in results) for key in ("ticks", "images_checked", "images_wrong")}
        elif contender != OURS:
            row["our_cpu_ratio"] = _median(
                [o["cpu_ms_per_frame"] / r["cpu_ms_per_frame"] for o, r in zip(ours, results, strict=True)]
            )
        if contender not in (OURS, CHECKED, FLOOR):
            row["our_p50_ratio"] = _median(
                [
                    o["latency_ms"]["p50"] / r["latency_ms"]["p50"]
                    for o, r in zip(ours, results, strict=True)
                    if r["latency_ms"]["p50"]
                ]
            )
        case[" ".join(contender)] = row
    return case


def _median(values: list[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return round(statistics.median(present), 3) if present else None


def _soak(seconds: float) -> dict:
    """Our driver for a long time: its memory after the first minute, and what it lost."""
    result = run(*CHECKED, "jpeg", 10, seconds)
    memory = result["memory_mb"]
    after = memory[60:]
    return {
        "seconds": seconds,
        "frames_lost": result["frames_sent"] - result["frames_received"],
        "images_wrong": result["images_wrong"],
        "memory_mb_after_first_minute": after[0] if after else None,
        "memory_mb_at_end": after[-1] if after else None,
        "drift_mb": round(statistics.median(after[-20:]) - statistics.median(after[:20]), 2) if after else None,
        "memory_mb_every_30s": memory[::30],
        "latency_ms": result["latency_ms"],
    }


def run(receiver: str, policy: str, transport: str, encoding: str, rate: int, seconds: float) -> dict:
    """One receiver and one rig on a domain of their own; both reports in one."""
    environment = {
        **os.environ,
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "ROS_DOMAIN_ID": str(1 + os.getpid() % 100),
    }
    environment.pop(VARIABLE, None)
    if transport == "profile":
        environment[VARIABLE] = str(profile())
    feed = ["--encoding", encoding, "--rate", str(rate)]
    python = [sys.executable, "-m"]
    receiving = subprocess.Popen(
        [*python, "alpamayo_ros.bench.ingest_receivers", receiver, *feed, "--policy", policy],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment,
    )  # fmt: skip
    try:
        sending = subprocess.run(
            [*python, "alpamayo_ros.bench.ingest_rig", *feed, "--seconds", str(seconds)],
            stdout=subprocess.PIPE, text=True, env=environment, check=True,
        )  # fmt: skip
    finally:
        receiving.send_signal(signal.SIGTERM)
        output, _ = receiving.communicate(timeout=30)
    return json.loads(output.splitlines()[-1]) | json.loads(sending.stdout.splitlines()[-1])
