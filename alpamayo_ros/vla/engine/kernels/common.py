"""What the Triton kernels share: rounding as PyTorch rounds, row norms, rotation, dependent launch.

The kernels are bfloat16 kernels: every value that the plain path would hold in bfloat16 is rounded where it would be,
sums are float32. `PDL` is programmatic dependent launch (compute capability 9.0): what stands before `wait` may run
while the kernel before is still finishing, so only weights are read there.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl


@triton.jit
def wait(PDL: tl.constexpr):
    """Everything that earlier kernels wrote is visible afterwards."""
    if PDL:
        tl.extra.cuda.gdc_launch_dependents()
        tl.extra.cuda.gdc_wait()


@triton.jit
def rounded(x):
    """float32 -> the nearest bfloat16, as float32."""
    return x.to(tl.bfloat16).to(tl.float32)


@triton.jit
def silu(x):
    return x / (1.0 + tl.exp(-x))


@triton.jit
def normed_row(x, gain, size: tl.constexpr, eps, WIDE: tl.constexpr):
    """RMS norm of one (size,) float32 row (zero padded); `WIDE` rows stay float32 until the end, others round first."""
    unit = x * tl.rsqrt(tl.sum(x * x, axis=0) / size + eps)
    return rounded(unit * gain) if WIDE else rounded(rounded(unit) * gain)


@triton.jit
def normed_halves(low, high, gain_low, gain_high, size: tl.constexpr, eps):
    """RMS norm over (rows, size / 2) halves of bfloat16 heads, rounded as the plain path does."""
    scale = tl.rsqrt((tl.sum(low * low, axis=1) + tl.sum(high * high, axis=1)) / size + eps)[:, None]
    return rounded(rounded(low * scale) * gain_low[None, :]), rounded(rounded(high * scale) * gain_high[None, :])


@triton.jit
def rotated_halves(low, high, cos, sin, WIDE: tl.constexpr):
    """Rotary embedding of (rows, half) halves -> bfloat16 halves; `WIDE` angles are float32 and round once."""
    if WIDE:
        return (low * cos - high * sin).to(tl.bfloat16), (high * cos + low * sin).to(tl.bfloat16)
    turned_low = rounded(low * cos) - rounded(high * sin)
    turned_high = rounded(high * cos) + rounded(low * sin)
    return turned_low.to(tl.bfloat16), turned_high.to(tl.bfloat16)


@triton.jit
def fetch(ptr, program, programs, ROWS: tl.constexpr, STRIDE: tl.constexpr, LINES: tl.constexpr):
    """Asks for the first LINES lines of 128 bytes of ROWS rows to be brought to the L2 cache; nobody waits for them.

    `STRIDE`: bytes from row to row. Each of the `programs` programs asks for its share.
    """
    count: tl.constexpr = ROWS * LINES
    each = tl.cdiv(count, programs)
    for start in range(0, each, 128):
        line = tl.minimum(program * each + start + tl.arange(0, 128), count - 1)
        address = ptr.to(tl.int64) + (line // LINES).to(tl.int64) * STRIDE + (line % LINES) * 128
        tl.inline_asm_elementwise(
            "prefetch.global.L2 [$1]; mov.u32 $0, 0;", "=r,l", [address], dtype=tl.int32, is_pure=False, pack=1
        )


# Bytes that a program of a short kernel can ask for beside its own work.
_SHARE = 512 << 10


def ahead(weight: torch.Tensor | None, most: int, programs: int) -> tuple[torch.Tensor | None, int, int, int]:
    """What `fetch` takes for up to `most` bytes of (N, K) weights: the first columns of all rows."""
    if weight is None:
        return None, 1, 0, 0
    rows, stride = weight.shape[0], weight.shape[1] * weight.element_size()
    lines = min(stride, min(most, programs * _SHARE) // rows) // 128
    return (weight, rows, stride, lines) if lines else (None, 1, 0, 0)


def launch(pdl: bool) -> dict[str, Any]:
    """Launch options of a kernel that takes `PDL`."""
    return {"PDL": True, "launch_pdl": True} if pdl else {"PDL": False}


def power_of_2(n: int) -> int:
    return triton.next_power_of_2(n)
