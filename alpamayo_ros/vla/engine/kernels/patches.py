"""Row-wise kernels of the vision encoder: residual and layer norm, rotary embedding of patches in place.

Twins: `twins.add_layer_norm`, `twins.turn_patches`.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from alpamayo_ros.vla.engine.kernels.common import power_of_2, rounded


@triton.jit
def _add_layer_norm(
    x_ptr, delta_ptr, gain_ptr, shift_ptr, sum_ptr, y_ptr, eps, SIZE: tl.constexpr, BLOCK: tl.constexpr,
    ADD: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64) * SIZE
    cols = tl.arange(0, BLOCK)
    inside = cols < SIZE
    x = tl.load(x_ptr + row + cols, mask=inside, other=0.0).to(tl.float32)
    if ADD:
        x = rounded(x + tl.load(delta_ptr + row + cols, mask=inside, other=0.0).to(tl.float32))
        tl.store(sum_ptr + row + cols, x.to(tl.bfloat16), mask=inside)
    centred = tl.where(inside, x - tl.sum(x, axis=0) / SIZE, 0.0)
    unit = centred * tl.rsqrt(tl.sum(centred * centred, axis=0) / SIZE + eps)
    gain = tl.load(gain_ptr + cols, mask=inside, other=0.0).to(tl.float32)
    shift = tl.load(shift_ptr + cols, mask=inside, other=0.0).to(tl.float32)
    tl.store(y_ptr + row + cols, (unit * gain + shift).to(tl.bfloat16), mask=inside)


def add_layer_norm(
    x: torch.Tensor, delta: torch.Tensor | None, gain: torch.Tensor, shift: torch.Tensor, eps: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """(M, K) bfloat16 x and delta -> x + delta, and its layer norm."""
    rows, size = x.shape
    total = x if delta is None else torch.empty_like(x)
    y = torch.empty_like(x)
    _add_layer_norm[(rows,)](
        x, delta, gain, shift, total, y, eps, size, power_of_2(size), delta is not None, num_warps=4
    )
    return total, y


@triton.jit
def _turn_patches(
    qkv_ptr, cos_ptr, sin_ptr, places, HEADS: tl.constexpr, HALF: tl.constexpr, HEADS_P: tl.constexpr,
    HALF_P: tl.constexpr,
):  # fmt: skip
    token, part = tl.program_id(0).to(tl.int64), tl.program_id(1)
    head, d = tl.arange(0, HEADS_P), tl.arange(0, HALF_P)
    inside = d < HALF
    angle = (token % places) * HALF + d
    cos = tl.load(cos_ptr + angle, mask=inside, other=0.0)[None, :]
    sin = tl.load(sin_ptr + angle, mask=inside, other=0.0)[None, :]
    live = (head < HEADS)[:, None] & inside[None, :]
    first = qkv_ptr + (token * 3 + part) * HEADS * HALF * 2 + head[:, None] * HALF * 2 + d[None, :]
    low = tl.load(first, mask=live, other=0.0).to(tl.float32)
    high = tl.load(first + HALF, mask=live, other=0.0).to(tl.float32)
    tl.store(first, (low * cos - high * sin).to(tl.bfloat16), mask=live)
    tl.store(first + HALF, (high * cos + low * sin).to(tl.bfloat16), mask=live)


def turn_patches(qkv: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor, heads: int) -> torch.Tensor:
    """(M, 3 H hd) bfloat16 -> (M, 3, H, hd), the queries and keys turned in place.

    Args:
        cos, sin: (P, hd / 2) float32; patch m stands at m modulo P.
    """
    tokens, (places, half) = len(qkv), cos.shape
    _turn_patches[(tokens, 2)](qkv, cos, sin, places, heads, half, power_of_2(heads), power_of_2(half), num_warps=2)
    return qkv.view(tokens, 3, heads, 2 * half)
