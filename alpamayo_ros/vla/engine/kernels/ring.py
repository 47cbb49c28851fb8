"""The flow's products: 64 rows by a weight matrix whose tiles are on their way before the kernel before has ended.

    Y = X W^T          W (N, K), X (64, K), bfloat16; float32 sums
A flow step is bound by its weights' bytes, and between two of its products the memory would idle: the next one reads
nothing until the kernel before has ended. Here one warp does nothing but ask the tensor memory accelerator for tiles
of W and X, into a ring of STAGES slots in shared memory, and four warps do nothing but multiply what has come. Under
dependent launch the ring is filled with weights, which no kernel writes, while the kernel before still runs; only the
rows of X wait for it. (To ask for the same weights into the L2 cache beforehand gained nothing on an H200.)

A program takes BLOCK_N columns of Y and one of SPLITS ranges of k. Fused: SiLU(gate) * up. With more splits the float32
parts come out, (SPLITS, 64, N), and the kernel that reads them adds them up. Compute capability 9.0.
Twins: `twins.linear_parts`, `twins.gate_up`.
"""

from __future__ import annotations

import torch
from triton.experimental import gluon
from triton.experimental.gluon import language as gl
from triton.experimental.gluon.language.nvidia.hopper import (
    fence_async_shared,
    mbarrier,
    tma,
    warpgroup_mma,
    warpgroup_mma_init,
    warpgroup_mma_wait,
)
from triton.experimental.gluon.nvidia.hopper import TensorDescriptor
from triton.language.extra.cuda import gdc_launch_dependents, gdc_wait

from alpamayo_ros.vla.engine.kernels.common import launch

TOKENS = 64
# Columns of a tile: 128 bytes, the width of the shared memory's swizzle.
TILE = 64
_TILED = gl.NVMMASharedLayout(swizzle_byte_width=128, element_bitwidth=16, rank=2)
_WARPS = 4
# Of a thread, at most: two programs then fit a multiprocessor's registers, so the next kernel's begin beside the last.
_REGISTERS = 104


@gluon.jit
def _ask_weights(w_desc, gates, ups, full, slot, N, first, k, live, GATED: gl.constexpr, BYTES: gl.constexpr):
    """Asks for one step's weights; the slot is full when BYTES, those of X included, have come."""
    mbarrier.expect(full.index(slot), BYTES, pred=live)
    tma.async_copy_global_to_shared(w_desc, [first, k], full.index(slot), gates.index(slot), pred=live)
    if GATED:
        tma.async_copy_global_to_shared(w_desc, [N + first, k], full.index(slot), ups.index(slot), pred=live)


