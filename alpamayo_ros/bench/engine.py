"""`python -m alpamayo_ros bench engine`: how long a tick takes with the real-time engine, against our plain path.

The model has the released sizes and random weights made on the device, the reasoning is a forced number of tokens.
Plain path and every mode of the engine take turns in one run. Each tick brings new pixels for its new images, which
are counted. Where a draft is accepted or rejected, only the comparison's outcome is given: the draft is read and
drawn, what stands of it is moved, what does not is said again.
"""

from __future__ import annotations

import argparse
import json
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from alpamayo_ros.bench import engine_table
from alpamayo_ros.bench import vla as plain_bench
from alpamayo_ros.bench.engine_ticks import Bench, Mode
from alpamayo_ros.contract import make_example

if TYPE_CHECKING:
    from alpamayo_ros.vla.checkpoint import Loaded

# The released pipeline on an H200 by samples, milliseconds (shared/research/performance.md, section 0.0).
RELEASED_MS = {1: 1615.0, 6: 2473.0}


MODES = (
    Mode("plain", ""),
    Mode("exact, stateless", "exact_stateless"),
    Mode("exact, 4 new images, draft accepted", "exact", 4, "accepted"),
    Mode("exact, 8 new images, draft accepted", "exact", 8, "accepted"),
    Mode("exact, 4 new images, draft rejected", "exact", 4, "rejected", share=0.4),
    Mode("exact, scene change, draft rejected", "exact", 16, "rejected", share=0.4),
    Mode("plain, six samples", "", samples=6),
    Mode("exact, stateless, six samples", "exact_stateless", samples=6, share=0.6),
    Mode("fp8, stateless", "fp8_stateless"),
    Mode("fp8, 4 new images, draft accepted", "fp8", 4, "accepted"),
    Mode("fp8, scene change, draft rejected", "fp8", 16, "rejected", share=0.4),
)
# Those of a model whose weights are held in eight bits alone.
SMALL_MODES = (
    Mode("int8, stateless", "int8_stateless"),
    Mode("int8, 4 new images, draft accepted", "int8", 4, "accepted"),
    Mode("int8, 4 new images, draft rejected", "int8", 4, "rejected", share=0.4),
)


def main(argv: Sequence[str]) -> int:
    options = _parser().parse_args(argv)
    if options.table:
        print(engine_table.markdown(*(json.loads(path.read_text()) for path in options.table)), end="")
        return 0
    import torch

    from alpamayo_ros.bench import engine_steps, path, stand_in

    device = "cuda" if torch.cuda.is_available() else "cpu"
    started = time.perf_counter()
    if options.memory_gb:
        capacity = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(options.memory_gb * 1e9 / capacity)
    tiny, weights = options.size == "tiny", options.weights or None
    loaded = stand_in.make(options.variant, tiny, device, options.dtype, options.seed, weights)
    report = {
        "machine": plain_bench._machine(device),
        "settings": {name: getattr(options, name) for name in _KEPT},
        "make_seconds": time.perf_counter() - started,
    }
    modes = SMALL_MODES if weights else MODES
    modes = [mode for mode in modes if not options.modes or any(word in mode.name for word in options.modes)]
    bench = _bench(loaded, options)
    report["prompt_tokens"] = len(bench.prompt.ids)
    report["failed"] = []
    report["engines"] = [line for mode in _firsts(modes) if (line := _tried(report, bench.engine, mode))]
    modes = [mode for mode in modes if not mode.preset or (mode.preset, mode.samples) in bench.engines]
    report["chosen"] = _chosen()
    _write(report, options)
    if options.ticks:
        failed = _run(bench, modes, options, report)
        modes = [mode for mode in modes if mode not in failed]
    if options.steps:
        samples = sorted({mode.samples for mode in modes})
        report["steps"] = [_tried(report, lambda n: list(engine_steps.lines(loaded, n)), n) for n in samples]
        _write(report, options)
        report["profiles"] = [_tried(report, bench.profile, mode) for mode in modes if mode.preset]
        _write(report, options)
    if options.path:
        few = 8 if options.ticks else 1
        report["path"] = _tried(report, lambda engine: path.of_model(loaded, engine, options.tokens, few), options.path)
        _write(report, options)
    print(json.dumps({key: report[key] for key in report if key not in ("steps", "profiles")}, indent=1))
    return 1 if report["failed"] else 0


def _chosen() -> list[dict[str, Any]]:
    """The arrangements of kernels that were found quickest when the engines started, and the others' times."""
    from alpamayo_ros.vla.engine.quickest import CHOSEN, MEASURED

    return [
        {"work": what[0], "samples": what[1], "of": str(what[2:])} | asdict(way)
        | {"measured_ms": [{"ms": ms} | asdict(one) for one, ms in MEASURED.get(what, {}).items()]}
        for what, way in CHOSEN.items()
    ]  # fmt: skip


def _tried(report: dict[str, Any], work: Callable[[Any], Any], argument: Any) -> Any:
    """What a piece of work gives; where it fails its traceback is reported, and the rest goes on."""
    try:
        return work(argument)
    except Exception:
        report["failed"].append({"of": str(argument), "traceback": traceback.format_exc()})
        print(report["failed"][-1]["traceback"], flush=True)
        return None


