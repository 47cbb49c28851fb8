"""Classifier-free guidance on the navigation text: the same words and images, without the route.

What the guided rows said is read again behind a prompt from which the navigation text was cut.
Specification section 3.4.
"""

from __future__ import annotations

import numpy as np
import torch

from alpamayo_ros.vla import backbone, decoding, flow, positions
from alpamayo_ros.vla.config import ModelConfig
from alpamayo_ros.vla.errors import InputError
from alpamayo_ros.vla.inputs import Prompt
from alpamayo_ros.vla.model import Alpamayo, ImageFeatures
from alpamayo_ros.vla.tokens import Vocabulary


def without_route(given: Prompt, vocabulary: Vocabulary, config: ModelConfig) -> Prompt:
    """The prompt without its navigation text and the two tokens around it.

    Raises:
        InputError: `no_route` where it has none.
    """
    starts = np.flatnonzero(given.ids == vocabulary.id("route_start"))
    ends = np.flatnonzero(given.ids == vocabulary.id("route_end"))
    if len(starts) != 1 or len(ends) != 1:
        raise InputError("no_route", "guidance compares with and without a navigation text, and the prompt has none")
    span = np.arange(starts[0], ends[0] + 1)
    ids = np.delete(given.ids, span)
    places, delta = positions.mrope(ids, given.grids, config.image_token, config.merge_size)
    return Prompt(np.delete(given.unfused_ids, span), ids, places, delta, given.grids)


def unguided_field(
    model: Alpamayo,
    vocabulary: Vocabulary,
    given: Prompt,
    images: ImageFeatures,
    tokens: torch.Tensor,
    stops: torch.Tensor,
) -> flow.Field:
    """The field that the expert sees after the same (rows, steps) tokens without the navigation text.

    Raises:
        InputError: `no_route`, or as `check_supported` says.
    """
    check_supported(model)
    plain = decoding.prefill(model, without_route(given, vocabulary, model.config), images)
    rows, steps = tokens.shape
    kv = plain.kv.expanded(rows)
    offsets = flow.row_offsets(plain.length, tokens, stops)
    columns = plain.length + torch.arange(steps, device=tokens.device)
    said = torch.where(columns < offsets[:, None], tokens, vocabulary.ids.pad)
    # Nobody reads padding: neither what follows a row's stop, nor what follows its end.
    mask = backbone.causal_mask(steps, plain.length, tokens.device).repeat(rows, 1, 1, 1)
    padding = (said == vocabulary.ids.pad)[:, None, None]
    mask[..., plain.length :].masked_fill_(padding, torch.finfo(mask.dtype).min)
    model.run_text(said, (columns + plain.rope_delta).expand(3, rows, -1), kv, mask=mask)
    return flow.field(model, kv, offsets, plain.rope_delta)


def check_supported(model: Alpamayo) -> None:
    """Refuses guidance of a model without commands, and with flash-attn, which cannot leave out padding between rows.

    Raises:
        InputError: `guidance_not_supported`, `guidance_attention`.
    """
    if not model.config.takes_command:
        raise InputError("guidance_not_supported", "guidance is on the navigation text, and Alpamayo R1 takes none")
    if model.attention == "flash_attention_2":
        raise InputError("guidance_attention", "guidance needs attention 'sdpa' or 'eager', not 'flash_attention_2'")
