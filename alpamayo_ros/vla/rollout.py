"""One tick of the model: images and prompt in; reasoning, actions and trajectories of every sample out.

The prompt is read once for all samples. Tokens and noise can be given instead of drawn, which replays a run exactly.
Specification sections 3.2 and 3.4.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch

from alpamayo_ros.vla import decoding, flow, guidance
from alpamayo_ros.vla.inputs import Prompt
from alpamayo_ros.vla.model import Alpamayo
from alpamayo_ros.vla.outcome import Rollout, Settings, outcome
from alpamayo_ros.vla.sampling import Choose, Sampler, StopRule, replay
from alpamayo_ros.vla.timing import Stopwatch
from alpamayo_ros.vla.tokens import Vocabulary


@dataclass(frozen=True, eq=False)
class Forced:
    """What a replay takes instead of drawing or computing it.

    Attributes:
        tokens: (rows, steps); None draws them.
        noise: (rows, N, 2); None draws it.
        path: (steps, rows, N, 2) velocities along which the flow's first steps are taken.
    """

    tokens: np.ndarray | None = None
    noise: np.ndarray | None = None
    path: np.ndarray | None = None


@dataclass(eq=False)
class Trace:
    """Filled by a rollout that it is given to: what parity compares."""

    logits: list[torch.Tensor] = field(default_factory=list)
    velocities: list[torch.Tensor] = field(default_factory=list)


def rollout(
    model: Alpamayo,
    vocabulary: Vocabulary,
    given: Prompt,
    patches: torch.Tensor,
    history: tuple[np.ndarray, np.ndarray],
    settings: Settings,
    generator: torch.Generator | None = None,
    forced: Forced | None = None,
    trace: Trace | None = None,
) -> Rollout:
    """Runs one tick.

    Args:
        patches: of `pixels.preprocess`, on the model's device.
        history: (H, 3) positions in metres and (H, 3, 3) rotations, ego frame of t0.
        generator: on the model's device. It is drawn from once a token, then once for the noise.
    """
    watch, forced = Stopwatch(model.device), forced or Forced()
    with torch.inference_mode():
        with watch("vision"):
            images = model.encode_images(patches, given.grids)
        with watch("prefill"):
            state = decoding.prefill(model, given, images)
        with watch("decode"):
            speech = _speech(model, vocabulary, settings, generator, forced)
            kv = state.kv.expanded(speech.rows)
            tokens = _collected(decoding.decode(model, state, kv, speech.choose, speech.rule, speech.limit), trace)
        stops = _first(tokens, vocabulary.ids.future_start)
        with watch("flow"):
            velocity = flow.field(model, kv, flow.row_offsets(state.length, tokens, stops), state.rope_delta)
            if settings.guidance_weight is not None:
                plain = guidance.unguided_field(model, vocabulary, given, images, tokens, stops)
                velocity = flow.guided(velocity, plain, settings.guidance_weight)
            noise = _noise(model, len(tokens), settings, generator, forced)
            path = () if forced.path is None else torch.from_numpy(forced.path).to(model.device)
            steps = settings.flow_steps or model.config.flow_steps
            action, velocities = flow.integrate(velocity, noise, steps, path)
            action = action.cpu().numpy()
    if trace is not None:
        trace.velocities += velocities
    scale = model.action_space.scale()
    return outcome(model.config, vocabulary, scale, tokens.cpu().numpy(), action, history, watch.seconds)


class _Speech(NamedTuple):
    """How the rows' tokens are chosen and when they end."""

    rows: int
    choose: Choose
    rule: StopRule | None
    limit: int


def _speech(
    model: Alpamayo, vocabulary: Vocabulary, settings: Settings, generator: torch.Generator | None, forced: Forced
) -> _Speech:
    if forced.tokens is not None:
        rows, steps = forced.tokens.shape
        return _Speech(rows, replay(torch.from_numpy(forced.tokens).to(model.device)), None, steps)
    ids, config = vocabulary.ids, model.config
    masked = range(config.trajectory_start, config.trajectory_start + config.trajectory_tokens)
    sampler = Sampler(settings.temperature, settings.top_p, masked, generator)
    rule = StopRule(settings.samples, ids.im_end, ids.pad, ids.future_start, model.device)
    return _Speech(settings.samples, sampler, rule, settings.max_tokens)


def _collected(steps: Iterator[tuple[torch.Tensor, torch.Tensor]], trace: Trace | None) -> torch.Tensor:
    """(rows, steps) tokens of a decoding; their logits go into the trace."""
    tokens = []
    for column, logits in steps:
        tokens.append(column)
        if trace is not None:
            trace.logits.append(logits)
    return torch.stack(tokens, dim=1)


def _first(tokens: torch.Tensor, token: int) -> torch.Tensor:
    """(rows,) index of a row's first such token, -1 where there is none."""
    found = tokens == token
    return torch.where(found.any(1), found.int().argmax(1), -1)


def _noise(
    model: Alpamayo, rows: int, settings: Settings, generator: torch.Generator | None, forced: Forced
) -> torch.Tensor:
    if forced.noise is not None:
        return torch.from_numpy(forced.noise).to(model.device)
    shape = (rows, model.config.action_space.n_waypoints, 2)
    return torch.randn(shape, device=model.device, generator=generator) * settings.noise_scale
