"""Where the tokens of the small model's prompt and answer stand: one row for each command and decision.

All prompts agree up to the command, so a batch is rows of a table with the history put in. The rows hold exactly the
tokens that a rollout reads and should say: prompt, sentence, `<|cot_end|>`, `<|traj_future_start|>`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alpamayo_ros.vla import positions, prompt, resize
from alpamayo_ros.vla.config import ModelConfig
from alpamayo_ros.vla.tokens import Vocabulary, token
from alpamayo_ros.world.causes import Decision
from alpamayo_ros.world.scenario import TURN_COMMANDS

from .small import IMAGE

COMMANDS = ("", *TURN_COMMANDS.values())
DECISIONS = tuple(Decision)
IGNORED = -100
_ALIGN = 8  # attention kernels want masks of such lengths


@dataclass(frozen=True, eq=False)
class Layout:
    """Tables over (commands C, decisions D) of rows of L tokens, padded at the right.

    Attributes:
        ids: (C, D, L) with the history's placeholders still in.
        targets: (C, D, L) the token that follows each place of the answer, `IGNORED` elsewhere.
        prompts: (C,) length of the prompt; ends: (C, D) length of prompt and answer.
        positions: (3, L) mRoPE positions, the same for all rows.
        rope_delta: place i >= a prompt's length has position i + rope_delta.
        images, history: places of the image tokens (16 n,) and of the history tokens (48,).
        grid: (3,) patches of an image.
        tail: the first place that differs between rows.
    """

    ids: np.ndarray
    targets: np.ndarray
    prompts: np.ndarray
    ends: np.ndarray
    positions: np.ndarray
    rope_delta: int
    images: np.ndarray
    history: np.ndarray
    grid: np.ndarray
    tail: int


def lay_out(config: ModelConfig, vocabulary: Vocabulary) -> Layout:
    """The tables of a model; images of the size that it was made for."""
    grid = resize.grid(IMAGE.height, IMAGE.width, config)
    tokens = positions.image_tokens(grid, config.merge_size)
    counts = [[tokens] * 4] * len(config.cameras)
    prompts = [vocabulary.encode(prompt.driving(config, counts, command)) for command in COMMANDS]
    answers = [vocabulary.encode(each.text + token("cot_end") + token("traj_future_start")) for each in DECISIONS]
    longest = max(map(len, prompts)) + max(map(len, answers))
    length = -(-longest // _ALIGN) * _ALIGN
    ids = np.full((len(prompts), len(answers), length), vocabulary.ids.pad, dtype=np.int64)
    targets = np.full(ids.shape, IGNORED, dtype=np.int64)
    ends = np.zeros(ids.shape[:2], dtype=np.int64)
    for c, asked in enumerate(prompts):
        for d, said in enumerate(answers):
            ends[c, d] = len(asked) + len(said)
            ids[c, d, : ends[c, d]] = np.concatenate([asked, said])
            targets[c, d, len(asked) - 1 : ends[c, d] - 1] = said
    grids = np.tile(grid, (4 * len(config.cameras), 1))
    places, delta = positions.mrope(ids[0, 0], grids, config.image_token, config.merge_size)
    row = ids[0, 0]
    return Layout(
        ids, targets, np.array([len(asked) for asked in prompts]), ends, places, delta,
        np.flatnonzero(row == config.image_token), np.flatnonzero(row == vocabulary.ids.history), grid,
        int(np.flatnonzero(row == vocabulary.ids.history)[-1]) + 1,
    )  # fmt: skip
