"""One token's products with a weight matrix: memory-bound, every weight read once.

    y[n] = sum_k W[n, k] x[k]                      (N, K) bfloat16, float8 or int8 weights, float32 sums
with, fused: RMS norm of x before it; SiLU(gate) * up of two halves of the rows; the weights' scale per row; addition
of a residual. A program takes a few whole rows, so all its loads are in flight at once, and with dependent launch the
first of them before the kernel before has ended. Twins: `twins.norm_linear`, `twins.linear_add`,
`twins.norm_gate_up` with one row.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from alpamayo_ros.vla.engine.kernels.common import launch, normed_row, power_of_2, rounded, silu, wait


@triton.jit
def _gemv(
    x_ptr, gain_ptr, w_ptr, scale_ptr, base_ptr, y_ptr, N, eps,
    K: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr,
    NORM: tl.constexpr, GATED: tl.constexpr, SCALED: tl.constexpr, ADD: tl.constexpr, EVEN: tl.constexpr,
    PDL: tl.constexpr,
):  # fmt: skip
    rows = tl.program_id(0).to(tl.int64) * BLOCK_N + tl.arange(0, BLOCK_N)
    cols = tl.arange(0, BLOCK_K)
    live = rows < N
    inside = cols < K
    first = w_ptr + rows[:, None] * K + cols[None, :]
    if EVEN:
        w = tl.load(first, eviction_policy="evict_first")
    else:
        w = tl.load(first, mask=live[:, None] & inside[None, :], other=0.0, eviction_policy="evict_first")
    if GATED:
        second = first + N.to(tl.int64) * K
        if EVEN:
            u = tl.load(second, eviction_policy="evict_first")
        else:
            u = tl.load(second, mask=live[:, None] & inside[None, :], other=0.0, eviction_policy="evict_first")
    if NORM:
        gain = tl.load(gain_ptr + cols, mask=inside, other=0.0).to(tl.float32)
    wait(PDL)
    x = tl.load(x_ptr + cols, mask=inside, other=0.0).to(tl.float32)
    if NORM:
        x = normed_row(x, gain, K, eps, False)
    total = w.to(tl.float32) * x[None, :]
    if GATED:
        total_up = u.to(tl.float32) * x[None, :]
    for k in tl.static_range(BLOCK_K, K, BLOCK_K):
        inside = cols + k < K
        if EVEN:
            w = tl.load(first + k, eviction_policy="evict_first")
        else:
            w = tl.load(first + k, mask=live[:, None] & inside[None, :], other=0.0, eviction_policy="evict_first")
        x = tl.load(x_ptr + k + cols, mask=inside, other=0.0).to(tl.float32)
        total += w.to(tl.float32) * x[None, :]
        if GATED:
            u = tl.load(second + k, mask=live[:, None] & inside[None, :], other=0.0, eviction_policy="evict_first")
            total_up += u.to(tl.float32) * x[None, :]
    y = tl.sum(total, axis=1)
    if SCALED:
        y *= tl.load(scale_ptr + rows, mask=live, other=0.0)
    if GATED:
        up = tl.sum(total_up, axis=1)
        if SCALED:
            up *= tl.load(scale_ptr + N + rows, mask=live, other=0.0)
        y = rounded(silu(rounded(y))) * rounded(up)
    if ADD:
        y = rounded(y) + tl.load(base_ptr + rows, mask=live, other=0.0).to(tl.float32)
    tl.store(y_ptr + rows, y.to(tl.bfloat16), mask=live)


def gemv(
    x: torch.Tensor,
    weight: torch.Tensor,
    scale: torch.Tensor | None = None,
    gain: torch.Tensor | None = None,
    eps: float = 0.0,
    base: torch.Tensor | None = None,
    gated: bool = False,
    pdl: bool = False,
    block_n: int = 4,
    block_k: int = 4096,
    warps: int = 8,
) -> torch.Tensor:
    """(1, K) bfloat16 x and (N, K) weight -> (1, N), or (1, N / 2) where `gated` (gate rows first, then up rows).

    Args:
        scale: (N,) float32 of quantised weights.
        gain: (K,) of the RMS norm applied to x first; None applies none.
        base: (1, N) residual, added after the product was rounded.
    """
    rows, size = weight.shape[0] // (2 if gated else 1), weight.shape[1]
    block_k = power_of_2(size) if gain is not None else min(block_k, power_of_2(size))
    y = torch.empty((1, rows), dtype=torch.bfloat16, device=x.device)
    _gemv[(triton.cdiv(rows, block_n),)](
        x, gain, weight, scale, base, y, rows, eps, size, block_n, block_k,
        gain is not None, gated, scale is not None, base is not None,
        rows % block_n == 0 and size % block_k == 0, num_warps=warps, **launch(pdl),
    )  # fmt: skip
    return y
