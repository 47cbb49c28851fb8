"""`replay`: bags in, a verdict out. Every tick of a bag's own time is planned, however long that takes.

Results go to OUT/<bag>/: report.html, metrics.json, plans.parquet, timings.parquet, and outputs/, a bag of what the
driver would have published. The same command again goes on where it stopped.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from pathlib import Path

from alpamayo_ros import policies
from alpamayo_ros.replay import many, outputs
from alpamayo_ros.replay.evaluate import merged
from alpamayo_ros.replay.many import Outcome
from alpamayo_ros.replay.run import METRICS, REPORT, Progress, forget
from alpamayo_ros.replay.setup import Setup, SetupError, check, parse_parameter
from alpamayo_ros.rig import RigError

# Seconds between lines of progress where the output is no terminal.
LINE_EVERY = 10.0


def main(argv: list[str]) -> int:
    options = _parser().parse_args(argv)
    try:
        setups = _setups(options)
        if options.fresh:
            for setup in setups:
                forget(setup.out)
        outcomes = list(_run(setups, options))
    except (SetupError, RigError) as error:
        print(f"replay: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nreplay: interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    return _conclude(outcomes, options.out)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="alpamayo_ros replay", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bags", type=Path, nargs="+", metavar="BAG", help="rosbag2 directories, .mcap or .db3 files")
    parser.add_argument("--out", type=Path, required=True, help="directory of the results")
    parser.add_argument("--rig", type=Path, help="rig file (default: proposed from names, CameraInfo and /tf_static)")
    parser.add_argument("--policy", default="baseline", help=f"one of {', '.join(policies.names())}")
    parser.add_argument("--checkpoint", help="the policy's checkpoint: a folder, or a hub id")
    parser.add_argument("--seed", type=int, help="the policy's seed, for policies that draw")
    parser.add_argument("-p", "--param", action="append", default=[], help="a parameter of the driver, NAME:=VALUE")
    parser.add_argument("--command", help="what if the policy were told this instead of the bag's own commands")
    parser.add_argument("--drop", action="append", default=[], metavar="ROLE", help="what if it had no such camera")
    parser.add_argument("--no-report", action="store_true", help="numbers only")
    parser.add_argument("--video", action="store_true", help="write video.mp4 as well")
    parser.add_argument("--threads", type=int, default=2, help="that decode images, a bag")
    parser.add_argument("--jobs", type=int, default=1, help="bags at a time, each in a process")
    parser.add_argument("--cluster", metavar="ADDRESS", help="a Ray cluster to do the bags on; 'local' starts one here")
    parser.add_argument("--fresh", action="store_true", help="forget what an earlier replay left in OUT")
    return parser


def _setups(options: argparse.Namespace) -> list[Setup]:
    """One setup a bag.

    Raises:
        SetupError: what no bag can help.
    """
    given = dict(parse_parameter(text) for text in options.param)
    for name, value in (("checkpoint", options.checkpoint), ("seed", options.seed)):
        if value is not None:
            given[f"{options.policy}.{name}"] = value
    base = Setup(
        Path(), options.out, options.rig, options.policy, given, options.command, tuple(options.drop), options.threads,
        not options.no_report, options.video,
    )  # fmt: skip
    check(base)
    if options.threads < 1 or options.jobs < 1:
        raise SetupError("--threads and --jobs have to be 1 or more")
    names = _names(options.bags)
    pairs = zip(options.bags, names, strict=True)
    return [dataclasses.replace(base, bag=bag, out=options.out / name) for bag, name in pairs]


def _names(bags: list[Path]) -> list[str]:
    """A directory name a bag: its own, with its parent's where two are called alike."""
    names = [bag.resolve().stem if bag.is_file() else bag.resolve().name for bag in bags]
    names = [
        f"{bag.resolve().parent.name}_{name}" if names.count(name) > 1 else name
        for bag, name in zip(bags, names, strict=True)
    ]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise SetupError(f"two bags would both be called {twice[0]}; replay them into two directories")
    return names


def _run(setups: list[Setup], options: argparse.Namespace):
    if options.cluster:
        outcomes = many.on_cluster(setups, options.cluster, options.jobs if options.jobs > 1 else None)
    elif options.jobs > 1:
        outcomes = many.in_processes(setups, options.jobs)
    else:
        outcomes = many.serially(setups, _Line(len(setups)))
    for number, outcome in enumerate(outcomes, start=1):
        print(f"\r{_sentence(outcome, number, len(setups))}", file=sys.stderr, flush=True)
        yield outcome


class _Line:
    """Progress as one line that is written over, or as a line now and then where there is no terminal."""

    def __init__(self, bags: int):
        self._bags, self._number, self._current, self._last = bags, 0, None, 0.0

    def __call__(self, setup: Setup, progress: Progress) -> None:
        if setup is not self._current:
            self._current, self._number = setup, self._number + 1
        now = time.monotonic()
        if now - self._last < (0.2 if sys.stderr.isatty() else LINE_EVERY):
            return
        self._last = now
        end = "" if sys.stderr.isatty() else "\n"
        text = line(setup.out.name, self._number, self._bags, progress)
        print(f"\r{text:<100}"[:118], end=end, file=sys.stderr, flush=True)


def line(name: str, number: int, bags: int, progress: Progress) -> str:
    """ "town_3 (2 of 20): 41 %, 120 ticks, about 0:39 to go" """
    where = f" ({number} of {bags})" if bags > 1 else ""
    left = progress.remaining
    estimate = "" if left is None else f", about {int(left) // 60}:{int(left) % 60:02d} to go"
    return f"{name}{where}: {progress.share:.0%}, {progress.ticks} ticks{estimate}"


def _sentence(outcome: Outcome, number: int, bags: int) -> str:
    name = outcome.setup.out.name + (f" ({number} of {bags})" if bags > 1 else "")
    if outcome.metrics is None:
        return f"{name}: {outcome.error}"
    said = outcome.metrics
    error = said["metrics"].get("min_ade_6.4s") or said["metrics"].get("min_ade_3s") or {}
    measured = f", minADE {error['mean']:.2f} m" if error else ""
    text = f"{name}: {said['plans']} plans from {said['ticks']} ticks{measured}, hash {said['hash'][:12]}"
    remarks = "".join(f"\n  note: {remark}" for remark in said["remarks"])
    return f"{text:<100}{remarks}"


def _conclude(outcomes: list[Outcome], out: Path) -> int:
    """Says where the results are; 1 where a bag failed."""
    done = [outcome for outcome in outcomes if outcome.metrics is not None]
    failed = [outcome for outcome in outcomes if outcome.metrics is None]
    if len(outcomes) > 1 and done:
        whole = merged([outcome.metrics for outcome in done])
        whole["failed"] = {str(outcome.setup.bag): outcome.error for outcome in failed}
        outputs.write_json(out / METRICS, whole)
    for outcome in done:
        report = outcome.setup.out / REPORT
        print(report if report.exists() else outcome.setup.out / METRICS)
    if len(outcomes) > 1 and done:
        print(out / METRICS)
    return 1 if failed else 0