@gluon.jit
def _bring(
    x_desc, w_desc, xs, gates, ups, full, empty, N, first, begin, count,
    STAGES: gl.constexpr, GATED: gl.constexpr, BYTES: gl.constexpr, PDL: gl.constexpr,
):  # fmt: skip
    """The warp that brings tiles: a slot is filled again when what it held has been multiplied."""
    tile: gl.constexpr = x_desc.block_type.shape[1]
    for step in gl.static_range(STAGES):
        _ask_weights(w_desc, gates, ups, full, step, N, first, (begin + step) * tile, step < count, GATED, BYTES)
    if PDL:
        gdc_wait()
    for step in gl.static_range(STAGES):
        tma.async_copy_global_to_shared(
            x_desc, [0, (begin + step) * tile], full.index(step), xs.index(step), pred=step < count
        )
    for step in range(STAGES, count):
        slot = step % STAGES
        k = (begin + step) * tile
        mbarrier.wait(empty.index(slot), ((step // STAGES) & 1) ^ 1)
        _ask_weights(w_desc, gates, ups, full, slot, N, first, k, True, GATED, BYTES)
        tma.async_copy_global_to_shared(x_desc, [0, k], full.index(slot), xs.index(slot))


@gluon.jit
def _multiply(
    y_ptr, xs, gates, ups, full, empty, N, first, split, count,
    BLOCK_N: gl.constexpr, SPLITS: gl.constexpr, STAGES: gl.constexpr, GATED: gl.constexpr, LATE: gl.constexpr,
):  # fmt: skip
    """The warps that multiply, one step's products in flight while the next one's tiles are waited for.

    Nothing is written before the first rows of X have come, so not before the kernel before has ended.
    """
    tokens: gl.constexpr = xs.shape[1]
    summed: gl.constexpr = gl.NVMMADistributedLayout([3, 0], [4, 1], [16, BLOCK_N, 16])
    total = warpgroup_mma_init(gl.zeros([tokens, BLOCK_N], gl.float32, summed))
    total_up = warpgroup_mma_init(gl.zeros([tokens, BLOCK_N], gl.float32, summed))
    for step in range(count):
        slot = step % STAGES
        mbarrier.wait(full.index(slot), (step // STAGES) & 1)
        total = warpgroup_mma(xs.index(slot), gates.index(slot).permute((1, 0)), total, is_async=True)
        if GATED:
            total_up = warpgroup_mma(xs.index(slot), ups.index(slot).permute((1, 0)), total_up, is_async=True)
            total, total_up = warpgroup_mma_wait(2, [total, total_up])
            total, total_up = warpgroup_mma_init(total), warpgroup_mma_init(total_up)
        else:
            total = warpgroup_mma_init(warpgroup_mma_wait(1, [total]))
        # All but this step's products are done, so the slot of the step before is free.
        mbarrier.arrive(empty.index((step + STAGES - 1) % STAGES), count=1, pred=step > 0)
    if LATE:
        gdc_launch_dependents()
    if GATED:
        total, total_up = warpgroup_mma_wait(0, [total, total_up])
        gate = total.to(gl.bfloat16).to(gl.float32)
        gate = (gate / (1.0 + gl.exp(-gate))).to(gl.bfloat16).to(gl.float32)
        total = gate * total_up.to(gl.bfloat16).to(gl.float32)
    else:
        total = warpgroup_mma_wait(0, [total])
    at = gl.arange(0, tokens, gl.SliceLayout(1, summed))[:, None] * N
    place = at + first + gl.arange(0, BLOCK_N, gl.SliceLayout(0, summed))[None, :]
    if SPLITS > 1:
        gl.store(y_ptr + split * tokens * N + place, total)
    else:
        gl.store(y_ptr + place, total.to(gl.bfloat16))


@gluon.jit
def _ring(
    x_desc, w_desc, y_ptr, N,
    STEPS: gl.constexpr, SPLITS: gl.constexpr, STAGES: gl.constexpr, GATED: gl.constexpr, LATE: gl.constexpr,
    PDL: gl.constexpr,
):  # fmt: skip
    tokens: gl.constexpr = x_desc.block_type.shape[0]
    block_n: gl.constexpr = w_desc.block_type.shape[0]
    tile: gl.constexpr = w_desc.block_type.shape[1]
    each: gl.constexpr = (STEPS + SPLITS - 1) // SPLITS
    bytes_of_step: gl.constexpr = ((2 if GATED else 1) * block_n + tokens) * tile * 2
    first, split = gl.program_id(0) * block_n, gl.program_id(1)
    begin = split * each
    count = gl.minimum(each, STEPS - begin)
    gates = gl.allocate_shared_memory(gl.bfloat16, [STAGES, block_n, tile], w_desc.layout)
    ups = gates
    if GATED:
        ups = gl.allocate_shared_memory(gl.bfloat16, [STAGES, block_n, tile], w_desc.layout)
    xs = gl.allocate_shared_memory(gl.bfloat16, [STAGES, tokens, tile], x_desc.layout)
    full = gl.allocate_shared_memory(gl.int64, [STAGES, 1], mbarrier.MBarrierLayout())
    empty = gl.allocate_shared_memory(gl.int64, [STAGES, 1], mbarrier.MBarrierLayout())
    for step in gl.static_range(STAGES):
        mbarrier.init(full.index(step), count=1)
        mbarrier.init(empty.index(step), count=1)
    fence_async_shared()  # the tensor memory accelerator sees the barriers as they were made
    if PDL and not LATE:
        gdc_launch_dependents()
    gl.warp_specialize(
        [
            (
                _multiply,
                (y_ptr, xs, gates, ups, full, empty, N, first, split, count, block_n, SPLITS, STAGES, GATED,
                 PDL and LATE),
            ),
            (
                _bring,
                (x_desc, w_desc, xs, gates, ups, full, empty, N, first, begin, count, STAGES, GATED, bytes_of_step,
                 PDL),
            ),
        ],
        [1],
        [40],
    )  # fmt: skip


def ring(
    x: torch.Tensor,
    weight: torch.Tensor,
    gated: bool = False,
    splits: int = 1,
    pdl: bool = False,
    late: bool = True,
    block_n: int = 64,
    stages: int = 6,
) -> torch.Tensor:
    """(64, K) and (N, K) bfloat16 -> (64, N) bfloat16, or (splits, 64, N) float32 where it is split.

    K is a multiple of 64, of which every split gets some; the result's columns are a multiple of `block_n`.

    Args:
        gated: gate rows first, then up rows; the result has N / 2 columns.
        late: with `pdl`, the kernel after is let in when the last tiles are being multiplied, not at the start.

    Raises:
        RuntimeError: the device has another compute capability.
    """
    capability = torch.cuda.get_device_capability(x.device)
    if capability[0] != 9:  # the compiler would not raise an error but end the process
        raise RuntimeError(f"the ring needs compute capability 9.0, the device has {capability}; use `stream`")
    rows, size = weight.shape[0] // (2 if gated else 1), weight.shape[1]
    shape, dtype = ((splits, TOKENS, rows), torch.float32) if splits > 1 else ((TOKENS, rows), torch.bfloat16)
    y = torch.empty(shape, dtype=dtype, device=x.device)
    tiles = [TensorDescriptor.from_tensor(x, [TOKENS, TILE], _TILED)]
    tiles += [TensorDescriptor.from_tensor(weight, [block_n, TILE], _TILED)]
    _ring[(rows // block_n, splits)](
        *tiles, y, rows, size // TILE, splits, stages, gated, late,
        num_warps=_WARPS, maxnreg=_REGISTERS, **launch(pdl),
    )  # fmt: skip
    return y
