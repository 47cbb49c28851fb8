"""The small kernels between the products that make the expert's inputs of noisy actions (section 2.4).

Each would be a handful of launches that take longer than their work. Twins: `twins.action_features`,
`twins.silu_norm`, `twins.wide_layer_norm`.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from alpamayo_ros.vla.engine.kernels.common import power_of_2, rounded, silu

_EPS = 1e-5


@triton.jit
def _features(actions_ptr, first_ptr, second_ptr, time_ptr, y_ptr, HALF: tl.constexpr, BLOCK: tl.constexpr):
    """sqrt(2) [sin, cos] of both numbers of an action, then the time's features."""
    row = tl.program_id(0)
    cols = tl.arange(0, BLOCK)
    inside = cols < HALF
    out = y_ptr + row * 6 * HALF + cols
    for number in tl.static_range(2):
        freqs = tl.load((first_ptr if number == 0 else second_ptr) + cols, mask=inside, other=0.0).to(tl.float32)
        phase = tl.load(actions_ptr + 2 * row + number) * freqs * 6.283185307179586
        tl.store(out + 2 * number * HALF, (1.4142135623730951 * tl.sin(phase)).to(tl.bfloat16), mask=inside)
        tl.store(out + (2 * number + 1) * HALF, (1.4142135623730951 * tl.cos(phase)).to(tl.bfloat16), mask=inside)
    for part in tl.static_range(2):
        time = tl.load(time_ptr + part * HALF + cols, mask=inside, other=0.0)
        tl.store(out + (4 + part) * HALF, time.to(tl.bfloat16), mask=inside)


def action_features(
    actions: torch.Tensor, first: torch.Tensor, second: torch.Tensor, time: torch.Tensor, dtype: torch.dtype
) -> torch.Tensor:
    """(M, 2) float32 actions, (F / 2,) frequencies of each number, (F,) float32 features of the time -> (M, 3 F)."""
    half = first.numel()
    y = torch.empty((len(actions), 6 * half), dtype=dtype, device=actions.device)
    _features[(len(actions),)](actions, first, second, time, y, half, power_of_2(half), num_warps=1)
    return y


@triton.jit
def _silu_norm(x_ptr, gain_ptr, y_ptr, eps, SIZE: tl.constexpr, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    cols = tl.arange(0, BLOCK)
    inside = cols < SIZE
    x = rounded(silu(tl.load(x_ptr + row * SIZE + cols, mask=inside, other=0.0).to(tl.float32)))
    gain = tl.load(gain_ptr + cols, mask=inside, other=0.0).to(tl.float32)
    unit = rounded(x * tl.rsqrt(tl.sum(x * x, axis=0) / SIZE + eps))
    tl.store(y_ptr + row * SIZE + cols, (unit * gain).to(tl.bfloat16), mask=inside)


def silu_norm(x: torch.Tensor, gain: torch.Tensor) -> torch.Tensor:
    """(M, D) bfloat16 -> RMS norm of SiLU."""
    rows, size = x.shape
    y = torch.empty_like(x)
    _silu_norm[(rows,)](x, gain, y, _EPS, size, power_of_2(size), num_warps=4)
    return y


@triton.jit
def _wide_layer_norm(x_ptr, gain_ptr, shift_ptr, y_ptr, eps, SIZE: tl.constexpr, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    cols = tl.arange(0, BLOCK)
    inside = cols < SIZE
    x = tl.load(x_ptr + row * SIZE + cols, mask=inside, other=0.0).to(tl.float32)
    gain = tl.load(gain_ptr + cols, mask=inside, other=0.0).to(tl.float32)
    shift = tl.load(shift_ptr + cols, mask=inside, other=0.0).to(tl.float32)
    off = tl.where(inside, x - tl.sum(x, axis=0) / SIZE, 0.0)
    y = off * tl.rsqrt(tl.sum(off * off, axis=0) / SIZE + eps) * gain + shift
    tl.store(y_ptr + row * SIZE + cols, y, mask=inside)


def wide_layer_norm(x: torch.Tensor, gain: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """(M, D) bfloat16 -> layer norm in float32."""
    rows, size = x.shape
    y = torch.empty((rows, size), dtype=torch.float32, device=x.device)
    _wide_layer_norm[(rows,)](x, gain, shift, y, _EPS, size, power_of_2(size), num_warps=4)
    return y
