"""Ticks of the plain path and of every mode of the engine, driven by cameras of noise, and their seconds and bytes."""

from __future__ import annotations

import argparse
import itertools
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from alpamayo_ros.bench.vla import BYTE_WORDS
from alpamayo_ros.contract import CAMERA_ROLES, SLOT_PERIOD_NS

if TYPE_CHECKING:
    from alpamayo_ros.vla.checkpoint import Loaded
    from alpamayo_ros.vla.engine.engine import Engine
    from alpamayo_ros.vla.inputs import Prompt


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
class Tick:
    wall: float
    stages: dict[str, float]
    ahead: float


@dataclass
class Bench:
    """A loaded model, its engines by preset and samples, and the ticks of every mode.

    `history` is positions (16, 3) and rotations (16, 3, 3); `options` are those of the command line.
    """

    loaded: Loaded
    prompt: Prompt
    history: tuple[np.ndarray, np.ndarray]
    options: argparse.Namespace
    engines: dict[tuple[str, int], Engine] = field(default_factory=dict)
    ticks: dict[str, list[Tick]] = field(default_factory=lambda: defaultdict(list))
    peaks: dict[str, int] = field(default_factory=dict)
    read: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.drive = Drive(self.options.height, self.options.width, self.options.seed)

    def words(self, samples: int) -> np.ndarray:
        """The words, the stop, and the token after it, which is chosen but not read."""
        words = np.random.default_rng(self.options.seed).integers(0, BYTE_WORDS, (samples, self.options.tokens + 1))
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

    def tick(self, mode: Mode) -> Tick:
        """One tick of a mode on new pixels."""
        self.drive.advance(mode.new)
        shots = self.drive.shots()
        _synchronize()
        _reset_peak()
        tick = self._engine_tick(mode, shots) if mode.preset else self._plain_tick(mode, shots)
        self.peaks[mode.name] = max(self.peaks.get(mode.name, 0), _peak())
        return tick

    def _plain_tick(self, mode: Mode, shots: list) -> Tick:
        from alpamayo_ros.vla import pixels
        from alpamayo_ros.vla.rollout import Forced, rollout
        from alpamayo_ros.vla.timing import Stopwatch

        model = self.loaded.model
        started, watch = time.perf_counter(), Stopwatch(model.device)
        with watch("preprocess"):
            patches = pixels.preprocess([shot.frame for shot in shots], model.config, model.device)
        forced = Forced(self.words(mode.samples))
        result = rollout(*self.loaded, self.prompt, patches, self.history, self.settings(mode), forced=forced)
        return Tick(time.perf_counter() - started, watch.seconds | result.seconds, 0.0)

    def _engine_tick(self, mode: Mode, shots: list) -> Tick:
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
        return Tick(wall, result.seconds, ahead)

    def profile(self, mode: Mode) -> dict[str, Any]:
        from alpamayo_ros.bench.engine_steps import profiled

        self.turn(mode, 2, 0)  # leaves what a tick of this mode finds
        return {"mode": mode.name, "kernels": profiled(lambda: self.tick(mode), 40)}


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