_KEPT = (
    "size", "variant", "dtype", "weights", "memory_gb", "tokens", "flow_steps", "warmup", "ticks", "plain_ticks",
    "rounds", "most_seconds", "seed",
)  # fmt: skip


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="alpamayo_ros bench engine", description=__doc__.partition("\n")[0])
    parser.add_argument("--size", choices=("full", "tiny"), default="tiny", help="sizes of the released 10B, or a toy")
    parser.add_argument("--full-size", dest="size", action="store_const", const="full", help="same as --size full")
    parser.add_argument("--variant", choices=tuple(plain_bench.PROMPT_TOKENS), default="r1")
    parser.add_argument("--dtype", choices=("bfloat16", "float32"), default="bfloat16")
    parser.add_argument("--weights", choices=("", "fp8", "int8"), default="", help="hold the model's linears so alone")
    parser.add_argument("--memory-gb", type=float, default=0.0, help="the most that may be taken of the card's memory")
    parser.add_argument("--tokens", type=int, default=40, help="tokens read by the decoder after the prompt")
    parser.add_argument("--flow-steps", type=int, default=10)
    parser.add_argument("--warmup", type=int, default=5)
    parser.add_argument("--ticks", type=int, default=50, help="of a mode; 0 only warms up")
    parser.add_argument("--plain-ticks", type=int, default=50, help="of the plain path")
    parser.add_argument("--rounds", type=int, default=8, help="in which the modes take turns")
    parser.add_argument("--most-seconds", type=float, help="for the ticks of a mode")
    parser.add_argument("--modes", nargs="+", help="only modes whose names hold one of these words")
    parser.add_argument("--steps", action="store_true", help="also what a decode and a flow step are made of")
    parser.add_argument("--path", default="", metavar="PRESET", help="also from camera JPEGs to the serialized Path")
    parser.add_argument("--height", type=int, default=1080)
    parser.add_argument("--width", type=int, default=1920)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    parser.add_argument(
        "--table", type=Path, nargs="+", metavar="JSON", help="only print the README's tables of a report, or of two"
    )
    return parser


def _write(report: dict[str, Any], options: argparse.Namespace) -> None:
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")


def _firsts(modes: Sequence[Mode]) -> Iterator[Mode]:
    """One mode of each engine."""
    seen = set()
    for mode in modes:
        if mode.preset and (mode.preset, mode.samples) not in seen:
            seen.add((mode.preset, mode.samples))
            yield mode


def _bench(loaded: Loaded, options: argparse.Namespace) -> Bench:
    example = make_example(options.seed, options.height, options.width)
    prompt = plain_bench._prompt(loaded, example, plain_bench.PROMPT_TOKENS[options.variant])
    return Bench(loaded, prompt, (example.history_xyz, example.history_rotation), options)


def _run(bench: Bench, modes: Sequence[Mode], options: argparse.Namespace, report: dict[str, Any]) -> list[Mode]:
    """Rounds in which every mode gets its share of the ticks; those that failed and take no further part."""
    plain, counted, failed = max(1, options.plain_ticks), defaultdict(int), []
    rounds = min(plain, options.ticks, options.rounds)
    for number in range(rounds):
        for mode in modes:
            total = plain if not mode.preset else max(1, round(options.ticks * mode.share))
            due = total * (number + 1) // rounds
            warm = 1 if not mode.preset else options.warmup if not number else 2
            turn = warm, due - counted[mode.name], (options.most_seconds or float("inf")) / rounds
            if mode not in failed and not _tried(report, lambda mode, turn=turn: bench.turn(mode, *turn), mode):
                failed.append(mode)
            counted[mode.name] = due
        report["modes"] = [_summary(bench, mode) for mode in modes if bench.ticks[mode.name] and mode not in failed]
        _write(report, options)
    return failed


def _summary(bench: Bench, mode: Mode) -> dict[str, Any]:
    ticks = bench.ticks[mode.name]
    walls = [1e3 * tick.wall for tick in ticks]
    stages = {
        name: 1e3 * float(np.median([tick.stages.get(name, 0.0) for tick in ticks]))
        for name in ("preprocess", "vision", "prefill", "decode", "flow")
    }
    said = 0 if mode.draft == "accepted" else bench.options.tokens
    line = {
        "mode": mode.name,
        "preset": mode.preset or "plain",
        "samples": mode.samples,
        "new_images": mode.new,
        "draft": mode.draft,
        "ticks": len(ticks),
        "tick_ms": {f"p{q}": float(np.percentile(walls, q)) for q in (50, 90, 99)} | {"worst": max(walls)},
        "stage_ms": stages,
        "decode_ms_per_token": stages["decode"] / said if said else None,
        "flow_ms_per_step": stages["flow"] / bench.options.flow_steps,
        "read_ahead_ms": 1e3 * float(np.median([tick.ahead for tick in ticks])),
        "tokens_read": bench.read.get(mode.name),
        "peak_bytes": bench.peaks[mode.name],
    }
    plain = next((m for m in MODES if m.name in bench.ticks and not m.preset and m.samples == mode.samples), None)
    if mode.preset and plain and bench.ticks[plain.name] and mode.samples in RELEASED_MS:
        ours = 1e3 * float(np.median([tick.wall for tick in bench.ticks[plain.name]]))
        line["reference_ms"] = min(ours, RELEASED_MS[mode.samples])
        line["times_faster"] = line["reference_ms"] / line["tick_ms"]["p50"]
    return line
