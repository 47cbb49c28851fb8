"""The nucleus of rows of bfloat16 logits without sorting them: there are only 65536 values, so they are counted.

Counts are integers, so their order of arrival does not matter. A block of values is summed relative to its own
largest one; one program per row then finds the block, and in it the value, where the sum from below passes
1 - top_p. Twin: `twins.edge`.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

_TOKENS = 2048
_BLOCKS = 64
_BINS = 1024


@triton.jit
def _count(logits_ptr, count_ptr, size, masked_from, masked_to, BLOCK: tl.constexpr):
    """Bins in the order of their values: the bits of negative numbers fall, so they are turned over."""
    row, token = tl.program_id(0).to(tl.int64), tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    allowed = (token < size) & ((token < masked_from) | (token >= masked_to))
    logit = tl.load(logits_ptr + row * size + token, mask=allowed, other=-float("inf"))
    bits = logit.to(tl.int16, bitcast=True).to(tl.int32) & 0xFFFF
    place = tl.where(bits >= 0x8000, 0xFFFF - bits, bits + 0x8000)
    finite = allowed & (logit.to(tl.float32) > -float("inf"))
    tl.atomic_add(count_ptr + row * 65536 + place, 1, mask=finite, sem="relaxed")


@triton.jit
def _bins(count_ptr, row, block, BINS: tl.constexpr):
    """(BINS,) values of a block's bins, and how many tokens have them."""
    place = block * BINS + tl.arange(0, BINS)
    count = tl.load(count_ptr + row.to(tl.int64) * 65536 + place)
    bits = tl.where(place >= 0x8000, place - 0x8000, 0xFFFF - place)
    value = (bits << 16).to(tl.float32, bitcast=True)
    return tl.where(count > 0, value, -float("inf")), count


@triton.jit
def _masses(value, count, top, cooling):
    """exp((value - top) / temperature) for each token."""
    return tl.where(count > 0, count.to(tl.float32) * tl.exp((value - top) * cooling), 0.0)


@triton.jit
def _sum_blocks(count_ptr, top_ptr, total_ptr, cooling, BLOCKS: tl.constexpr, BINS: tl.constexpr):
    row, block = tl.program_id(0), tl.program_id(1)
    value, count = _bins(count_ptr, row, block, BINS)
    top = tl.max(value, axis=0)
    tl.store(top_ptr + row * BLOCKS + block, top)
    tl.store(total_ptr + row * BLOCKS + block, tl.sum(_masses(value, count, top, cooling), axis=0))


@triton.jit
def _find(count_ptr, top_ptr, total_ptr, edge_ptr, cooling, outside, BLOCKS: tl.constexpr, BINS: tl.constexpr):
    row, blocks, bins = tl.program_id(0), tl.arange(0, BLOCKS), tl.arange(0, BINS)
    tops = tl.load(top_ptr + row * BLOCKS + blocks)
    top = tl.max(tops, axis=0)
    masses = tl.load(total_ptr + row * BLOCKS + blocks) * tl.exp((tops - top) * cooling)
    limit = outside * tl.sum(masses, axis=0)
    below = tl.cumsum(masses, axis=0)
    # The last block that holds anything counts as passing, so that rounding cannot leave the row without an edge.
    last = tl.max(tl.where(masses > 0, blocks, 0), axis=0)
    block = tl.min(tl.where((below > limit) & (masses > 0), blocks, last), axis=0)
    before = tl.sum(tl.where(blocks < block, masses, 0.0), axis=0)
    value, count = _bins(count_ptr, row, block, BINS)
    inner = _masses(value, count, top, cooling)
    sums = before + tl.cumsum(inner, axis=0)
    final = tl.max(tl.where(inner > 0, bins, 0), axis=0)
    place = tl.min(tl.where((sums > limit) & (inner > 0), bins, final), axis=0)
    tl.store(edge_ptr + row, tl.sum(tl.where(bins == place, value, 0.0), axis=0))


def edge(logits: torch.Tensor, masked: range, temperature: float, top_p: float) -> torch.Tensor:
    """(R, V) bfloat16 logits -> (R,) float32, the least logit of each row's nucleus; `masked` ids are not in it."""
    rows, size = logits.shape
    count = torch.zeros((rows, 65536), dtype=torch.int32, device=logits.device)
    top, total = (torch.empty((rows, _BLOCKS), dtype=torch.float32, device=logits.device) for _ in range(2))
    found = torch.empty(rows, dtype=torch.float32, device=logits.device)
    cooling = 1 / temperature
    _count[(rows, triton.cdiv(size, _TOKENS))](logits, count, size, masked.start, masked.stop, _TOKENS, num_warps=8)
    _sum_blocks[(rows, _BLOCKS)](count, top, total, cooling, _BLOCKS, _BINS, num_warps=4)
    _find[(rows,)](count, top, total, found, cooling, 1 - top_p, _BLOCKS, _BINS, num_warps=4)
    return found
