"""A recorded run of the released implementation, and this one's run of the same, quantity by quantity.

Each flow step starts where the recording's did: its velocities carry the actions, and the velocity computed there is
compared. With random weights the flow multiplies a rounding error by about 40 a step, so a flow left to itself ends
elsewhere on every other machine; where it ends here is stated (`..._free_...`), without a bound.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from alpamayo_ros.contract import Observation
from alpamayo_ros.vla import checkpoint, inputs, pixels, resize
from alpamayo_ros.vla.checkpoint import Loaded
from alpamayo_ros.vla.inputs import Prompt
from alpamayo_ros.vla.model import float32_twin
from alpamayo_ros.vla.rollout import Forced, Rollout, Settings, Trace, rollout

ROLLOUTS = ("greedy", "sampled", "truncated")
LOGITS, FLOW, METRES, ROTATION = 2e-4, 1e-4, 1e-4, 1e-5
TIE_GAP, DISAGREEMENT = 0.1, 1e-3


@dataclass(frozen=True)
class Quantity:
    """One compared quantity; `error` None is absent, `bound` None is stated only."""

    name: str
    error: float | int | None
    bound: float | None
    unit: str = ""

    @property
    def passed(self) -> bool:
        return self.error is not None and (self.bound is None or self.error <= self.bound)


# `rollout`, or what takes its place.
Run = Callable[..., Rollout]


def _by_engine(loaded: Loaded, preset: str) -> Run:
    """The engine in the place of `rollout`; what ticks leave for each other is of no use here."""
    from alpamayo_ros.vla.engine.engine import Engine, Limits, Request
    from alpamayo_ros.vla.engine.presets import PRESETS

    if preset not in PRESETS:
        raise ValueError(f"the engine has no preset '{preset}'; it has {', '.join(PRESETS)}")
    engine = Engine(loaded, PRESETS[preset], Limits(samples=8))

    def run(_model, _vocabulary, given, patches, history, settings, forced, trace):
        engine.reset()
        return engine.tick(given, patches, history, settings, Request(forced=forced, trace=trace))

    return run


class Golden:
    """The recorded inputs and values of one folder."""

    def __init__(self, folder: Path) -> None:
        self.settings = json.loads((folder / "golden.json").read_text())
        self._arrays = np.load(folder / "golden.npz")

    def __getitem__(self, name: str) -> np.ndarray:
        return self._arrays[name]

    def __contains__(self, name: str) -> bool:
        return name in self._arrays.files

    def observation(self, cameras: tuple[str, ...]) -> Observation:
        frames = self["frames"].transpose(0, 1, 3, 4, 2)
        return Observation(
            t0_ns=0,
            images=tuple(tuple(camera) for camera in frames),
            stamps_ns=np.zeros(frames.shape[:2], dtype=np.int64),
            stand_in=np.zeros(frames.shape[:2], dtype=bool),
            history_xyz=self["ego_history_xyz"][0, 0],
            history_rotation=self["ego_history_rot"][0, 0],
            cameras=cameras,
        )


def compare(folder: Path, device: str, dtype: str, engine: str | None = None) -> list[Quantity]:
    """Computes everything of a fixture folder and compares it; float32 products in full (PyTorch cuts some to TF32).

    Args:
        engine: preset of the real-time engine that runs the rollouts; None is the plain path.
    """
    convolutions, products = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        return _compare(folder, device, dtype, engine)
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = convolutions, products


def _compare(folder: Path, device: str, dtype: str, engine: str | None) -> list[Quantity]:
    golden = Golden(folder)
    loaded = checkpoint.load(str(folder / "checkpoint"), device, dtype)
    config = loaded.model.config
    observation = golden.observation(config.cameras)
    command = golden.settings.get("nav_text") or ""
    prompt = inputs.driving_prompt(config, loaded.vocabulary, observation, command)
    quantities = [
        _text(inputs.driving_text(config, observation, command), golden),
        _specials(loaded, golden),
        _equal("prompt_ids", prompt.unfused_ids[None], golden),
        _equal("fused_ids", prompt.ids[None], golden),
        _equal("image_grid_thw", prompt.grids, golden),
        _equal("rope_delta", np.array([[prompt.rope_delta]]), golden),
    ]
    patches = pixels.preprocess(inputs.frames(observation), config, device)
    quantities += _pixels("", patches, golden)
    frame = _full_frame()
    quantities.append(_equal("full_frame_grid", resize.grid(*frame.shape[:2], config)[None], golden))
    quantities += _pixels("full_frame_", pixels.preprocess([frame], config, device), golden)
    run = rollout if engine is None else _by_engine(loaded, engine)
    for name in ROLLOUTS:
        absent = [part for part in _Replay.needed(name) if part not in golden]
        if absent:
            quantities += [Quantity(part, None, 0.0) for part in absent]
            continue
        replay = _Replay(name, prompt, patches, golden, run)
        quantities += _against_golden(replay, loaded, golden) if dtype == "float32" else _against_twin(replay, loaded)
    return quantities


class _Replay:
    """The recorded rollout of one name, run again by any model."""

    @staticmethod
    def needed(name: str) -> list[str]:
        """The arrays without which there is nothing to run."""
        return [f"{name}_{part}" for part in ("generated_ids", "noise", "velocity", "action")]

    def __init__(self, name: str, prompt: Prompt, patches: torch.Tensor, golden: Golden, run: Run) -> None:
        self.name, self._prompt, self._patches, self._run = name, prompt, patches, run
        self.tokens, self.noise, self.velocity, self.action = (golden[array] for array in self.needed(name))
        self._history = golden["ego_history_xyz"][0, 0], golden["ego_history_rot"][0, 0]
        cut = "truncated_max_generation_length" if name == "truncated" else "max_generation_length"
        self._limit = golden.settings[cut]

    def run(
        self, loaded: Loaded, tokens: np.ndarray | None, path: np.ndarray | None, run: Run | None = None
    ) -> tuple[Rollout, Trace]:
        """Greedy where `tokens` is None, free in the flow where `path` is None."""
        trace, run = Trace(), run or self._run
        settings = Settings(samples=len(self.noise), temperature=0.0, max_tokens=self._limit)
        forced = Forced(tokens, self.noise, path)
        return run(*loaded, self._prompt, self._patches, self._history, settings, forced=forced, trace=trace), trace


def _against_golden(replay: _Replay, loaded: Loaded, golden: Golden) -> list[Quantity]:
    name, path = replay.name, replay.velocity[:-1]
    quantities = []
    result, trace = replay.run(loaded, replay.tokens if name == "sampled" else None, path)
    if name != "sampled":
        quantities.append(_equal(f"{name}_generated_ids", result.tokens, golden))
        if quantities[0].error:  # what follows would compare different sentences
            result, trace = replay.run(loaded, replay.tokens, path)
    free, _ = replay.run(loaded, replay.tokens, None)
    return [
        *quantities,
        _logits(name, _stack(trace.logits), _own_steps(result), golden),
        _near(f"{name}_velocity", _stack(trace.velocities), golden, FLOW),
        _near(f"{name}_action", result.action, golden, FLOW),
        _near(f"{name}_pred_xyz", result.motion.xyz[None, None], golden, METRES, "m"),
        _near(f"{name}_pred_rot", result.motion.rotation[None, None], golden, ROTATION),
        Quantity(f"{name}_free_action", float(np.abs(free.action - replay.action).max()), None),
    ]


def _against_twin(replay: _Replay, loaded: Loaded) -> list[Quantity]:
    twin = loaded._replace(model=float32_twin(loaded.model))
    exact, exact_trace = replay.run(twin, replay.tokens, None, rollout)
    path = _stack(exact_trace.velocities)
    result, trace = replay.run(loaded, replay.tokens, path[:-1])
    free, _ = replay.run(loaded, replay.tokens, None)
    own, config = _own_steps(result).T, loaded.model.config
    never_drawn = np.arange(config.trajectory_start, config.trajectory_start + config.trajectory_tokens)
    ours, theirs = (np.delete(_stack(t.logits)[own], never_drawn, axis=-1) for t in (trace, exact_trace))
    top = np.sort(theirs, axis=-1)[:, -2:]
    tie = top[:, 1] - top[:, 0] < TIE_GAP
    differs = (ours.argmax(-1) != theirs.argmax(-1))[~tie]
    speed = np.abs(_stack(trace.velocities) - path)
    metres, free_metres = (np.linalg.norm(r.motion.xyz - exact.motion.xyz, axis=-1) for r in (result, free))
    return [
        Quantity(f"{replay.name}_argmax_disagreement", float(differs.mean()) if differs.size else 0.0, DISAGREEMENT),
        Quantity(f"{replay.name}_tie_fraction", float(tie.mean()), None),
        Quantity(f"{replay.name}_velocity_largest", float(speed.max()), None),
        Quantity(f"{replay.name}_velocity_median", float(np.median(speed)), None),
        Quantity(f"{replay.name}_xyz_largest", float(metres.max()), None, "m"),
        Quantity(f"{replay.name}_xyz_median", float(np.median(metres)), None, "m"),
        Quantity(f"{replay.name}_free_xyz_largest", float(free_metres.max()), None, "m"),
        Quantity(f"{replay.name}_free_xyz_median", float(np.median(free_metres)), None, "m"),
    ]


def _stack(tensors: Sequence[torch.Tensor]) -> np.ndarray:
    return np.stack([tensor.float().cpu().numpy() for tensor in tensors])


def _own_steps(result: Rollout) -> np.ndarray:
    """(rows, steps) bool: the steps up to a row's end, the token after a stop included."""
    steps = np.arange(result.tokens.shape[1])
    return steps < (result.counts + (result.stops >= 0))[:, None]


