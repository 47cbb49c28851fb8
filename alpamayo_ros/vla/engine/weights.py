"""A text stack's weights as the engine reads them: merged products, and their quantised forms.

Merging moves no meaning: the model's own parameters become views of the merged ones, so that the plain path goes on
working, nothing is held twice, and a change of weights in place reaches both. Only the quantised copies that an engine
makes of a model that is not quantised are held beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from alpamayo_ros.vla import quantise

# Rows up to which a product is bound by its weights' bytes, so that streaming them beats a library's tiles.
FEW = 64


@dataclass(frozen=True, eq=False)
class Matrix:
    """(N, K) weights; `scale` (N,) float32 multiplies the product's columns where they are quantised.

    Products of more than `FEW` rows with float8 weights take their activations in float8 too, one scale a row.
    """

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
def merged(linears: Sequence[nn.Module], name: str = "weight") -> torch.Tensor:
    """The rows of several linears as one (N, K) tensor, of which their own weights become views."""
    parts = [getattr(linear, name) for linear in linears]
    if _together(parts):
        first = parts[0]
        rows = sum(len(part) for part in parts)
        return first.detach().as_strided((rows, *first.shape[1:]), first.stride())
    whole = torch.cat([part.detach() for part in parts])
    row = 0
    for linear, part in zip(linears, parts, strict=True):
        view = whole[row : row + len(part)]
        setattr(linear, name, nn.Parameter(view, requires_grad=part.requires_grad))
        row += len(part)
    return whole


def matrix(linears: Sequence[nn.Module], products: str = "") -> Matrix:
    """Several linears as one, quantised to `products` where they are not quantised already."""
    whole = merged(linears)
    if isinstance(linears[0], quantise.QuantisedLinear):
        return Matrix(whole, merged(linears, "scale"))
    return Matrix(*quantise.rows(whole, quantise.FORMATS[products])) if products else Matrix(whole)


def _together(weights: Sequence[torch.Tensor]) -> bool:
    """Whether the weights already lie one after the other in one storage."""
    storage, place = weights[0].untyped_storage().data_ptr(), weights[0].storage_offset()
    for weight in weights:
        if weight.untyped_storage().data_ptr() != storage or weight.storage_offset() != place:
            return False
        place += weight.numel()
    return True


@torch.no_grad()
def pack(stack: nn.Module, text: dict, products: str = "") -> Stack:
    """A transformers text stack as the engine reads it.

    Args:
        text: its configuration.
        products: "fp8" or "int8" gives the engine quantised copies; the model's own weights stay.
    """
    layers = []
    for layer in stack.layers:
        attention, mlp = layer.self_attn, layer.mlp
        layers.append(
            Layer(
                layer.input_layernorm.weight.detach(),
                matrix([attention.q_proj, attention.k_proj, attention.v_proj], products),
                attention.q_norm.weight.detach(),
                attention.k_norm.weight.detach(),
                matrix([attention.o_proj], products),
                layer.post_attention_layernorm.weight.detach(),
                matrix([mlp.gate_proj, mlp.up_proj], products),
                matrix([mlp.down_proj], products),
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
