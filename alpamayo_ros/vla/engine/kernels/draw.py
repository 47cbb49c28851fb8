"""Draws tokens from logits and keeps the rows' ends, all on the device.

The draw is the exponential race: token i wins with probability p_i where E_i / p_i is least and the E_i are
independent exponential numbers. They are Philox (Salmon et al., SC 2011) of (token, step, sample) under a seed, so a
token is a function of its logits, the seed, its step and its sample: drawn again from the same logits it is the same.
Twins: `twins.draw`, `twins.settle`.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from alpamayo_ros.vla.engine.kernels.common import power_of_2

_BLOCK = 2048
NEVER = 1 << 30


@triton.jit
def _race(
    logits_ptr, edge_ptr, seed_ptr, state_ptr, best_ptr, index_ptr, size, masked_from, masked_to, cooling,
    BLOCK: tl.constexpr, GREEDY: tl.constexpr, VERIFY: tl.constexpr,
):  # fmt: skip
    row, block = tl.program_id(0), tl.program_id(1)
    token = block * BLOCK + tl.arange(0, BLOCK)
    allowed = (token < size) & ((token < masked_from) | (token >= masked_to))
    score = tl.load(logits_ptr + row.to(tl.int64) * size + token, mask=allowed, other=-float("inf")).to(tl.float32)
    if not GREEDY:
        allowed = allowed & (score >= tl.load(edge_ptr + row))
        step = row if VERIFY else tl.load(state_ptr + 1) + 1
        sample = row * 0 if VERIFY else row
        low = tl.load(seed_ptr).to(tl.uint32, bitcast=True).to(tl.uint64)
        high = tl.load(seed_ptr + 1).to(tl.uint32, bitcast=True).to(tl.uint64)
        zero = token * 0
        bits, _, _, _ = tl.philox(low | (high << 32), token, zero + step, zero + sample, zero)
        # Near zero, where the race is won, the number keeps float32's full precision.
        u = (bits.to(tl.uint32, bitcast=True).to(tl.float32) + 0.5) * 2.3283064365386963e-10
        exponential = tl.where(
            u < 1e-2, u * (1.0 + u * (0.5 + u * (1.0 / 3.0))), -tl.log(1.0 - tl.minimum(u, 0.99999994))
        )
        score = score * cooling - tl.log(exponential)
    score = tl.where(allowed, score, -float("inf"))
    best, index = tl.max(score, axis=0, return_indices=True, return_indices_tie_break_left=True)
    tl.store(best_ptr + row * tl.num_programs(1) + block, best)
    tl.store(index_ptr + row * tl.num_programs(1) + block, block * BLOCK + index)


@triton.jit
def _finish(best_ptr, index_ptr, token_ptr, blocks, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    best = tl.load(best_ptr + row * blocks + at, mask=at < blocks, other=-float("inf"))
    _, winner = tl.max(best, axis=0, return_indices=True, return_indices_tie_break_left=True)
    tl.store(token_ptr + row, tl.load(index_ptr + row * blocks + winner))


def draw(
    logits: torch.Tensor,
    edge: torch.Tensor | None,
    seed: torch.Tensor,
    state: torch.Tensor,
    masked: range,
    temperature: float,
    verify: bool = False,
) -> torch.Tensor:
    """(R, V) logits -> (R,) int32 tokens.

    Args:
        edge: (R,) float32, the least logit of the nucleus; None draws from all. At temperature 0 nothing is drawn.
        seed: (2,) int32. state: int32, its second entry is the step before this one.
        masked: ids that are never drawn.
        verify: row r is step r of one sample, instead of sample r of one step.
    """
    rows, size = logits.shape
    blocks = triton.cdiv(size, _BLOCK)
    best = torch.empty((rows, blocks), dtype=torch.float32, device=logits.device)
    index = torch.empty((rows, blocks), dtype=torch.int32, device=logits.device)
    tokens = torch.empty(rows, dtype=torch.int32, device=logits.device)
    greedy = temperature == 0
    if edge is None:
        edge = torch.full((rows,), -torch.inf, device=logits.device)
    _race[(rows, blocks)](
        logits, edge, seed, state, best, index, size, masked.start, masked.stop, 0.0 if greedy else 1 / temperature,
        _BLOCK, greedy, verify, num_warps=8,
    )  # fmt: skip
    _finish[(rows,)](best, index, tokens, blocks, power_of_2(blocks), num_warps=1)
    return tokens


@triton.jit
def _settle(
    drawn_ptr, forced_ptr, tokens_ptr, current_ptr, state_ptr, stop_ptr, end_ptr, rows, width, stop, end, pad,
    ROWS: tl.constexpr,
):  # fmt: skip
    row = tl.arange(0, ROWS)
    live = row < rows
    step = tl.load(state_ptr + 1) + 1
    drawn = tl.load(drawn_ptr + row, mask=live, other=0)
    forced = tl.load(forced_ptr + row * width + step, mask=live, other=-1)
    ended = tl.load(end_ptr + row, mask=live, other=0)
    stopped = tl.load(stop_ptr + row, mask=live, other=0)
    free = tl.where(ended < step, pad, drawn)
    token = tl.where(forced >= 0, forced, free).to(tl.int32)
    stopped = tl.where((token == stop) & (stopped > step), step, stopped)
    ended = tl.where((token == end) & (ended > step), step, ended)
    tl.store(tokens_ptr + row * width + step, token, mask=live)
    tl.store(current_ptr + row, token, mask=live)
    tl.store(stop_ptr + row, stopped, mask=live)
    tl.store(end_ptr + row, ended, mask=live)
    tl.store(state_ptr + 1, step)
    last_stop = tl.max(tl.where(live, stopped, -1), axis=0)
    last_end = tl.max(tl.where(live, ended, -1), axis=0)
    tl.store(state_ptr + 3, last_stop)
    tl.store(state_ptr + 4, last_end)


def settle(
    drawn: torch.Tensor,
    forced: torch.Tensor,
    tokens: torch.Tensor,
    current: torch.Tensor,
    state: torch.Tensor,
    stops: torch.Tensor,
    ends: torch.Tensor,
    ids: tuple[int, int, int],
) -> None:
    """Takes one step's (R,) drawn tokens into the rows; everything is changed in place.

    Args:
        forced: (R, width) int32, what is taken instead where it is not negative.
        tokens: (R, width) int32, the step's column is written; current: (R,) int32, the same column.
        state: int32 (5,): [1] the step, advanced by one; [3] the last row's stop, [4] the last row's end.
        stops, ends: (R,) int32, the step of a row's first stop and end, `NEVER` before.
        ids: stop, end and padding; a row is padded after its end.
    """
    rows, width = tokens.shape
    _settle[(1,)](
        drawn, forced, tokens, current, state, stops, ends, rows, width, *ids, max(1, power_of_2(rows)), num_warps=1
    )
