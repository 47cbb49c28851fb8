"""What the Triton kernels share: rounding as PyTorch rounds, row norms, rotation, dependent launch.

The kernels are bfloat16 kernels: every value that the plain path would hold in bfloat16 is rounded where it would be,
sums are float32. `PDL` is programmatic dependent launch (compute capability 9.0): what stands before `wait` may run
while the kernel before is still finishing, so only weights are read there.
"""

from __future__ import annotations

from typing import Any

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
def gains(ptr, d, half: tl.constexpr):
    """The gains of a head's low and high half, float32; `d` may go beyond a half."""
    low = tl.load(ptr + d, mask=d < half, other=0.0).to(tl.float32)
    return low, tl.load(ptr + half + d, mask=d < half, other=0.0).to(tl.float32)


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


def launch(pdl: bool) -> dict[str, Any]:
    """Launch options of a kernel that takes `PDL`."""
    return {"PDL": True, "launch_pdl": True} if pdl else {"PDL": False}


def power_of_2(n: int) -> int:
    return triton.next_power_of_2(n)
