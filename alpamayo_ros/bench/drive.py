"""The whole closed loop on this machine: world and follower in one process, the driver in another, DDS between. JSON.

A tick is decoding, the policy and publishing, by the driver's own clock; `last_image_to_plan` is from a tick's last
camera message going out to its plan's arrival, by the world's.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from pathlib import Path

import numpy as np

from alpamayo_ros.demo import driving
from alpamayo_ros.live import options as world
from alpamayo_ros.live.telling import Account
from alpamayo_ros.transport import use_profile


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="alpamayo_ros bench drive", description=__doc__)
    parser.add_argument("--policy", help="what plans (default: as config/driver.yaml says)")
    parser.add_argument("--checkpoint", help="the policy's checkpoint")
    parser.add_argument("-p", "--param", action="append", default=[], help="a parameter of the driver, NAME:=VALUE")
    parser.add_argument("--json", type=Path, help="write the report here as well")
    world.add(parser)
    parser.set_defaults(seconds=60.0, no_film=True, scenario="traffic_light")
    options = parser.parse_args(argv)
    world.check(parser, options)
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))
    use_profile()
    from alpamayo_ros.live.node import run

    began = time.perf_counter()
    with driving({}, options) as process:
        account = run(options, [], lambda: process.poll() is None)
        driver_cpu = cpu_seconds(process.pid)
    if account is None or not account.heard:
        return 1
    wall = time.perf_counter() - began
    report = {
        "machine": machine(),
        "scenario": f"{world.scenario(options).family.value} {options.seed}",
        "image_size": [options.image_size.height, options.image_size.width],
        "real_time_factor": options.real_time_factor,
        **report_of(account),
        "cpu_share": {"driver": round(driver_cpu / wall, 3), "world": round(time.process_time() / wall, 3)},
    }
    text = json.dumps(report, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")
    return 0


def machine() -> dict:
    """What this ran on."""
    return {"cpus": os.cpu_count(), "processor": _processor(), "python": platform.python_version()}


def report_of(account: Account) -> dict:
    """A drive in numbers: latencies in milliseconds, the rest in world seconds."""
    verdict = account.verdict
    return {
        "driven_s": round(account.driven, 2),
        "plans": len(account.heard),
        "plans_per_s": round(account.plans_a_second, 3),
        "tick_ms": {name: round(1e3 * value, 1) for name, value in zip(("p50", "p95"), account.tick, strict=True)},
        "last_image_to_plan_ms": _spread([plan.since_images for plan in account.heard]),
        "plan_age_ms": _spread([plan.age for plan in account.heard]),
        "stages_ms": {name: round(1e3 * seconds, 2) for name, seconds in account.stages.items()},
        "slowed_s": round(account.slipped, 2),
        "braked_for_want_of_a_plan_s": round(account.stale_for, 2),
        "driving": {
            "off_road": verdict.off_road, "collided_with": verdict.collided_with, "at_fault": verdict.at_fault,
            "red_light_runs": verdict.red_light_runs, "progress_m": round(verdict.progress, 1),
        },
    }  # fmt: skip


def cpu_seconds(pid: int) -> float:
    """User and system seconds of a process so far (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _spread(seconds) -> dict[str, float]:
    values = 1e3 * np.asarray(seconds)
    return {"p50": round(float(np.median(values)), 1), "p95": round(float(np.percentile(values, 95)), 1)}


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