def _pixels(prefix: str, patches: torch.Tensor, golden: Golden) -> list[Quantity]:
    """The first rows and every row's sum: equal on the CPU, within a grey level a pixel elsewhere."""
    level = 0.0 if patches.device.type == "cpu" else 1.001 / 127.5
    host, head = patches.cpu().numpy(), f"{prefix}pixel_values_head"
    rows = len(golden[head]) if head in golden else 0
    sums = host.sum(axis=1, dtype=np.float64)
    return [
        _near(head, host[:rows], golden, level),
        _near(f"{prefix}pixel_values_rowsum", sums, golden, level * host.shape[1]),
    ]


def _full_frame() -> np.ndarray:
    """The synthetic 1080p frame of the fixtures: channel c is 127 + 60 sin(x / (30 + 7c)) + 50 cos(y / (22 + 5c))."""
    y, x = np.mgrid[0:1080, 0:1920]
    channels = [127 + 60 * np.sin(x / (30 + 7 * c)) + 50 * np.cos(y / (22 + 5 * c)) for c in range(3)]
    return np.stack(channels, axis=-1).astype(np.uint8)


def _text(text: str, golden: Golden) -> Quantity:
    """The error is 1 where any character differs; runs of placeholders are collapsed as in the recording."""
    for token, label in (("<|image_pad|>", "IMAGE"), ("<|traj_history|>", "HISTORY")):
        text = re.sub(f"(?:{re.escape(token)})+", lambda m, t=token, n=label: f"<{n} x{len(m[0]) // len(t)}>", text)
    recorded = golden.settings.get("prompt_text_collapsed")
    return Quantity("prompt_text", None if recorded is None else float(text != recorded), 0.0)


