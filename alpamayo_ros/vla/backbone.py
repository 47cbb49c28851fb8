"""Qwen3-VL from transformers, and everything in which its versions differ (4.57 to 5.x).

The parameters, the vision encoder and the decoder layers are transformers'; the walk over the layers, the key-value
store, positions and masks are ours, because those are what changed between versions and what the expert needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from alpamayo_ros.vla.config import ModelConfig
from alpamayo_ros.vla.errors import CheckpointError
from alpamayo_ros.vla.kv import KeyValues
from alpamayo_ros.vla.quantise import QuantisedLinear

# transformers' vision encoder has its rotary base as a literal.
_VISION_ROPE_THETA = 10000.0

ATTENTIONS = ("sdpa", "eager", "flash_attention_2")


def build_vlm(config: ModelConfig, attention: str) -> nn.Module:
    """Qwen3VLForConditionalGeneration of the config's sizes on the meta device."""
    from transformers import AutoModelForImageTextToText, Qwen3VLConfig

    vlm_config = Qwen3VLConfig(**_plain(config.base))
    with torch.device("meta"):
        return AutoModelForImageTextToText.from_config(vlm_config, attn_implementation=attention)


def build_expert(config: ModelConfig) -> nn.Module:
    """The expert: a Qwen3-VL text stack without token embedding, on the meta device (section 2.2).

    Its attention is always sdpa: it takes a mask that flash-attn cannot (section 3.3).
    """
    from transformers import AutoModel
    from transformers.models.qwen3_vl.configuration_qwen3_vl import Qwen3VLTextConfig

    with torch.device("meta"):
        expert = AutoModel.from_config(Qwen3VLTextConfig(**config.expert_text), attn_implementation="sdpa")
    expert.embed_tokens = None
    return expert


def materialise(model: nn.Module, device: torch.device | str) -> None:
    """Gives an `Alpamayo` on the meta device its memory: parameters empty in its dtype (or in eight bits),
    rotary frequencies computed.

    The frequencies stay float32 whatever the weights are; rounding them would change every angle (section 3.3).

    Raises:
        CheckpointError: a buffer of this transformers version that this code does not know how to compute.
    """
    vision = set(model.vlm.model.visual.modules())
    for name, module in model.named_modules():
        for key, parameter in module.named_parameters(recurse=False):
            dtype = parameter.dtype if isinstance(module, QuantisedLinear) else model.dtype
            empty = torch.empty(parameter.shape, dtype=dtype, device=device)
            setattr(module, key, nn.Parameter(empty, requires_grad=parameter.requires_grad))
        for key, buffer in module.named_buffers(recurse=False):
            if not buffer.is_meta:
                setattr(module, key, buffer.to(device))
            elif key in ("inv_freq", "original_inv_freq"):
                theta = _VISION_ROPE_THETA if module in vision else model.config.text["rope_theta"]
                setattr(module, key, _inverse_frequencies(theta, buffer.numel(), device))
            else:
                raise CheckpointError(f"this transformers version has a buffer '{name}.{key}' that is not known here")


def encode_images(
    visual: nn.Module, patches: torch.Tensor, grids: torch.Tensor
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Runs the vision encoder.

    Args:
        patches: (P, 3 t p p); grids: (N, 3) int64 on the CPU or the device.

    Returns:
        (T, D) merged tokens of all images, and one such tensor for each deepstack tap.
    """
    output = visual(patches.to(visual.patch_embed.proj.weight.dtype), grid_thw=grids)
    if isinstance(output, tuple):  # transformers 4.57
        return output[0], list(output[1])
    return output.pooler_output, list(output.deepstack_features)


def run_layers(
    stack: nn.Module,
    hidden: torch.Tensor,
    positions: torch.Tensor,
    kv: KeyValues | None = None,
    mask: torch.Tensor | None = None,
    image_mask: torch.Tensor | None = None,
    deepstack: Sequence[torch.Tensor] = (),
) -> torch.Tensor:
    """Runs a text stack over embeddings.

    Args:
        hidden: (B, L, D) embeddings.
        positions: (3, B, L) mRoPE positions.
        kv: keys and values of what came before; those of `hidden` are appended. None keeps nothing.
        mask: (B, 1, L, K + L) additive; None is causal where nothing came before, and open for one token.
        image_mask: (B, L) bool, where the image tokens are; deepstack: (T, D) each, added there after the first
            layers.

    Returns:
        (B, L, D) after the final norm.
    """
    angles = stack.rotary_emb(hidden, positions)
    for index, layer in enumerate(stack.layers):
        hidden = layer(hidden, position_embeddings=angles, attention_mask=mask, past_key_values=kv)
        if index < len(deepstack):
            added = hidden[image_mask] + deepstack[index].to(hidden.dtype)
            hidden = hidden.masked_scatter(image_mask[..., None], added)
    return stack.norm(hidden)


def causal_mask(new: int, past: int, device: torch.device) -> torch.Tensor:
    """(1, 1, new, past + new) additive float32 mask for several tokens that follow others."""
    closed = torch.ones(new, past + new, dtype=torch.bool, device=device).triu(past + 1)
    return torch.zeros(closed.shape, device=device).masked_fill(closed, torch.finfo(torch.float32).min)[None, None]


def _inverse_frequencies(theta: float, count: int, device: torch.device | str) -> torch.Tensor:
    exponent = torch.arange(0, 2 * count, 2, dtype=torch.float32) / (2 * count)
    return (1.0 / theta**exponent).to(device)


def _plain(value: Any) -> Any:
    """Nested mappings as fresh dicts: transformers' configs keep and change what they are given."""
    return {key: _plain(item) for key, item in value.items()} if isinstance(value, Mapping) else value
