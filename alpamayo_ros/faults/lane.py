"""One driver and one feed on a domain of their own: fault after fault, each judged. A process; a JSON line a case.

    python -m alpamayo_ros.faults.lane --truth FILE --group plain --cases '[["camera_dead", 1], ...]'
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from alpamayo_ros.faults import acts, oracle, truth
from alpamayo_ros.faults.ears import Ears
from alpamayo_ros.faults.kinds import KINDS, Group, Kind, Told

# Bounds (s).
NAMED_WITHIN, BACK_WITHIN = 1.0, 2.5
# How long a driver may take to plan after a fault before the case is given up, and to plan quietly before one.
PATIENCE, STARTING = 8.0, 60.0
# A policy that hangs gives its thread back after ten seconds.
THREADS_BACK = 12.0
MEMORY_MB = 48.0
# What nobody has noticed is in the history for as long as that is (s); the next fault is not to be blamed for it.
UNTOLD_LINGERS = 2.0
PARAMETERS = {
    Group.PLAIN: {"policy": "fake"},
    Group.RAW: {"policy": "fake", "image_transport": "raw"},
    Group.MAP: {"policy": "fake", "output_frame": "map"},
    Group.SIMULATED: {"policy": "fake", "use_sim_time": "true"},
    Group.MODEL: {"policy": "onnx"},
}
# So that a policy that hangs is named within the bound; the default gives a big model ten seconds.
POLICY_TIMEOUT = "0.5"


@dataclass
class Case:
    """What came of one fault. Seconds; None where it did not come."""

    kind: str
    seed: int
    told: str
    lasted: float = 0.0
    named: str | None = None
    named_after: float | None = None
    wrong_plans: int = 0
    wrong: str = ""
    plans: int = 0
    back_after: float | None = None
    threads: tuple[int, int] = (0, 0)
    memory_mb: tuple[float, float] = (0.0, 0.0)
    failed: str = ""


class Lane:
    """The processes of one group of faults."""

    def __init__(self, group: Group, known: Path, log: Path):
        self.group, self.known_path, self.known = group, known, truth.load(known)
        self._log = log.open("ab")
        self.ears = Ears()
        self.feed = self._start_feed()
        self.driver = self._start_driver()

    def wait_until_planning(self, patience: float) -> bool:
        """Until plans flow and nothing has been refused for a second; False where that does not come."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline and self.driver.poll() is None:
            now = time.monotonic()
            last = self.ears.told[-1] if self.ears.told else None
            quiet = last is not None and last.at > now - 1.2 and last.names <= {"planning", "all streams"}
            if quiet and sum(plan.at > now - 1.0 for plan in self.ears.plans) >= 3:
                return True
            time.sleep(0.05)
        return False

    def order(self, **what: Any) -> dict[str, Any]:
        """Tells the feed; its answer."""
        self.feed.stdin.write(json.dumps(what) + "\n")
        self.feed.stdin.flush()
        return json.loads(self.feed.stdout.readline())

    def restart_feed(self) -> None:
        """New sensors in place of the old ones, that have been ended."""
        self.feed.wait()
        self.feed = self._start_feed()

    def run(self, kind: Kind, seed: int) -> Case:
        """One fault, from a driver that plans to one that plans again."""
        case = Case(kind.name, seed, kind.told.value)
        self.ears.forget()
        if not self.wait_until_planning(STARTING):
            case.failed = "the driver did not plan before the fault"
            return case
        rng = random.Random(f"{kind.name} {seed}")
        process = psutil.Process(self.driver.pid)
        threads, memory = process.num_threads(), process.memory_info().rss / 2**20
        lasts = rng.uniform(*kind.lasts)
        done = self._spoil(kind, seed, lasts) if kind.spoil else acts.ACTS[kind.name](self, rng, lasts)
        self._wait_back(done)
        if self.driver.poll() is not None:
            case.failed = f"the driver ended with {self.driver.returncode}"
            return case
        self._judge(case, kind, done)
        case.threads = threads, self._settled(process.num_threads, threads)
        case.memory_mb = round(memory, 1), round(process.memory_info().rss / 2**20, 1)
        case.failed = case.failed or verdict(case)
        if kind.told is Told.NO:
            time.sleep(UNTOLD_LINGERS)
        return case

    def close(self) -> None:
        for process, order in ((self.feed, {"quit": True}), (self.driver, None)):
            with suppress(OSError, ValueError):
                if order is None:
                    process.terminate()
                else:
                    process.stdin.write(json.dumps(order) + "\n")
                    process.stdin.flush()
            with suppress(subprocess.TimeoutExpired):
                process.wait(10.0)
            if process.poll() is None:
                process.kill()
        self.ears.close()
        self._log.close()

    def _spoil(self, kind: Kind, seed: int, lasts: float) -> acts.Done:
        began = self.order(begin=kind.spoil, seed=seed)
        time.sleep(lasts)
        ended = self.order(end=True)
        return acts.Done(began["began"], ended["ended"], ended["stamp"], began["about"])

    def _wait_back(self, done: acts.Done) -> None:
        deadline = done.ended + PATIENCE
        while time.monotonic() < deadline and oracle.back(list(self.ears.plans), done.stamp_ns, done.ended) is None:
            time.sleep(0.02)
        time.sleep(0.3)

    def _judge(self, case: Case, kind: Kind, done: acts.Done) -> None:
        plans, told = list(self.ears.plans), list(self.ears.told)
        case.lasted = round(done.ended - done.began, 2)
        found = oracle.named(told, [each.value for each in kind.names], done.about, done.named_from or done.began)
        if found is not None:
            case.named_after, case.named = round(found[0], 3), found[1]
        since = [plan for plan in plans if plan.at >= done.began]
        case.plans = sum(plan.at < done.ended for plan in since)
        wrongs = [what for what in (oracle.wrong(plan, self.known) for plan in since) if what]
        case.wrong_plans, case.wrong = len(wrongs), wrongs[0] if wrongs else ""
        after = oracle.back(plans, done.stamp_ns, done.ended)
        case.back_after = None if after is None else round(after, 3)
        case.failed = done.failed

    def _settled(self, value: Callable[[], int], wanted: int) -> int:
        deadline = time.monotonic() + THREADS_BACK
        while value() > wanted and time.monotonic() < deadline:
            time.sleep(0.1)
        return value()

    def _start_feed(self) -> subprocess.Popen:
        flags = ["--raw"] * (self.group is Group.RAW) + ["--simulated"] * (self.group is Group.SIMULATED)
        feed = subprocess.Popen(
            [sys.executable, "-m", "alpamayo_ros.faults.feed", "--truth", str(self.known_path), *flags],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True,
        )  # fmt: skip
        json.loads(feed.stdout.readline())
        return feed

    def _start_driver(self) -> subprocess.Popen:
        values = {**PARAMETERS[self.group], "policy_timeout": POLICY_TIMEOUT}
        words = [word for name, value in values.items() for word in ("-p", f"{name}:={value}")]
        return subprocess.Popen(
            [sys.executable, "-m", "alpamayo_ros.faults.driver", "--ros-args", *words],
            stdout=self._log, stderr=self._log,
        )  # fmt: skip


