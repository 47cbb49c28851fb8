"""Up to 64 rows' products with a weight matrix: the weights stream through the matrix units, transposed.

    Y^T = W X^T          W (N, K) bfloat16, float8 or int8; X (M, K) bfloat16, M <= 64; float32 sums
The weights are the left operand, so that 64 of their rows fill a matrix instruction however few rows X has. A program
takes BLOCK_N rows of W and one of SPLITS ranges of k. Fused: SiLU(gate) * up, the weights' scale per row (the first
needs SPLITS = 1). With more splits the float32 parts come out, (SPLITS, M, N), and the kernel that reads them adds them
up. Twins: `twins.linear_parts`, `twins.gate_up`.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from alpamayo_ros.vla.engine.kernels.common import rounded, silu


@triton.jit
def _stream(
    x_ptr, w_ptr, scale_ptr, y_ptr, M, N,
    K: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, SPLITS: tl.constexpr,
    STAGES: tl.constexpr, GATED: tl.constexpr, SCALED: tl.constexpr, EVEN: tl.constexpr,
):  # fmt: skip
    split = tl.program_id(1)
    rows = tl.program_id(0) * BLOCK_N + tl.arange(0, BLOCK_N)
    tokens = tl.arange(0, BLOCK_M)
    cols = tl.arange(0, BLOCK_K)
    steps: tl.constexpr = (K + BLOCK_K - 1) // BLOCK_K
    each: tl.constexpr = (steps + SPLITS - 1) // SPLITS
    live = (rows < N)[:, None]
    present = (tokens < M)[:, None]
    w_first = w_ptr + rows.to(tl.int64)[:, None] * K + cols[None, :]
    x_first = x_ptr + tokens[:, None] * K + cols[None, :]
    total = tl.zeros((BLOCK_N, BLOCK_M), tl.float32)
    if GATED:
        total_up = tl.zeros((BLOCK_N, BLOCK_M), tl.float32)
        u_first = w_first + tl.cast(N, tl.int64) * K
    for step in tl.range(split * each, min(split * each + each, steps), num_stages=STAGES):
        k = step * BLOCK_K
        if EVEN:
            x = tl.load(x_first + k, mask=present, other=0.0)
            w = tl.load(w_first + k, eviction_policy="evict_first")
        else:
            inside = (k + cols < K)[None, :]
            x = tl.load(x_first + k, mask=present & inside, other=0.0)
            w = tl.load(w_first + k, mask=live & inside, other=0.0, eviction_policy="evict_first")
        turned = tl.trans(x)
        total = tl.dot(w.to(tl.bfloat16), turned, total)
        if GATED:
            if EVEN:
                u = tl.load(u_first + k, eviction_policy="evict_first")
            else:
                u = tl.load(u_first + k, mask=live & inside, other=0.0, eviction_policy="evict_first")
            total_up = tl.dot(u.to(tl.bfloat16), turned, total_up)
    if SCALED:
        total *= tl.load(scale_ptr + rows, mask=rows < N, other=0.0)[:, None]
    if GATED:
        if SCALED:
            total_up *= tl.load(scale_ptr + N + rows, mask=rows < N, other=0.0)[:, None]
        total = rounded(silu(rounded(total))) * rounded(total_up)
    y = tl.trans(total)
    places = tokens[:, None] * N + rows[None, :]
    mask = present & (rows < N)[None, :]
    if SPLITS > 1:
        tl.store(y_ptr + split * M * N + places, y, mask=mask)
    else:
        tl.store(y_ptr + places, y.to(tl.bfloat16), mask=mask)


def stream(
    x: torch.Tensor,
    weight: torch.Tensor,
    scale: torch.Tensor | None = None,
    gated: bool = False,
    splits: int = 1,
    block_n: int = 64,
    block_k: int = 64,
    stages: int = 4,
    warps: int = 4,
) -> torch.Tensor:
    """(M, K) bfloat16 x and (N, K) weight -> (M, N) bfloat16, or (splits, M, N) float32 where it is split.

    Args:
        scale: (N,) float32 of quantised weights.
        gated: gate rows first, then up rows; the result has N / 2 columns.
    """
    tokens, size = x.shape
    rows = weight.shape[0] // (2 if gated else 1)
    shape, dtype = ((splits, tokens, rows), torch.float32) if splits > 1 else ((tokens, rows), torch.bfloat16)
    y = torch.empty(shape, dtype=dtype, device=x.device)
    _stream[(triton.cdiv(rows, block_n), splits)](
        x, weight, scale, y, tokens, rows, size, max(16, triton.next_power_of_2(tokens)), block_n, block_k,
        splits, stages, gated, scale is not None, rows % block_n == 0 and size % block_k == 0,
        num_warps=warps,
    )  # fmt: skip
    return y
