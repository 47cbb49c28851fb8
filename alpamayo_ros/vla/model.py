"""The Alpamayo model: a Qwen3-VL, an action expert over its keys and values, and the two projections.

It holds parameters and computes single passes: images, text, one velocity. Loops over them (decoding, flow, guidance)
are other files'. Parameter names are the released checkpoints'. Every pass is differentiable.
Specification sections 2.1 to 2.6.
"""

from __future__ import annotations

import copy
import importlib.util
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from alpamayo_ros.vla import backbone, quantise
from alpamayo_ros.vla.action_input import ActionInput, ActionStatistics
from alpamayo_ros.vla.config import DTYPES, ModelConfig
from alpamayo_ros.vla.kv import KeyValues


@dataclass(frozen=True, eq=False)
class ImageFeatures:
    """The vision encoder's output: (T, D) merged tokens, and a (T, D) tensor for each deepstack tap."""

    merged: torch.Tensor
    deepstack: list[torch.Tensor]


class Alpamayo(nn.Module):
    """Made by `build`, `create` or `checkpoint.load`; the parts start on the meta device.

    Attributes:
        config: sizes and ids.
        dtype: of the weights.
        attention: the VLM's attention implementation ("sdpa", "eager", "flash_attention_2").
    """

    def __init__(self, config: ModelConfig, dtype: torch.dtype, attention: str) -> None:
        super().__init__()
        self.config, self.dtype, self.attention = config, dtype, attention
        self.vlm = backbone.build_vlm(config, attention)
        self.expert = backbone.build_expert(config)
        width = config.expert_text["hidden_size"]
        stored = config.stores_buffers
        with torch.device("meta"):
            self.action_in_proj = ActionInput(config.action_input, width, dtype, stored)
            self.action_out_proj = nn.Linear(width, 2)
        self.action_space = ActionStatistics(config.action_space, dtype, stored)

    @property
    def device(self) -> torch.device:
        return self.action_out_proj.weight.device

    def autocast(self) -> AbstractContextManager:
        """The precision in which the released model runs: mixed where the weights are bfloat16 (section 2.5)."""
        if self.dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)

    def new_kv(self) -> KeyValues:
        return KeyValues(self.config.text["num_hidden_layers"])

    def encode_images(self, patches: torch.Tensor, grids: np.ndarray) -> ImageFeatures:
        """(P, 3 t p p) patches and (N, 3) grids -> features."""
        grid = torch.from_numpy(np.asarray(grids)).to(self.device)
        with self.autocast():
            return ImageFeatures(*backbone.encode_images(self.vlm.model.visual, patches, grid))

    def run_text(
        self,
        ids: torch.Tensor,
        positions: torch.Tensor,
        kv: KeyValues | None = None,
        images: ImageFeatures | None = None,
        mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """(B, L) ids at (3, B, L) positions -> (B, L, D) hidden states; keys and values are appended to `kv`.

        `mask` as in `backbone.run_layers`; it is needed for several tokens that follow others.
        """
        if mask is None and self.attention == "eager":  # the one attention that is not causal by itself
            mask = backbone.causal_mask(ids.shape[1], 0 if kv is None else kv.length, ids.device)
        with self.autocast():
            stack = self.vlm.model.language_model
            hidden = stack.embed_tokens(ids)
            if images is None:
                return backbone.run_layers(stack, hidden, positions, kv, mask)
            image_mask = ids == self.config.image_token
            hidden = hidden.masked_scatter(image_mask[..., None], images.merged.to(hidden.dtype))
            return backbone.run_layers(stack, hidden, positions, kv, mask, image_mask, images.deepstack)

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """(..., D) hidden states -> (..., vocabulary) float32 logits."""
        with self.autocast():
            return self.vlm.lm_head(hidden).float()

    def velocity(
        self, actions: torch.Tensor, time: torch.Tensor, positions: torch.Tensor, mask: torch.Tensor, kv: KeyValues
    ) -> torch.Tensor:
        """The flow's velocity at noisy actions (section 2.3); `kv` is as before afterwards, but for its keys' dtype.

        Args:
            actions: (B, N, 2) float32; time: (B, 1, 1) in [0, 1].
            positions: (3, B, N); mask: (B, 1, N, K + N) additive, over what `kv` holds and the actions.

        Returns:
            (B, N, 2) in the weights' dtype.
        """
        before = kv.length
        with self.autocast():
            hidden = backbone.run_layers(self.expert, self.action_in_proj(actions, time), positions, kv, mask)
            velocity = self.action_out_proj(hidden)
        kv.crop(before)
        return velocity


def build(config: ModelConfig, dtype: str, attention: str) -> Alpamayo:
    """A model without memory: parameters on the meta device.

    Raises:
        ValueError: a dtype or attention that is not supported.
    """
    if dtype not in DTYPES:
        raise ValueError(f"dtype '{dtype}' is not supported, only {' and '.join(DTYPES)}")
    if attention not in backbone.ATTENTIONS:
        raise ValueError(f"attention '{attention}' is not one of {', '.join(backbone.ATTENTIONS)}")
    if attention == "flash_attention_2":
        if importlib.util.find_spec("flash_attn") is None:
            raise ValueError("attention 'flash_attention_2' needs the package flash-attn; 'sdpa' does without it")
        if dtype != "bfloat16":
            raise ValueError(f"attention 'flash_attention_2' needs dtype 'bfloat16', not '{dtype}'")
    return Alpamayo(config, getattr(torch, dtype), attention).eval()


def create(
    config: ModelConfig, device: torch.device | str, dtype: str, seed: int, weights: str | None = None
) -> Alpamayo:
    """A model with random weights on `device`: for training from nothing, and for benches.

    `weights`: "fp8" or "int8" holds the layers' linears so.
    """
    model = build(config, dtype, "sdpa")
    if weights:
        quantise.shrink(model, weights)
    backbone.materialise(model, device)
    initialise(model, seed)
    return model


@torch.no_grad()
def initialise(model: Alpamayo, seed: int) -> None:
    """Random weights, made on the model's own device.

    Matrices are normal with the config's `initializer_range` (0.02), norms one, biases zero.
    """
    generator = torch.Generator(model.device).manual_seed(seed)
    deviation = model.config.text.get("initializer_range", 0.02)
    small = dict(quantise.linears(model))
    for linear in small.values():
        whole = torch.empty(linear.weight.shape, dtype=model.dtype, device=model.device)
        linear.take(whole.normal_(0.0, deviation, generator=generator))
    for name, parameter in model.named_parameters():
        if name.rpartition(".")[0] in small:
            continue
        if parameter.dim() > 1:
            parameter.normal_(0.0, deviation, generator=generator)
        else:
            parameter.fill_(0.0 if name.endswith("bias") else 1.0)


def float32_twin(model: Alpamayo) -> Alpamayo:
    """A copy that computes in float32 with the same, already rounded, weights and buffers."""
    twin = copy.deepcopy(model).float()
    twin.dtype = torch.float32
    return twin