def domain(number: int) -> int:
    """A ROS domain beyond those that tests and people use."""
    return 110 + number % 50


def verdict(case: Case) -> str:
    """What of the issue's bounds a case breaks; empty for nothing."""
    broken = []
    if case.told == Told.YES.value:
        if case.named_after is None:
            broken.append("not named")
        elif case.named_after > NAMED_WITHIN:
            broken.append(f"named after {case.named_after:.2f} s")
    if case.wrong_plans and case.told != Told.NO.value:
        broken.append(f"{case.wrong_plans} plans on bad input: {case.wrong}")
    if case.back_after is None:
        broken.append("no plan afterwards")
    elif case.back_after > BACK_WITHIN:
        broken.append(f"plans again after {case.back_after:.2f} s")
    if case.threads[1] > case.threads[0]:
        broken.append(f"{case.threads[0]} threads became {case.threads[1]}")
    if case.memory_mb[1] > case.memory_mb[0] + MEMORY_MB:
        broken.append(f"{case.memory_mb[0]:.0f} MB became {case.memory_mb[1]:.0f}")
    return "; ".join(broken)


def play(group: Group, known: Path, log: Path, cases: Sequence[tuple[str, int]], say: Callable[[Case], None]) -> None:
    """Runs cases in turn; a driver that has ended is replaced by a new one."""
    lane = Lane(group, known, log)
    try:
        lane.wait_until_planning(STARTING)
        for name, seed in cases:
            case = lane.run(KINDS[name], seed)
            say(case)
            if case.failed and (lane.driver.poll() is not None or case.back_after is None):
                lane.close()
                lane = Lane(group, known, log)
                lane.wait_until_planning(STARTING)
    finally:
        lane.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--group", choices=[group.value for group in Group], required=True)
    parser.add_argument("--cases", type=json.loads, required=True)
    parser.add_argument("--log", type=Path, default=Path(tempfile.gettempdir()) / "alpamayo_faults.log")
    parser.add_argument("--domain", type=int, default=0)
    options = parser.parse_args()
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    os.environ["ROS_DOMAIN_ID"] = str(options.domain or domain(os.getpid()))
    cases = [(name, int(seed)) for name, seed in options.cases]


    def say(case: Case) -> None:
        print(json.dumps(asdict(case)), flush=True)

    play(Group(options.group), options.truth, options.log, cases, say)
    return 0


if __name__ == "__main__":
    sys.exit(main())
