"""How fast is a replay beside decoding alone, what does it hold in memory, and what do two bags at once gain?

Four 1080p JPEG cameras at 10 Hz and 100 Hz odometry, in a bag that is written for it. The policy is the baseline once
it has checksummed all sixteen images of each tick. The ceiling is the same frames, read from the same bag and decoded
with as many threads as there are cores, and nothing else; both take turns, so that a noisy machine is noisy for both.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from alpamayo_ros import policies
from alpamayo_ros.bench.camera_feed import Feed
from alpamayo_ros.bench.checksum_policy import ChecksumPolicy
from alpamayo_ros.contract import CAMERA_ROLES, SECOND_NS
from alpamayo_ros.imaging import decode_compressed
from alpamayo_ros.replay import plain
from alpamayo_ros.replay.bag import Bag
from alpamayo_ros.replay.many import Replayer
from alpamayo_ros.replay.setup import Setup

START_S = 1_795_000_000
SPEED = 9.0


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="alpamayo_ros bench replay", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="of the bag")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each contender")
    parser.add_argument("--long", type=float, default=0.0, help="seconds of a second bag, for the memory")
    parser.add_argument("--report-ticks", type=int, default=600, help="of the report that is opened in Chromium")
    parser.add_argument("--json", type=Path, help="write the result here as well")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="bench_replay_") as folder:
        result = _measure(Path(folder), options)
    text = json.dumps(result, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")
    return 0


def _measure(folder: Path, options: argparse.Namespace) -> dict:
    bags = [write_bag(folder / f"bag{k}", options.seconds) for k in range(2)]
    replay = Contender(folder)
    cores = os.cpu_count() or 1
    rows: dict[str, list[float]] = {name: [] for name in ("ceiling", "replay", "replay_report", "one", "two")}
    images = round(options.seconds * 10) * len(CAMERA_ROLES)
    for number in range(options.rounds):
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
        rows["ceiling"].append(_seconds(lambda: decode_only(bags[0], cores)))
        for name, report in (("replay", False), ("replay_report", True)):
            out = folder / f"{name}{number}"
            rows[name].append(_seconds(lambda out=out, report=report: replay(out, bags[0], cores, report)))
        rows["one"].append(_processes(folder / f"one{number}", bags[:1]))
        rows["two"].append(_processes(folder / f"two{number}", bags))
    medians = {name: statistics.median(values) for name, values in rows.items()}
    shares = [c / r for c, r in zip(rows["ceiling"], rows["replay"], strict=True)]
    with_report = [c / r for c, r in zip(rows["ceiling"], rows["replay_report"], strict=True)]
    gains = [2 * one / two for one, two in zip(rows["one"], rows["two"], strict=True)]
    result = {
        "machine": {"cpus": cores, "python": platform.python_version()},
        "bag_seconds": options.seconds,
        "rounds": options.rounds,
        "ceiling_images_per_s": round(images / medians["ceiling"], 1),
        "replay_images_per_s": round(images / medians["replay"], 1),
        "share_of_ceiling": _spread(shares),
        "share_of_ceiling_with_report": _spread(with_report),
        "two_bags_gain": _spread(gains),
        "memory_mb": memory(folder / "memory", bags[0]),
    }
    if options.long:
        result["memory_mb_long"] = {"seconds": options.long, "mb": memory(
            folder / "memory_long", write_bag(folder / "long", options.long))}  # fmt: skip
    return result | {"report": open_report(replay, folder / "report", folder / "many", options.report_ticks)}


def _spread(values: list[float]) -> dict[str, float]:
    numbers = {"median": statistics.median(values), "least": min(values), "most": max(values)}
    return {name: round(value, 3) for name, value in numbers.items()}


def _seconds(work) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def write_bag(path: Path, seconds: float) -> Path:
    """Four 1080p JPEG cameras at 10 Hz, odometry at 100 Hz of a straight drive."""
    from rosbags.rosbag2 import StoragePlugin, Writer

    feed, m = Feed("jpeg", 10), plain.classes()
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        kinds = {"odometry": "Odometry"} | dict.fromkeys(map(_image, CAMERA_ROLES), "CompressedImage")
        topics = {
            name: writer.add_connection(f"/{name}", plain.FULL_NAME[kind], typestore=plain.store())
            for name, kind in kinds.items()
        }
        for step in range(round(seconds * 100) + 2):
            at = START_S * SECOND_NS + step * SECOND_NS // 100
            header = m.Header(stamp=plain.composer().time(at), frame_id="odom")
            pose = m.Pose(position=m.Point(x=SPEED * step / 100), orientation=m.Quaternion(w=1.0))
            odometry = m.Odometry(header=header, child_frame_id="base_link", pose=m.PoseWithCovariance(pose=pose))
            writer.write(topics["odometry"], at, plain.serialize(odometry))
            if step % 10 == 0 and step < seconds * 100:
                for role in CAMERA_ROLES:
                    data = np.frombuffer(feed.payloads[role][feed.variant(at)], np.uint8)
                    image = m.CompressedImage(header=header, format="jpeg", data=data)
                    writer.write(topics[_image(role)], at, plain.serialize(image))
    return path


def _image(role: str) -> str:
    return f"camera/{role}/image/compressed"


def decode_only(bag: Path, threads: int) -> None:
    """Reads and decodes every image, a few at a time."""
    with Bag(bag) as opened, ThreadPoolExecutor(threads) as pool:
        topics = [topic for topic in opened.types if topic.endswith("/compressed")]
        running = []
        for message in opened.messages(topics):
            running.append(pool.submit(decode_compressed, message.data))
            if len(running) >= 4 * threads:
                running.pop(0).result()
        for future in running:
            future.result()


def _setup(out: Path, bag: Path, threads: int, report: bool, policy: str = "checksum") -> Setup:
    return Setup(bag, out, policy=policy, threads=threads, report=report)


class Contender:
    """Replays with the checksumming baseline, which is loaded before anything is measured."""

    def __init__(self, folder: Path):
        policies.register("checksum", "alpamayo_ros.bench.checksum_policy")
        self._replayer = Replayer()
        self(folder / "warm", write_bag(folder / "warm_bag", 3.0), 1, False)

    def __call__(self, out: Path, bag: Path, threads: int, report: bool) -> None:
        outcome = self._replayer(_setup(out, bag, threads, report))
        if outcome.metrics is None or not outcome.metrics["plans"]:
            raise RuntimeError(f"the replay failed: {outcome.error}")
        if ChecksumPolicy.wrong or not ChecksumPolicy.checked:
            raise RuntimeError(f"{ChecksumPolicy.wrong} of {ChecksumPolicy.checked} images were not those of the bag")


def _processes(out: Path, bags: list[Path]) -> float:
    """Each bag in a process with one decoding thread: seconds from the common beginning to the last one's end.

    They begin when all have started Python: a night's run starts it once a process, not once a bag.
    """
    spawn = multiprocessing.get_context("spawn")
    barrier, times = spawn.Barrier(len(bags)), spawn.Queue()
    setups = [_setup(out / bag.name, bag, 1, False, "baseline") for bag in bags]
    processes = [spawn.Process(target=_timed, args=(setup, barrier, times)) for setup in setups]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        if process.exitcode:
            raise RuntimeError("a replay in a process of its own failed")
    spans = [times.get() for _ in processes]
    return max(end for _, end in spans) - min(begin for begin, _ in spans)


def _timed(setup: Setup, barrier, times) -> None:
    replayer = Replayer()
    barrier.wait()
    began = time.time()
    outcome = replayer(setup)
    if outcome.metrics is None:
        raise RuntimeError(outcome.error)
    times.put((began, time.time()))


def memory(out: Path, bag: Path) -> float:
    """The greatest resident memory of a replay in a process of its own, MB."""
    program = (
        "import sys; from alpamayo_ros.bench.replay import _replay_and_say; "
        "_replay_and_say(sys.argv[1], sys.argv[2])"
    )
    command = [sys.executable, "-c", program, str(out), str(bag)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


def _replay_and_say(out: str, bag: str) -> None:
    (outcome,) = [Replayer()(_setup(Path(out), Path(bag), os.cpu_count() or 1, True, "baseline"))]
    if outcome.metrics is None:
        raise RuntimeError(outcome.error)
    # Not getrusage's maximum: a child begins with its parent's.
    (peak,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    print(round(int(peak.split()[1]) / 1024, 1))


def open_report(replay: Contender, out: Path, bag: Path, ticks: int) -> dict:
    """A report of that many ticks: its size, and how long Chromium takes until it is drawn and can be stepped."""
    write_bag(bag, ticks / 10)
    replay(out, bag, os.cpu_count() or 1, True)
    report = out / "report.html"
    result: dict = {"ticks": ticks, "mb": round(report.stat().st_size / 1e6, 2)}
    try:
        from selenium import webdriver
    except ImportError:
        return result | {"chromium": "not opened: pip install selenium, apt-get install chromium chromium-driver"}
    options = webdriver.ChromeOptions()
    for word in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1500,1000"):
        options.add_argument(word)
    browser = webdriver.Chrome(options=options)
    try:
        seconds = []
        for _ in range(3):
            browser.get("about:blank")
            began = time.monotonic()
            browser.get(report.as_uri())
            while browser.execute_script("return document.body.dataset.ready") != "yes":
                time.sleep(0.01)
            browser.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
            seconds.append(time.monotonic() - began)
        stepping = browser.execute_async_script(_STEPPING)
    finally:
        browser.quit()
    return result | {"open_s": _spread(seconds), "step_ms": round(stepping, 1)}


# Milliseconds a step over a hundred steps, each painted.
_STEPPING = """
const done = arguments[0], began = performance.now();
let left = 100;
const step = () => {
  if (!left--) return done((performance.now() - began) / 100);
  document.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowRight' }));
  requestAnimationFrame(() => requestAnimationFrame(step));
};
step();
"""
