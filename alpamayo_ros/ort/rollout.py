"""One tick on the exported graphs: image features and prompt in; reasoning, actions and trajectories out.

The same steps as `vla/rollout.py`'s, in numpy: one prefill for all samples, tokens until the stop rule ends them, Euler
steps of the flow over the keys and values. Specification sections 2.6, 2.7 and 3.2.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from alpamayo_ros.ort.sampling import Sampler, StopRule
from alpamayo_ros.ort.sessions import Sessions
from alpamayo_ros.vla.config import ModelConfig
from alpamayo_ros.vla.inputs import Prompt
from alpamayo_ros.vla.outcome import Rollout, Settings, first, outcome
from alpamayo_ros.vla.rotary import text_tables
from alpamayo_ros.vla.tokens import Vocabulary
from alpamayo_ros.vla.unicycle import Scale

if TYPE_CHECKING:
    from onnxruntime import OrtValue

Tables = Mapping[str, np.ndarray]
# (rows, V) logits -> (rows,) token ids.
Choose = Callable[[np.ndarray], np.ndarray]
# (rows, N, 2) noisy actions and the flow time -> (rows, N, 2) velocities.
Velocity = Callable[[np.ndarray, np.float32], np.ndarray]


@dataclass(frozen=True, eq=False)
class Model:
    """The graphs, and what the steps between them need."""

    config: ModelConfig
    vocabulary: Vocabulary
    scale: Scale
    sessions: Sessions


@dataclass(frozen=True, eq=False)
class Read:
    """Keys and values of what the model has read, by the name under which the next graph takes them."""

    past: dict[str, OrtValue | np.ndarray]
    logits: np.ndarray

    @staticmethod
    def of(outputs: Mapping[str, OrtValue]) -> Read:
        past = {f"past_{name}": value for name, value in outputs.items() if name != "logits"}
        return Read(past, outputs["logits"].numpy())

    def expanded(self, rows: int) -> Read:
        """The same for so many rows that continue it."""
        if rows == 1:
            return self
        past = {name: np.repeat(value.numpy(), rows, axis=0) for name, value in self.past.items()}
        return Read(past, np.repeat(self.logits, rows, axis=0))


@dataclass
class _Watch:
    """Seconds by stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds[stage] = time.perf_counter() - began


def rollout(
    model: Model,
    given: Prompt,
    features: Mapping[str, np.ndarray],
    history: tuple[np.ndarray, np.ndarray],
    settings: Settings,
    rng: np.random.Generator,
    noise: np.ndarray | None = None,
) -> Rollout:
    """Runs one tick.

    Args:
        features: of `ImageFeatures`, the prompt's images.
        history: (H, 3) positions in metres and (H, 3, 3) rotations, ego frame of t0.
        rng: drawn from for the tokens first, then for the noise.
        noise: (rows, N, 2) float32; None draws it.
    """
    watch, config, ids = _Watch(), model.config, model.vocabulary.ids
    rows, waypoints, length = settings.samples, config.action_space.n_waypoints, len(given.ids)
    tables = tables_of(config, given, length + settings.max_tokens + waypoints)
    sampler = Sampler(settings.temperature, settings.top_p, rng)
    rule = StopRule(rows, ids.im_end, ids.pad, ids.future_start)
    with watch("prefill"):
        read = prefill(model, given, features, tables).expanded(rows)
    with watch("decode"):
        choose = partial(spoken, config, sampler)
        tokens, read = decode(model, read, length, tables, choose, rule, settings.max_tokens)
    with watch("flow"):
        if noise is None:
            noise = settings.noise_scale * rng.standard_normal((rows, waypoints, 2), dtype=np.float32)
        offsets = row_offsets(length, tokens, ids.future_start)
        velocity = field_of(model, read, offsets, length + tokens.shape[1] - 1, tables)
        action, _ = integrate(velocity, noise, settings.flow_steps or config.flow_steps)
    return outcome(config, model.vocabulary, model.scale, tokens, action, history, watch.seconds)


