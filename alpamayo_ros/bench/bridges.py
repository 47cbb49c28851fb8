"""The closed loop over a stack's topics: the small world in the stack's dress, its bridge and the driver. JSON.

Every episode has processes of its own: the world, the driver and the bridge, DDS between them. Scenarios are of the
held-out splits, the families in turn. The real simulator or vehicle has no part in it.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from alpamayo_ros.bench.drive import machine, report_of
from alpamayo_ros.bridges import autoware_topics, carla_topics
from alpamayo_ros.live import options as world
from alpamayo_ros.live.topics import Topics, dress
from alpamayo_ros.paths import config
from alpamayo_ros.rig import load_rig
from alpamayo_ros.transport import use_profile
from alpamayo_ros.world import split

PYTHON = [sys.executable, "-m", "alpamayo_ros"]
ENDING = 10.0  # s, for a process that was told to end


@dataclass(frozen=True)
class Bridge:
    """A stack, by the name of its dress of the world.

    Attributes:
        commands: the processes beside the world, the driver's first, for parameters of the driver as NAME:=VALUE.
        found: what a dress has found out in a drive.
    """

    commands: Callable[[Sequence[str]], list[list[str]]]
    found: Callable[[Topics], dict] = lambda topics: {}


def _carla_commands(parameters: Sequence[str]) -> list[list[str]]:
    """As launch/carla.launch.py starts them."""
    file = ["--params-file", str(config("carla.yaml"))]
    given = [word for parameter in parameters for word in ("-p", parameter)]
    return [
        [*PYTHON, "drive", *file, *carla_topics.driver_arguments(carla_topics.ROLE), *given],
        [*PYTHON, "carla", "--ros-args", *file],
    ]


def _autoware_commands(parameters: Sequence[str]) -> list[list[str]]:
    """As launch/autoware.launch.py starts them."""
    file = ["--params-file", str(config("autoware.yaml"))]
    given = [word for parameter in ("use_sim_time:=true", *parameters) for word in ("-p", parameter)]
    driver, bridge = autoware_topics.arguments("autoware", load_rig(config("rig_example.yaml")))
    return [
        [*PYTHON, "drive", *file, *given, *driver],
        [*PYTHON, "autoware", "--ros-args", *file, "-p", "use_sim_time:=true", *bridge],
    ]


def _measured(topics: Topics) -> dict:
    """Trajectories that were heard, and those of them that broke a condition of Autoware's validator, by its name."""
    return {"measured": dict(topics.measured)}


BRIDGES = {
    "autoware": Bridge(_autoware_commands, _measured),
    "carla": Bridge(_carla_commands),
}


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="alpamayo_ros bench bridges", description=__doc__)
    parser.add_argument("--bridge", choices=list(BRIDGES), required=True, help="whose topics")
    parser.add_argument("--episodes", type=int, default=20, help="one after the other")
    parser.add_argument("-p", "--param", action="append", default=[], help="a parameter of the driver, NAME:=VALUE")
    parser.add_argument("--json", type=Path, help="write the report here as well")
    world.add(parser)
    parser.set_defaults(seconds=15.0, no_film=True)
    options = parser.parse_args(argv)
    world.check(parser, options)
    if options.episodes < 1:
        parser.error(f"--episodes is {options.episodes}; it is one or more")
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    os.environ.setdefault("ROS_DOMAIN_ID", str(1 + os.getpid() % 100))
    use_profile()
    # A process for each world: rclpy, DDS and its shared memory begin and end with the episode.
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        episodes = list(pool.imap(episode, _asked(options)))
    report = report_on(options, episodes)
    text = json.dumps(report, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")
    return 0 if all(each.get("plans") for each in episodes) else 1


def episode(options: argparse.Namespace) -> dict:
    """One drive in numbers; "failed" says why there was none, and the others go on."""
    named = {"scenario": f"{options.scenario} {options.seed}"}
    try:
        return {**named, **_driven(options)}
    except Exception as error:
        traceback.print_exc()
        return {**named, "failed": f"{type(error).__name__}: {error}", "plans": 0}


def _driven(options: argparse.Namespace) -> dict:
    from alpamayo_ros.live.node import run

    bridge = BRIDGES[options.bridge]
    with running(bridge.commands(options.param)) as processes:
        topics = dress(options.bridge)
        account = run(options, [], lambda: all(each.poll() is None for each in processes), topics)
        codes = [each.poll() for each in processes]
    if account is None or not account.heard or any(code is not None for code in codes):
        plans = 0 if account is None else len(account.heard)
        return {"failed": f"{plans} plans; exit codes of the driver and its bridge: {codes}", "plans": 0}
    a_second = {topic: round(count / account.driven, 2) for topic, count in account.messages.items()}
    return {**report_of(account), "messages_heard_per_s": a_second, **bridge.found(topics)}


@contextmanager
def running(commands: list[list[str]]) -> Iterator[list[subprocess.Popen]]:
    """These processes, ended afterwards."""
    processes = [subprocess.Popen(command) for command in commands]
    try:
        yield processes
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            try:
                process.wait(ENDING)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                print(f"{' '.join(process.args)} did not end within {ENDING:.0f} s; killed", file=sys.stderr)


def report_on(options: argparse.Namespace, episodes: list[dict]) -> dict:
    """All episodes, and what they come to together."""
    driven = [each for each in episodes if "failed" not in each]
    driving = [each["driving"] for each in driven]
    return {
        "machine": machine(),
        "bridge": options.bridge,
        "image_size": [options.image_size.height, options.image_size.width],
        "seconds": options.seconds,
        "real_time_factor": options.real_time_factor,
        "episodes": len(episodes),
        "failed": len(episodes) - len(driven),
        "driven_s": round(sum(each["driven_s"] for each in driven), 1),
        "progress_m": round(sum(each["progress_m"] for each in driving), 1),
        "plans_per_s": _middle([each["plans_per_s"] for each in driven]),
        "tick_ms_p50": _middle([each["tick_ms"]["p50"] for each in driven]),
        "plan_age_ms_p95": _middle([each["plan_age_ms"]["p95"] for each in driven]),
        "off_road": sum(each["off_road"] for each in driving),
        "collisions": sum(bool(each["collided_with"]) for each in driving),
        "collisions_at_fault": sum(each["at_fault"] for each in driving),
        "red_light_runs": sum(each["red_light_runs"] for each in driving),
        "drives": episodes,
    }


def _asked(options: argparse.Namespace) -> list[argparse.Namespace]:
    """The options of each episode: those given, or where no scenario is, the held-out ones in turn."""
    drawn = islice(split.scenarios(None), options.episodes)
    asked = []
    for number, scenario in enumerate(drawn):
        each = copy(options)
        if options.scenario is None:
            each.scenario, each.seed = scenario.family.value, scenario.seed
        else:
            each.seed = options.seed + number
        asked.append(each)
    return asked


def _middle(values: list[float]) -> float | None:
    return round(float(np.median(values)), 2) if values else None
