"""Row-wise kernels between the products: residual and RMS norm, SiLU gate, head norms with rotary embedding.

Twins: `twins.norm`, `twins.add_norm`, `twins.silu_mul`, `twins.turn_and_keep`, `vla.quantise.rows`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import triton
import triton.language as tl

from alpamayo_ros.vla.engine.kernels.common import (
    gains,
    launch,
    normed_halves,
    normed_row,
    power_of_2,
    rotated_halves,
    rounded,
    silu,
    wait,
)


@triton.jit
def _add_norm(
    x_ptr, delta_ptr, gain_ptr, sum_ptr, y_ptr, total, eps,
    SIZE: tl.constexpr, BLOCK: tl.constexpr, PARTS: tl.constexpr, WIDE: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64)
    cols = tl.arange(0, BLOCK)
    inside = cols < SIZE
    gain = tl.load(gain_ptr + cols, mask=inside, other=0.0).to(tl.float32)
    wait(PDL)
    x = tl.load(x_ptr + row * SIZE + cols, mask=inside, other=0.0).to(tl.float32)
    if PARTS > 0:
        delta = tl.load(delta_ptr + row * SIZE + cols, mask=inside, other=0.0).to(tl.float32)
        for part in tl.static_range(1, PARTS):
            delta += tl.load(delta_ptr + part * total + row * SIZE + cols, mask=inside, other=0.0).to(tl.float32)
        x += rounded(delta)
        if not WIDE:
            x = rounded(x)
        tl.store(sum_ptr + row * SIZE + cols, x.to(sum_ptr.dtype.element_ty), mask=inside)
    y = normed_row(x, gain, SIZE, eps, WIDE)
    tl.store(y_ptr + row * SIZE + cols, y.to(tl.bfloat16), mask=inside)


def _warps(size: int) -> int:
    return 8 if size > 2048 else 4


def norm(x: torch.Tensor, gain: torch.Tensor, eps: float, pdl: bool = False) -> torch.Tensor:
    """(M, K) bfloat16 or float32 rows -> their RMS norm, bfloat16."""
    rows, size = x.shape
    y = torch.empty((rows, size), dtype=torch.bfloat16, device=x.device)
    _add_norm[(rows,)](
        x, x, gain, x, y, 0, eps, size, power_of_2(size), 0, x.dtype == torch.float32,
        num_warps=_warps(size), **launch(pdl),
    )  # fmt: skip
    return y


def add_norm(
    x: torch.Tensor, delta: torch.Tensor, gain: torch.Tensor, eps: float, pdl: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """Adds a branch to the residual, and norms the sum.

    Args:
        x: (M, K) bfloat16 or float32; delta: (M, K) bfloat16, or (parts, M, K) float32 whose sum is rounded first.

    Returns:
        x + delta in x's dtype, and its RMS norm, bfloat16.
    """
    rows, size = x.shape
    parts = delta.shape[0] if delta.dim() == 3 else 1
    total = torch.empty_like(x)
    y = torch.empty((rows, size), dtype=torch.bfloat16, device=x.device)
    _add_norm[(rows,)](
        x, delta, gain, total, y, rows * size, eps, size, power_of_2(size), parts, x.dtype == torch.float32,
        num_warps=_warps(size), **launch(pdl),
    )  # fmt: skip
    return total, y


@triton.jit
def _silu_mul(x_ptr, y_ptr, SIZE: tl.constexpr, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    cols = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = cols < SIZE
    gate = tl.load(x_ptr + row * 2 * SIZE + cols, mask=inside, other=0.0).to(tl.float32)
    up = tl.load(x_ptr + row * 2 * SIZE + SIZE + cols, mask=inside, other=0.0).to(tl.float32)
    tl.store(y_ptr + row * SIZE + cols, (rounded(silu(gate)) * up).to(tl.bfloat16), mask=inside)


def silu_mul(x: torch.Tensor) -> torch.Tensor:
    """(M, 2 I) bfloat16, gates then ups -> (M, I)."""
    rows, size = x.shape[0], x.shape[1] // 2
    y = torch.empty((rows, size), dtype=torch.bfloat16, device=x.device)
    block = min(2048, power_of_2(size))
    _silu_mul[(rows, triton.cdiv(size, block))](x, y, size, block, num_warps=4)
    return y


@dataclass(frozen=True, eq=False)
class Small:
    """(M, K) float8 e4m3 rows and their (M,) float32 scales."""

    rows: torch.Tensor
    scale: torch.Tensor


@triton.jit
def _small_row(x, y_ptr, scale_ptr, inside):
    """Keeps one float32 row quantised."""
    scale = tl.maximum(tl.max(tl.abs(x), axis=0), 1e-12) / 448.0
    tl.store(y_ptr, tl.minimum(tl.maximum(x / scale, -448.0), 448.0).to(tl.float8e4nv), mask=inside)
    tl.store(scale_ptr, scale)


@triton.jit
def _silu_mul_small(x_ptr, y_ptr, scale_ptr, SIZE: tl.constexpr, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    cols = tl.arange(0, BLOCK)
    inside = cols < SIZE
    gate = tl.load(x_ptr + row * 2 * SIZE + cols, mask=inside, other=0.0).to(tl.float32)
    up = tl.load(x_ptr + row * 2 * SIZE + SIZE + cols, mask=inside, other=0.0).to(tl.float32)
    _small_row(rounded(rounded(silu(gate)) * up), y_ptr + row * SIZE + cols, scale_ptr + row, inside)


def silu_mul_small(x: torch.Tensor) -> Small:
    """(M, 2 I) bfloat16, gates then ups -> (M, I), quantised."""
    small = _small(x.shape[0], x.shape[1] // 2, x.device)
    size = small.rows.shape[1]
    _silu_mul_small[(len(x),)](x, small.rows, small.scale, size, power_of_2(size), num_warps=2 * _warps(size))
    return small


@triton.jit
def _quantise(x_ptr, y_ptr, scale_ptr, SIZE: tl.constexpr, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    cols = tl.arange(0, BLOCK)
    inside = cols < SIZE
    x = tl.load(x_ptr + row * SIZE + cols, mask=inside, other=0.0).to(tl.float32)
    _small_row(x, y_ptr + row * SIZE + cols, scale_ptr + row, inside)


def quantise(x: torch.Tensor) -> Small:
    """(M, K) bfloat16 rows, quantised."""
    small = _small(*x.shape, x.device)
    size = x.shape[1]
    _quantise[(len(x),)](x, small.rows, small.scale, size, power_of_2(size), num_warps=_warps(size))
    return small


def _small(rows: int, size: int, device: torch.device) -> Small:
    scale = torch.empty(rows, dtype=torch.float32, device=device)
    return Small(torch.empty((rows, size), dtype=torch.float8_e4m3fn, device=device), scale)


@triton.jit
def _turn_and_keep(
    x_ptr, q_gain_ptr, k_gain_ptr, cos_ptr, sin_ptr, q_ptr, k_ptr, v_ptr, first, capacity, eps,
    HEADS: tl.constexpr, KV: tl.constexpr, HEAD: tl.constexpr, HEADS_P: tl.constexpr, KV_P: tl.constexpr,
    HALF_P: tl.constexpr,
):  # fmt: skip
    token = tl.program_id(0).to(tl.int64)
    half: tl.constexpr = HEAD // 2
    d = tl.arange(0, HALF_P)
    inside = d < half
    cos = tl.load(cos_ptr + token * half + d, mask=inside, other=0.0)[None, :].to(tl.float32)
    sin = tl.load(sin_ptr + token * half + d, mask=inside, other=0.0)[None, :].to(tl.float32)
    row = x_ptr + token * (HEADS + 2 * KV) * HEAD
    heads = tl.arange(0, HEADS_P)
    at = heads[:, None] * HEAD + d[None, :]
    live = (heads < HEADS)[:, None] & inside[None, :]
    low = tl.load(row + at, mask=live, other=0.0).to(tl.float32)
    high = tl.load(row + at + half, mask=live, other=0.0).to(tl.float32)
    gain_low, gain_high = gains(q_gain_ptr, d, half)
    low, high = normed_halves(low, high, gain_low, gain_high, HEAD, eps)
    low, high = rotated_halves(low, high, cos, sin, False)
    tl.store(q_ptr + token * HEADS * HEAD + at, low, mask=live)
    tl.store(q_ptr + token * HEADS * HEAD + at + half, high, mask=live)
    heads = tl.arange(0, KV_P)
    at = heads[:, None] * HEAD + d[None, :]
    live = (heads < KV)[:, None] & inside[None, :]
    place = heads.to(tl.int64)[:, None] * capacity * HEAD + (first + token) * HEAD + d[None, :]
    row += HEADS * HEAD
    low = tl.load(row + at, mask=live, other=0.0).to(tl.float32)
    high = tl.load(row + at + half, mask=live, other=0.0).to(tl.float32)
    gain_low, gain_high = gains(k_gain_ptr, d, half)
    low, high = normed_halves(low, high, gain_low, gain_high, HEAD, eps)
    low, high = rotated_halves(low, high, cos, sin, False)
    tl.store(k_ptr + place, low, mask=live)
    tl.store(k_ptr + place + half, high, mask=live)
    row += KV * HEAD
    tl.store(v_ptr + place, tl.load(row + at, mask=live, other=0.0), mask=live)
    tl.store(v_ptr + place + half, tl.load(row + at + half, mask=live, other=0.0), mask=live)


def turn_and_keep(
    qkv: torch.Tensor,
    q_gain: torch.Tensor,
    k_gain: torch.Tensor,
    eps: float,
    cos: torch.Tensor,
    sin: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    first: int,
) -> torch.Tensor:
    """Norms and turns the heads of M tokens; their keys and values go to slots `first` ... of the store.

    Args:
        qkv: (M, (H + 2 KV) hd); cos, sin: (M, hd / 2) bfloat16; keys, values: (KV, capacity, hd).

    Returns:
        (M, H, hd) queries.
    """
    tokens, (kv, capacity, head) = qkv.shape[0], keys.shape
    heads = qkv.shape[1] // head - 2 * kv
    q = torch.empty((tokens, heads, head), dtype=torch.bfloat16, device=qkv.device)
    _turn_and_keep[(tokens,)](
        qkv, q_gain, k_gain, cos, sin, q, keys, values, first, capacity, eps,
        heads, kv, head, power_of_2(heads), power_of_2(kv), power_of_2(head // 2), num_warps=4,
    )  # fmt: skip
    return q
