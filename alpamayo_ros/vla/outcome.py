"""How a tick is sampled, and what came of it: the values that every runtime of the model takes and gives. No torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alpamayo_ros.vla import prompt, unicycle
from alpamayo_ros.vla.config import ModelConfig
from alpamayo_ros.vla.tokens import Vocabulary


@dataclass(frozen=True)
class Settings:
    """How a tick is sampled.

    Attributes:
        samples: rows that continue the prompt.
        temperature: of the tokens; 0 is greedy.
        top_p: probability of the nucleus.
        max_tokens: of one row's answer, its stop and the one after it included.
        flow_steps: Euler steps; None is the checkpoint's own number.
        noise_scale: of the actions' start; below 1 is less diverse.
        guidance_weight: of the navigation text; None guides not at all.
    """

    samples: int = 1
    temperature: float = 0.6
    top_p: float = 0.98
    max_tokens: int = 256
    flow_steps: int | None = None
    noise_scale: float = 1.0
    guidance_weight: float | None = None


@dataclass(frozen=True, eq=False)
class Rollout:
    """What came out, on the host.

    Attributes:
        tokens: (rows, steps) int64 after the prompt, padding and surplus after a row's end included.
        counts: (rows,) how many of them are the row's own, its stop included.
        stops: (rows,) index of the row's stop token, -1 where it never said it.
        truncated: (rows,) bool, cut off by the limit before it said stop or ended.
        reasoning: one text a row, "" where it was cut off before its end.
        text: one text a row, the row's own tokens with the special ones spelled out.
        action: (rows, N, 2) normalised.
        motion: the trajectories.
        seconds: by stage.
    """

    tokens: np.ndarray
    counts: np.ndarray
    stops: np.ndarray
    truncated: np.ndarray
    reasoning: tuple[str, ...]
    text: tuple[str, ...]
    action: np.ndarray
    motion: unicycle.Motion
    seconds: dict[str, float]


def first(tokens: np.ndarray, token: int) -> np.ndarray:
    """(rows,) index of a row's first such token, -1 where there is none."""
    found = tokens == token
    return np.where(found.any(1), found.argmax(1), -1)


def outcome(
    config: ModelConfig,
    vocabulary: Vocabulary,
    scale: unicycle.Scale,
    tokens: np.ndarray,
    action: np.ndarray,
    history: tuple[np.ndarray, np.ndarray],
    seconds: dict[str, float],
) -> Rollout:
    """Reads the rows' texts and integrates their actions.

    Args:
        scale: the action statistics in effect.
        tokens: (rows, steps) after the prompt; action: (rows, N, 2) normalised.
        history: (H, 3) positions in metres and (H, 3, 3) rotations, ego frame of t0.
    """
    stops = first(tokens, vocabulary.ids.future_start)
    ends = first(tokens, vocabulary.ids.im_end)
    last = np.where(ends >= 0, ends, tokens.shape[1] - 1)
    counts = np.where(stops >= 0, stops, last) + 1
    truncated = (stops < 0) & (ends < 0)
    text = tuple(vocabulary.decode(row[:count]) for row, count in zip(tokens, counts, strict=True))
    reasoning = tuple(prompt.extract(words, "cot") or "" for words in text)
    xyz, rotation = (np.asarray(part, dtype=np.float32) for part in history)
    space = config.action_space
    speed = unicycle.initial_speed(xyz, rotation, space)
    motion = unicycle.decode(action, np.full(len(action), speed), space, scale, xyz[-1, 2])
    return Rollout(tokens, counts, stops, truncated, reasoning, text, action, motion, seconds)
