"""`python -m alpamayo_ros bench path`: from camera JPEG messages to the serialized Path, without DDS.

Every tick four new CompressedImages and their odometry are pushed as they would come off the wire: observer, decode,
policy, composition and serialization are the driver's own. A tick is timed from the push that completes its window to
the Path's bytes. Without a checkpoint the model has the released sizes and random weights, which never say their stop:
every tick then says as many words as it may, and no draft is tried.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from alpamayo_ros import params
from alpamayo_ros.bench.camera_feed import VARIANTS, Feed
from alpamayo_ros.cdr import header
from alpamayo_ros.compose import place
from alpamayo_ros.contract import CAMERA_ROLES, SECOND_NS, NotReady, Policy
from alpamayo_ros.frames import Frames
from alpamayo_ros.imaging import decode_compressed
from alpamayo_ros.observer import Observer
from alpamayo_ros.tick import Decoding, Refused, TickRunner
from alpamayo_ros.window import Window

if TYPE_CHECKING:
    from alpamayo_ros.vla.checkpoint import Loaded

RATE = 10
START_S = 1_700_000_000
WARM_UP = 5


def main(argv: Sequence[str]) -> int:
    from alpamayo_ros import policies
    from alpamayo_ros.bench import stand_in

    options = _parser().parse_args(argv)
    if options.checkpoint:
        asked = {name: getattr(options, name) for name in ("checkpoint", "engine", "device", "dtype")}
        policy = policies.load("vla", max_reasoning_tokens=options.tokens, **asked)
        report = measured(policy, options.ticks)
    else:
        loaded = stand_in.make("r1", options.size == "tiny", options.device, options.dtype)
        report = of_model(loaded, options.engine, options.tokens, options.ticks)
    text = json.dumps({"cores": os.cpu_count(), "engine": options.engine} | report, indent=1)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")
    return 0


def of_model(loaded: Loaded, engine: str, tokens: int, ticks: int) -> dict[str, Any]:
    """The same of a model that is loaded already."""
    from alpamayo_ros.policies import vla

    config = vla.Config(engine=engine, max_reasoning_tokens=tokens)
    return measured(vla.Vla(config, loaded, vla._engine(config, loaded)), ticks)


def measured(policy: Policy, ticks: int) -> dict[str, Any]:
    """Milliseconds of each stage of a tick: median and worst."""
    from alpamayo_ros.replay import plain

    values = params.defaults()
    observer = Observer(params.observer_config(values))
    frames = Frames(_no_transforms, values["ego_frame"], values["output_frame"], values["tf_timeout"])
    decoding = Decoding(dict.fromkeys(CAMERA_ROLES, decode_compressed), int(values["decode_threads"]))
    runner, composer = TickRunner(policy, decoding, frames.locate), plain.composer()
    stages: dict[str, list[float]] = {}
    size = 0
    try:
        for push in _messages(observer, (WARM_UP + ticks + 20) * SECOND_NS // RATE):
            began = time.perf_counter()
            windows = [outcome for outcome in push() if isinstance(outcome, Window)]
            observed = time.perf_counter()
            for window in windows:
                tick = runner(window)
                if isinstance(tick, Refused):
                    raise RuntimeError(f"{tick.reason}\n{tick.traceback}")
                planned = time.perf_counter()
                target = frames.output(tick)
                if isinstance(target, NotReady):
                    raise RuntimeError(str(target))
                message = composer.path(place(tick, *target))
                composed = time.perf_counter()
                size = len(plain.serialize(message))
                done = time.perf_counter()
                found = tick.plan.timings | {
                    "observe": observed - began, "compose": composed - planned, "serialize": done - composed,
                    "whole": done - began,
                }  # fmt: skip
                for stage, seconds in found.items():
                    stages.setdefault(stage, []).append(1e3 * seconds)
            if len(stages.get("whole", ())) >= WARM_UP + ticks:
                break
    finally:
        decoding.close()
    kept = {stage: times[WARM_UP:] for stage, times in stages.items()}
    around = [whole - model for whole, model in zip(kept["whole"], kept["policy"], strict=True)]
    return {
        "ticks": len(around),
        "path_bytes": size,
        "around_the_policy_ms": _spread(around),
        "stages_ms": {stage: _spread(times) for stage, times in kept.items()},
    }


def _messages(observer: Observer, length_ns: int) -> Iterator[Callable[[], list]]:
    """Pushes in order of receipt: odometry at 100 Hz, and the cameras' frames of each tenth of a second."""
    from alpamayo_ros.replay import plain

    feed = Feed("jpeg", RATE)
    start = START_S * SECOND_NS
    for now in range(0, length_ns, SECOND_NS // 100):
        stamp = start + now
        place = (10.0 * now / SECOND_NS, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
        yield lambda stamp=stamp, place=place: observer.push_odometry(stamp, place, "odom", "base_link")
        if now % (SECOND_NS // RATE):
            continue
        when = plain.make("builtin_interfaces/msg/Time", sec=stamp // SECOND_NS, nanosec=stamp % SECOND_NS)
        for role in CAMERA_ROLES:
            head = plain.make("std_msgs/msg/Header", stamp=when, frame_id=role)
            data = np.frombuffer(feed.payloads[role][now // (SECOND_NS // RATE) % VARIANTS], np.uint8)
            whole = plain.make("sensor_msgs/msg/CompressedImage", header=head, format="jpeg", data=data)
            data = plain.serialize(whole)
            yield lambda role=role, data=data: _push(observer, role, data)


def _push(observer: Observer, role: str, data: bytes) -> list:
    stamp, frame_id = header(data)
    return observer.push_frame(role, stamp, data, frame_id)


def _no_transforms():
    raise RuntimeError("the bench's odometry is of the ego frame")


def _spread(times: Sequence[float]) -> dict[str, float]:
    return {"p50": round(float(np.median(times)), 3), "worst": round(max(times), 3)}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="alpamayo_ros bench path", description=__doc__.partition("\n")[0])
    parser.add_argument("--checkpoint", default="", help="of the vla policy; empty: random weights")
    parser.add_argument("--size", choices=("full", "tiny"), default="tiny", help="of random weights")
    parser.add_argument("--engine", default="exact", help="preset, or 'plain'")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--dtype", choices=("bfloat16", "float32"), default="bfloat16")
    parser.add_argument("--tokens", type=int, default=40, help="the most that a tick may say")
    parser.add_argument("--ticks", type=int, default=30)
    parser.add_argument("--json", type=Path)
    return parser
