"""Walks over a text stack's layers for the shapes that a tick has: one token a row, and the flow's waypoints.

`ops` is `kernels.twins` or a `kernels.fused.Fused`.
"""

from __future__ import annotations

from typing import Any

import torch

from alpamayo_ros.vla.engine.cache import Store
from alpamayo_ros.vla.engine.weights import Matrix, Stack

Tables = tuple[torch.Tensor, torch.Tensor]


def read_tokens(ops: Any, stack: Stack, head: Matrix, x: torch.Tensor, tables: Tables, store: Store) -> torch.Tensor:
    """(R, D) embeddings of one token a row at the store's step -> (R, V) logits; keys and values are kept."""
    if len(x) == 1:
        return _read_one(ops, stack, head, x, tables, store)
    eps, layers = stack.eps, stack.layers
    h = ops.norm(x, layers[0].input_gain, eps)
    for index, layer in enumerate(layers):
        qkv = ops.linear(h, layer.qkv)
        seen = _attend(ops, layer, eps, qkv, tables, store, index)
        x, h = ops.add_norm(x, ops.linear_parts(seen, layer.out), layer.post_gain, eps)
        gated = ops.gate_up(h, layer.gate_up)
        x, h = ops.add_norm(x, ops.linear_parts(gated, layer.down), _next_gain(stack, index), eps)
    return ops.linear(h, head)


def _read_one(ops: Any, stack: Stack, head: Matrix, x: torch.Tensor, tables: Tables, store: Store) -> torch.Tensor:
    eps = stack.eps
    for index, layer in enumerate(stack.layers):
        qkv = ops.norm_linear(x, layer.input_gain, eps, layer.qkv)
        x = ops.linear_add(_attend(ops, layer, eps, qkv, tables, store, index), layer.out, x)
        x = ops.linear_add(ops.norm_gate_up(x, layer.post_gain, eps, layer.gate_up), layer.down, x)
    return ops.norm_linear(x, stack.gain, eps, head)


def _attend(ops: Any, layer, eps: float, qkv: torch.Tensor, tables: Tables, store: Store, index: int) -> torch.Tensor:
    return ops.decode_attention(
        qkv, layer.q_gain, layer.k_gain, eps, *tables, store.prompt(index), store.own(index), store.state
    )


def read_waypoints(
    ops: Any, stack: Stack, x: torch.Tensor, tables: Tables, store: Store, counts: torch.Tensor, starts: torch.Tensor
) -> torch.Tensor:
    """(R N, D) inputs of the expert, float32 -> (R N, D) after the final norm, in the weights' dtype.

    Args:
        counts, starts: (R,) int32: own slots that a row's waypoints see, and the position of its first one.
    """
    eps, layers = stack.eps, stack.layers
    h = ops.norm(x, layers[0].input_gain, eps)
    for index, layer in enumerate(layers):
        qkv = ops.linear(h, layer.qkv)
        seen = ops.flow_attention(
            qkv, layer.q_gain, layer.k_gain, eps, *tables, store.prompt(index), store.own(index), store.state,
            counts, starts,
        )  # fmt: skip
        x, h = ops.add_norm(x, ops.linear_parts(seen, layer.out), layer.post_gain, eps)
        gated = ops.gate_up(h, layer.gate_up)
        x, h = ops.add_norm(x, ops.linear_parts(gated, layer.down), _next_gain(stack, index), eps)
    return h


def _next_gain(stack: Stack, index: int) -> torch.Tensor:
    """Of the norm after a layer's last product."""
    return stack.layers[index + 1].input_gain if index + 1 < len(stack.layers) else stack.gain
