"""Prefill and token-by-token decoding of the VLM, one prompt and several rows that continue it.

The prompt's keys and values are computed once and seen by every row. What is chosen is `sampling.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from alpamayo_ros.vla.inputs import Prompt
from alpamayo_ros.vla.kv import KeyValues
from alpamayo_ros.vla.model import Alpamayo, ImageFeatures
from alpamayo_ros.vla.sampling import Choose, StopRule


@dataclass(frozen=True, eq=False)
class Prefilled:
    """A prompt that has been read.

    Attributes:
        kv: keys and values of its L tokens, one row.
        logits: (1, vocabulary) of the first token to come.
        length: L.
        rope_delta: the token at index i >= L has position i + rope_delta.
    """

    kv: KeyValues
    logits: torch.Tensor
    length: int
    rope_delta: int


def prefill(model: Alpamayo, prompt: Prompt, images: ImageFeatures) -> Prefilled:
    """Reads a prompt with its images."""
    ids = torch.from_numpy(prompt.ids).to(model.device)[None]
    positions = torch.from_numpy(prompt.positions).to(model.device)[:, None]
    kv = model.new_kv()
    hidden = model.run_text(ids, positions, kv, images)
    return Prefilled(kv, model.logits(hidden[:, -1]), len(prompt.ids), prompt.rope_delta)


def decode(
    model: Alpamayo, state: Prefilled, kv: KeyValues, choose: Choose, rule: StopRule | None, limit: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Continues a prompt, one token a row and step.

    The last token is chosen but not read: afterwards `kv` holds the prompt and all tokens but the last.

    Args:
        kv: the prompt's keys and values, expanded to the rows.
        rule: ends it before `limit` tokens; None does not.

    Yields:
        (rows,) tokens and the (rows, vocabulary) raw logits they were chosen from.
    """
    rows = kv.keys[0].shape[0]
    logits = state.logits.expand(rows, -1)
    for step in range(limit):
        tokens = choose(logits, step)
        if rule is not None:
            tokens = rule.padded(tokens)
        yield tokens, logits
        if step + 1 == limit or (rule is not None and rule.finished(tokens)):
            return
        place = state.length + step + state.rope_delta
        positions = torch.full((3, rows, 1), place, dtype=torch.int64, device=tokens.device)
        logits = model.logits(model.run_text(tokens[:, None], positions, kv)[:, -1])
