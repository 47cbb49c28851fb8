"""A drive of small frames on the 0.1 s grid, and one tick of it by the engine or by the plain path."""

import dataclasses

import numpy as np

from alpamayo_ros.contract import SLOT_PERIOD_NS, make_example
from alpamayo_ros.vla import inputs, pixels
from alpamayo_ros.vla.engine.engine import Engine, Limits, Request
from alpamayo_ros.vla.engine.presets import PRESETS
from alpamayo_ros.vla.engine.sight import shots
from alpamayo_ros.vla.outcome import Settings
from alpamayo_ros.vla.rollout import Forced, Trace, rollout


class Scene:
    """Four strips of noise frames; tick k sees four of each, and shares twelve images with the tick before."""

    def __init__(self, seed, ticks, size=(64, 96)):
        rng = np.random.default_rng(seed)
        self.strips = [[rng.integers(0, 256, (*size, 3), dtype=np.uint8) for _ in range(ticks + 4)] for _ in range(4)]
        self.walks = rng.uniform(0.1, 0.5, (ticks, 1))

    def __getitem__(self, k):
        example = make_example()
        return dataclasses.replace(
            example,
            t0_ns=(k + 4) * SLOT_PERIOD_NS,
            images=tuple(tuple(strip[k : k + 4]) for strip in self.strips),
            stamps_ns=np.broadcast_to(np.arange(k + 1, k + 5) * SLOT_PERIOD_NS, (4, 4)).copy(),
            history_xyz=example.history_xyz * self.walks[k],
        )


def engine_of(loaded, preset="exact", samples=1, tokens=16, **changes):
    switches = dataclasses.replace(PRESETS[preset], **changes)
    return Engine(loaded, switches, Limits(prompt_tokens=640, tokens=tokens, samples=samples))


def prompt_of(loaded, observation):
    return inputs.driving_prompt(loaded.model.config, loaded.vocabulary, observation)


def tick(engine, loaded, observation, settings=None, patches=False, **request):
    """The engine's result and its trace."""
    settings, trace = settings or Settings(temperature=0.0, max_tokens=8), Trace()
    given = prompt_of(loaded, observation)
    images = shots(observation)
    if patches:
        images = pixels.preprocess(inputs.frames(observation), loaded.model.config, loaded.model.device)
    history = observation.history_xyz, observation.history_rotation
    return engine.tick(given, images, history, settings, Request(trace=trace, **request)), trace


def plain(loaded, observation, settings=None, forced=None):
    """The plain path's result and its trace."""
    settings, trace = settings or Settings(temperature=0.0, max_tokens=8), Trace()
    patches = pixels.preprocess(inputs.frames(observation), loaded.model.config, loaded.model.device)
    history = observation.history_xyz, observation.history_rotation
    given = prompt_of(loaded, observation)
    return rollout(*loaded, given, patches, history, settings, forced=forced, trace=trace), trace


def stopped_words(loaded, count=6, samples=1, seed=0):
    """Words that end with the stop and one token after it."""
    words = np.random.default_rng(seed).integers(0, 256, (samples, count))
    words[:, -2] = loaded.vocabulary.ids.future_start
    return words


def noise_of(samples=1, seed=0):
    return np.random.default_rng(seed).standard_normal((samples, 64, 2)).astype(np.float32)


def difference(ours, theirs):
    """Largest absolute difference of two lists of tensors."""
    return max(float((a.float() - b.float()).abs().max()) for a, b in zip(ours, theirs, strict=True))


def off(ours, truth):
    """The norm of the difference by the norm of what is true."""
    pairs = list(zip(ours, truth, strict=True))
    return (sum(_norm2(a.float() - b.float()) for a, b in pairs) / sum(_norm2(b.float()) for _, b in pairs)) ** 0.5


def _norm2(x):
    return float(x.square().sum())


__all__ = [
    "Forced", "Scene", "difference", "engine_of", "noise_of", "off", "plain", "prompt_of", "stopped_words", "tick",
]  # fmt: skip
