"""A text stack's weights as the engine reads them: merged products, and their quantised forms.

Merging moves no meaning: the model's own parameters become views of the merged ones, so that the plain path goes on
working, nothing is held twice, and a change of weights in place reaches both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True, eq=False)
class Matrix:
    """(N, K) weights; `scale` (N,) float32 multiplies the product's columns where they are quantised."""

    weight: torch.Tensor
    scale: torch.Tensor | None = None


@dataclass(frozen=True, eq=False)
class Layer:
    """One decoder layer: gains of its norms, and its four products."""

    input_gain: torch.Tensor
    qkv: Matrix
    q_gain: torch.Tensor
    k_gain: torch.Tensor
    out: Matrix
    post_gain: torch.Tensor
    gate_up: Matrix
    down: Matrix


@dataclass(frozen=True, eq=False)
class Stack:
    """A text stack: layers, final gain, and the sizes that its products do not show."""

    layers: tuple[Layer, ...]
    gain: torch.Tensor
    eps: float
    heads: int
    kv_heads: int
    head: int


@torch.no_grad()
def merged(linears: Sequence[nn.Linear]) -> torch.Tensor:
    """The rows of several linears as one (N, K) tensor, of which their own weights become views."""
    if _together(linears):
        first = linears[0].weight
        rows = sum(linear.weight.shape[0] for linear in linears)
        return first.detach().as_strided((rows, first.shape[1]), (first.shape[1], 1))
    whole = torch.cat([linear.weight.detach() for linear in linears])
    row = 0
    for linear in linears:
        rows = linear.weight.shape[0]
        linear.weight = nn.Parameter(whole[row : row + rows], requires_grad=linear.weight.requires_grad)
        row += rows
    return whole


def _together(linears: Sequence[nn.Linear]) -> bool:
    """Whether the weights already lie one after the other in one storage."""
    weights = [linear.weight for linear in linears]
    storage, place = weights[0].untyped_storage().data_ptr(), weights[0].storage_offset()
    for weight in weights:
        if weight.untyped_storage().data_ptr() != storage or weight.storage_offset() != place:
            return False
        place += weight.numel()
    return True


def pack(stack: nn.Module, text: dict) -> Stack:
    """A transformers text stack as the engine reads it; `text` is its configuration."""
    layers = []
    for layer in stack.layers:
        attention, mlp = layer.self_attn, layer.mlp
        layers.append(
            Layer(
                layer.input_layernorm.weight.detach(),
                Matrix(merged([attention.q_proj, attention.k_proj, attention.v_proj])),
                attention.q_norm.weight.detach(),
                attention.k_norm.weight.detach(),
                Matrix(attention.o_proj.weight.detach()),
                layer.post_attention_layernorm.weight.detach(),
                Matrix(merged([mlp.gate_proj, mlp.up_proj])),
                Matrix(mlp.down_proj.weight.detach()),
            )
        )
    return Stack(
        tuple(layers),
        stack.norm.weight.detach(),
        text["rms_norm_eps"],
        text["num_attention_heads"],
        text["num_key_value_heads"],
        text["head_dim"],
    )
