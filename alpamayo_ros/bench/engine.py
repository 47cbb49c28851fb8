"""`python -m alpamayo_ros bench engine`: how long a tick takes with the real-time engine, against our plain path.

The model has the released sizes and random weights made on the device, the reasoning is a forced number of tokens.
Plain path and every mode of the engine take turns in one run. Each tick brings new pixels for its new images, which
are counted. Where a draft is accepted or rejected, only the comparison's outcome is given: the draft is read and
drawn, what stands of it is moved, what does not is said again.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from alpamayo_ros.bench import engine_table
from alpamayo_ros.bench import vla as plain_bench
from alpamayo_ros.contract import CAMERA_ROLES, SLOT_PERIOD_NS, make_example

if TYPE_CHECKING:
    from alpamayo_ros.vla.checkpoint import Loaded
    from alpamayo_ros.vla.engine.engine import Engine
    from alpamayo_ros.vla.inputs import Prompt

# The released pipeline on an H200 by samples, milliseconds (shared/research/performance.md, section 0.0).
RELEASED_MS = {1: 1615.0, 6: 2473.0}


@dataclass(frozen=True)
class Mode:
    """One way of ticking.

    Attributes:
        preset: of the engine; "" is the plain path.
        new: images that each tick brings, of sixteen.
        draft: what becomes of the last tick's words: "" none are tried, "accepted", "rejected".
        samples: of a tick. share: of the ticks that this mode gets.
    """

    name: str
    preset: str
    new: int = 16
    draft: str = ""
    samples: int = 1
    share: float = 1.0


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
    bench = _Bench(loaded, options)
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


class Drive:
    """Four cameras whose frames are new noise; an image that two ticks share is the same array in both."""

    def __init__(self, height: int, width: int, seed: int) -> None:
        self._noise = np.random.default_rng(seed).integers(0, 256, (16, height, width, 3), dtype=np.uint8)
        self._count, self._stamp = itertools.count(1), 0
        self.window = {role: [self._new(role) for _ in range(4)] for role in CAMERA_ROLES}

    def advance(self, new: int) -> None:
        """Each camera gets a quarter of `new` frames."""
        for role, shots in self.window.items():
            self.window[role] = (shots + [self._new(role) for _ in range(new // 4)])[-4:]

    def shots(self) -> list:
        return [shot for shots in self.window.values() for shot in shots]

    def _new(self, role: str) -> Any:
        from alpamayo_ros.vla.engine.sight import Shot

        count = next(self._count)
        frame = self._noise[count % len(self._noise)] ^ np.uint8(1 + count // len(self._noise) % 255)
        return Shot((role, count * SLOT_PERIOD_NS), frame)


@dataclass
class _Tick:
    wall: float
    stages: dict[str, float]
    ahead: float


@dataclass
class _Bench:
    """A loaded model, its engines by preset and samples, and the ticks of every mode."""

    loaded: Loaded
    options: argparse.Namespace
    engines: dict[tuple[str, int], Engine] = field(default_factory=dict)
    ticks: dict[str, list[_Tick]] = field(default_factory=lambda: defaultdict(list))
    peaks: dict[str, int] = field(default_factory=dict)
    read: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        options = self.options
        example = make_example(options.seed, options.height, options.width)
        self.history = example.history_xyz, example.history_rotation
        self.prompt: Prompt = plain_bench._prompt(self.loaded, example, plain_bench.PROMPT_TOKENS[options.variant])
        self.drive = Drive(options.height, options.width, options.seed)

    def words(self, samples: int) -> np.ndarray:
        """The words, the stop, and the token after it, which is chosen but not read."""
        words = np.random.default_rng(self.options.seed).integers(
            0, plain_bench.BYTE_WORDS, (samples, self.options.tokens + 1)
        )
        words[:, -2] = self.loaded.vocabulary.ids.future_start
        return words

    def settings(self, mode: Mode):
        from alpamayo_ros.vla.outcome import Settings

        return Settings(mode.samples, max_tokens=self.options.tokens + 1, flow_steps=self.options.flow_steps)

    def engine(self, mode: Mode) -> dict[str, Any]:
        """Makes and warms up a mode's engine, and says how long that took."""
        from alpamayo_ros.vla.engine.engine import Engine, Limits
        from alpamayo_ros.vla.engine.presets import PRESETS

        _synchronize()
        before, started = _allocated(), time.perf_counter()
        limits = Limits(4096, self.options.tokens + 1, mode.samples)
        engine = Engine(self.loaded, PRESETS[mode.preset], limits)
        self.drive.advance(16)
        engine.warm_up(self.prompt, self.drive.shots(), self.history, self.settings(mode))
        _synchronize()
        self.engines[mode.preset, mode.samples] = engine
        seconds = time.perf_counter() - started
        bytes_ = _allocated() - before
        return {"preset": mode.preset, "samples": mode.samples, "start_seconds": seconds, "bytes": bytes_}

    def turn(self, mode: Mode, warm: int, count: int, seconds: float = float("inf")) -> bool:
        """A mode's ticks of one round; the first ones are not counted, and leave what a tick of this mode finds.

        Where `seconds` are over, no further tick is counted.
        """
        over = float("inf")
        for k in range(warm + count):
            if k == warm:
                over = time.perf_counter() + seconds
            elif time.perf_counter() > over:
                break
            if mode.preset and not k:
                self.engines[mode.preset, mode.samples].reset()
                self.tick(Mode(mode.name, mode.preset, 16, "", mode.samples))
            elif k < warm:
                self.tick(mode)
            else:
                self.ticks[mode.name].append(self.tick(mode))
        return True

    def tick(self, mode: Mode) -> _Tick:
        """One tick of a mode on new pixels."""
        self.drive.advance(mode.new)
        shots = self.drive.shots()
        _synchronize()
        _reset_peak()
        tick = self._engine_tick(mode, shots) if mode.preset else self._plain_tick(mode, shots)
        self.peaks[mode.name] = max(self.peaks.get(mode.name, 0), _peak())
        return tick

    def _plain_tick(self, mode: Mode, shots: list) -> _Tick:
        from alpamayo_ros.vla import pixels
        from alpamayo_ros.vla.rollout import Forced, rollout
        from alpamayo_ros.vla.timing import Stopwatch

        model = self.loaded.model
        started, watch = time.perf_counter(), Stopwatch(model.device)
        with watch("preprocess"):
            patches = pixels.preprocess([shot.frame for shot in shots], model.config, model.device)
        forced = Forced(self.words(mode.samples))
        result = rollout(*self.loaded, self.prompt, patches, self.history, self.settings(mode), forced=forced)
        return _Tick(time.perf_counter() - started, watch.seconds | result.seconds, 0.0)

    def _engine_tick(self, mode: Mode, shots: list) -> _Tick:
        from alpamayo_ros.vla.engine.engine import Request
        from alpamayo_ros.vla.rollout import Forced

        engine = self.engines[mode.preset, mode.samples]
        words = self.words(mode.samples)
        accepted = {"": None, "accepted": self.options.tokens, "rejected": 0}[mode.draft]
        request = Request(forced=Forced(words), accepted=accepted)
        started = time.perf_counter()
        result = engine.tick(self.prompt, shots, self.history, self.settings(mode), request)
        wall = time.perf_counter() - started
        _synchronize()
        ahead = time.perf_counter() - started - wall
        self.read[mode.name] = engine.read
        assert engine.encoded == mode.new, f"{engine.encoded} images were encoded, {mode.new} are new"
        assert engine.drafted == (self.options.tokens if mode.draft else 0)
        assert engine.accepted == (self.options.tokens if mode.draft == "accepted" else 0)
        assert (result.tokens == words).all() and np.isfinite(result.action).all()
        return _Tick(wall, result.seconds, ahead)

    def summary(self, mode: Mode) -> dict[str, Any]:
        ticks = self.ticks[mode.name]
        walls = [1e3 * tick.wall for tick in ticks]
        stages = {
            name: 1e3 * float(np.median([tick.stages.get(name, 0.0) for tick in ticks]))
            for name in ("preprocess", "vision", "prefill", "decode", "flow")
        }
        said = 0 if mode.draft == "accepted" else self.options.tokens
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
            "flow_ms_per_step": stages["flow"] / self.options.flow_steps,
            "read_ahead_ms": 1e3 * float(np.median([tick.ahead for tick in ticks])),
            "tokens_read": self.read.get(mode.name),
            "peak_bytes": self.peaks[mode.name],
        }
        plain = next((m for m in MODES if m.name in self.ticks and not m.preset and m.samples == mode.samples), None)
        if mode.preset and plain and self.ticks[plain.name] and mode.samples in RELEASED_MS:
            ours = 1e3 * float(np.median([tick.wall for tick in self.ticks[plain.name]]))
            line["reference_ms"] = min(ours, RELEASED_MS[mode.samples])
            line["times_faster"] = line["reference_ms"] / line["tick_ms"]["p50"]
        return line

    def profile(self, mode: Mode) -> dict[str, Any]:
        from alpamayo_ros.bench.engine_steps import profiled

        self.turn(mode, 2, 0)  # leaves what a tick of this mode finds
        return {"mode": mode.name, "kernels": profiled(lambda: self.tick(mode), 40)}


def _run(bench: _Bench, modes: Sequence[Mode], options: argparse.Namespace, report: dict[str, Any]) -> list[Mode]:
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
        report["modes"] = [bench.summary(mode) for mode in modes if bench.ticks[mode.name] and mode not in failed]
        _write(report, options)
    return failed


def _synchronize() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _allocated() -> int:
    import torch

    return torch.cuda.memory_reserved() if torch.cuda.is_available() else 0


def _reset_peak() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()


def _peak() -> int:
    import torch

    return torch.cuda.max_memory_reserved() if torch.cuda.is_available() else 0