def prefill(model: Model, given: Prompt, features: Mapping[str, np.ndarray], tables: Tables) -> Read:
    """Reads a prompt with its images."""
    image_tokens = np.flatnonzero(given.ids == model.config.image_token)
    places = np.stack([np.zeros_like(image_tokens), image_tokens], axis=-1)
    index = np.arange(len(given.ids))[None]
    return Read.of(
        model.sessions.prefill({"ids": given.ids[None], "index": index, "places": places, **features, **tables})
    )


def decode(
    model: Model, read: Read, length: int, tables: Tables, choose: Choose, rule: StopRule | None, limit: int
) -> tuple[np.ndarray, Read]:
    """Continues what was read, one token a row and step.

    Args:
        length: how many tokens have been read.
        rule: ends it before `limit` tokens; None does not.

    Returns:
        (rows, steps) tokens, and what has been read after them: all but the last.
    """
    said: list[np.ndarray] = []
    while True:
        tokens = choose(read.logits)
        if rule is not None:
            tokens = rule.padded(tokens)
        said.append(tokens)
        if len(said) == limit or (rule is not None and rule.finished(tokens)):
            return np.stack(said, axis=1), read
        index = np.full((len(tokens), 1), length + len(said) - 1)
        read = Read.of(model.sessions.decode({"ids": tokens[:, None], "index": index, **read.past, **tables}))


def spoken(config: ModelConfig, sampler: Sampler, logits: np.ndarray) -> np.ndarray:
    """Draws token ids; the graphs' logits leave the trajectory tokens out."""
    place = sampler(logits)
    return np.where(place < config.trajectory_start, place, place + config.trajectory_tokens)


def row_offsets(length: int, tokens: np.ndarray, stop: int) -> np.ndarray:
    """(rows,) index right after each row's stop; after everything for a row without one."""
    stops = first(tokens, stop)
    return length + np.where(stops >= 0, stops + 1, tokens.shape[1])


def field_of(model: Model, read: Read, offsets: np.ndarray, kept: int, tables: Tables) -> Velocity:
    """The velocity that the expert sees after what was said.

    Args:
        offsets: (rows,) index right after each row's end. The actions stand there and see nothing that was read from
            there on; they see each other.
        kept: how many tokens `read` holds.
    """
    waypoints = model.config.action_space.n_waypoints
    columns = np.arange(kept + waypoints)
    closed = (columns >= offsets[:, None]) & (columns < kept)
    mask = np.where(closed, np.finfo(np.float32).min, np.float32(0))[:, None, None]
    feeds = {
        "index": offsets[:, None] + np.arange(waypoints),
        "mask": mask,
        **read.past,
        **tables,
    }

    def velocity(actions: np.ndarray, time: np.float32) -> np.ndarray:
        fed = {"actions": actions, "time": np.full((1, 1, 1), time, np.float32), **feeds}
        return model.sessions.expert(fed)["velocity"].numpy()

    return velocity


def integrate(
    velocity: Velocity, noise: np.ndarray, steps: int, path: Sequence[np.ndarray] = ()
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Euler steps of equal length from noise (t = 0) to actions (t = 1), in float32.

    Args:
        noise: (rows, N, 2) float32.
        path: velocities recorded elsewhere; the first steps are taken along them instead of the computed ones.

    Returns:
        (rows, N, 2) float32 actions, and the velocity computed at each step.
    """
    times = np.linspace(0, 1, steps + 1, dtype=np.float32)
    x, velocities = noise, []
    for step, (start, end) in enumerate(zip(times[:-1], times[1:], strict=True)):
        velocities.append(velocity(x, start))
        x = x + (end - start) * (path[step] if step < len(path) else velocities[-1])
    return x, velocities


def tables_of(config: ModelConfig, given: Prompt, rows: int) -> Tables:
    """The rotary tables of a prompt and what follows it, so many tokens in all."""
    cos, sin = text_tables(given.positions, given.rope_delta, rows, config.text)
    return {"cos": cos, "sin": sin}