def _specials(loaded: Loaded, golden: Golden) -> Quantity:
    """The error is the number of ids that differ."""
    recorded = golden.settings.get("special_token_ids")
    wrong = None if recorded is None else sum(loaded.vocabulary.id(name) != i for name, i in recorded.items())
    return Quantity("special_token_ids", wrong, 0.0)


def _equal(name: str, got: np.ndarray, golden: Golden) -> Quantity:
    """The error is the number of entries that differ."""
    if name not in golden:
        return Quantity(name, None, 0.0)
    same_shape = got.shape == golden[name].shape
    return Quantity(name, float((got != golden[name]).sum()) if same_shape else float("inf"), 0.0)


def _near(name: str, got: np.ndarray, golden: Golden, bound: float, unit: str = "") -> Quantity:
    """The error is the largest absolute difference."""
    if name not in golden:
        return Quantity(name, None, bound, unit)
    same_shape = got.shape == golden[name].shape
    return Quantity(name, float(np.abs(got - golden[name]).max()) if same_shape else float("inf"), bound, unit)


def _logits(name: str, got: np.ndarray, own: np.ndarray, golden: Golden) -> Quantity:
    """The error is relative to the largest logit, over each row's own steps."""
    name = f"{name}_step_logits"
    if name not in golden or got.shape != golden[name].shape:
        return Quantity(name, None if name not in golden else float("inf"), LOGITS)
    got, want = got[own.T], golden[name][own.T]
    kept = np.isfinite(want)  # the recording holds the trajectory mask's -inf
    error = np.abs(got[kept] - want[kept]).max() / np.abs(want[kept]).max()
    return Quantity(name, float(error), LOGITS, "of the largest")
