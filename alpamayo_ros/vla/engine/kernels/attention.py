"""Attention of few queries over a prompt that all rows share and over each row's own slots, split over the keys.

Both kernels take the products as they come, norm and turn the heads themselves, and leave unnormalised float32 parts
that `_combine` adds up. A split is a range of the prompt; one more is the row's own slots.
Twins: `twins.decode_attention`, `twins.flow_attention`.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from alpamayo_ros.vla.engine.kernels.common import (
    gains,
    launch,
    normed_halves,
    power_of_2,
    rotated_halves,
    wait,
)

DECODE_SPLITS = 15


@triton.jit
def _within(live, d, size: tl.constexpr):
    """The mask of rows that are `live` and of the first `size` columns, which are as a rule all."""
    mask = live[:, None]
    if d.shape[0] != size:
        mask = mask & (d < size)[None, :]
    return mask


@triton.jit
def _halves(base, at, d, live, half: tl.constexpr):
    """(rows, half) low and high halves of heads that start at `base + at`, float32."""
    some = _within(live, d, half)
    low = tl.load(base + at[:, None] + d[None, :], mask=some, other=0.0).to(tl.float32)
    high = tl.load(base + at[:, None] + half + d[None, :], mask=some, other=0.0).to(tl.float32)
    return low, high


@triton.jit
def _attend(q_low, q_high, k_low, k_high, v, seen, scale, top, total, out):
    """One block of keys of the online softmax (Milakov and Gimelshein, arXiv 1805.02867)."""
    scores = tl.dot(q_low, tl.trans(k_low))
    scores = tl.dot(q_high, tl.trans(k_high), scores) * scale
    scores = tl.where(seen, scores, -float("inf"))
    new = tl.maximum(top, tl.max(scores, axis=1))
    safe = tl.where(new == -float("inf"), 0.0, new)
    weight = tl.exp2(scores - safe[:, None])
    shrink = tl.exp2(top - safe)
    total = total * shrink + tl.sum(weight, axis=1)
    out = tl.dot(weight.to(tl.bfloat16), v, out * shrink[:, None])
    return new, total, out


@triton.jit
def _decode(
    x_ptr, q_gain_ptr, k_gain_ptr, cos_ptr, sin_ptr, pk_ptr, pv_ptr, ok_ptr, ov_ptr, state_ptr, part_ptr, top_ptr,
    total_ptr, rows, capacity, slots, eps, scale,
    HEADS: tl.constexpr, KV: tl.constexpr, HEAD: tl.constexpr, HALF_P: tl.constexpr, QUERIES: tl.constexpr,
    BLOCK: tl.constexpr, SPLITS: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    kv, split = tl.program_id(0), tl.program_id(1)
    half: tl.constexpr = HEAD // 2
    group: tl.constexpr = HEADS // KV
    width: tl.constexpr = (HEADS + 2 * KV) * HEAD
    d, whole, spread = tl.arange(0, HALF_P), tl.arange(0, 2 * HALF_P), tl.arange(0, BLOCK)
    q_gain_low, q_gain_high = gains(q_gain_ptr, d, half)
    k_gain_low, k_gain_high = gains(k_gain_ptr, d, half)
    wait(PDL)
    length, step = tl.load(state_ptr), tl.load(state_ptr + 1)
    position = length + step + tl.load(state_ptr + 2)
    cos = tl.load(cos_ptr + position * half + d, mask=d < half, other=0.0)[None, :].to(tl.float32)
    sin = tl.load(sin_ptr + position * half + d, mask=d < half, other=0.0)[None, :].to(tl.float32)
    query = tl.arange(0, QUERIES)
    row, head = query // group, kv * group + query % group
    live = query < rows * group
    low, high = _halves(x_ptr, row * width + head * HEAD, d, live, half)
    low, high = normed_halves(low, high, q_gain_low, q_gain_high, HEAD, eps)
    q_low, q_high = rotated_halves(low, high, cos, sin, False)
    top = tl.full((QUERIES,), -float("inf"), tl.float32)
    total = tl.zeros((QUERIES,), tl.float32)
    out = tl.zeros((QUERIES, 2 * HALF_P), tl.float32)
    if split < SPLITS:
        each = tl.cdiv(tl.cdiv(length, SPLITS), BLOCK) * BLOCK
        base = kv.to(tl.int64) * capacity * HEAD
        for start in tl.range(split * each, tl.minimum(split * each + each, length), BLOCK, num_stages=3):
            at = start + spread
            inside = _within(at < length, d, half)
            place = base + at[:, None] * HEAD
            k_low = tl.load(pk_ptr + place + d[None, :], mask=inside, other=0.0)
            k_high = tl.load(pk_ptr + place + half + d[None, :], mask=inside, other=0.0)
            v = tl.load(pv_ptr + place + whole[None, :], mask=_within(at < length, whole, HEAD), other=0.0)
            top, total, out = _attend(q_low, q_high, k_low, k_high, v, (at < length)[None, :], scale, top, total, out)
    else:
        own = split - SPLITS
        one = tl.arange(0, 1)
        fresh = own * width + (HEADS + kv) * HEAD + one * 0
        fresh_low, fresh_high = _halves(x_ptr, fresh, d, one == 0, half)
        fresh_low, fresh_high = normed_halves(fresh_low, fresh_high, k_gain_low, k_gain_high, HEAD, eps)
        new_low, new_high = rotated_halves(fresh_low, fresh_high, cos, sin, False)
        some, all_of_it = _within(one == 0, d, half), _within(one == 0, whole, HEAD)
        new_at = own * width + (HEADS + KV + kv) * HEAD + one[:, None] * 0 + whole[None, :]
        new_v = tl.load(x_ptr + new_at, mask=all_of_it, other=0.0)
        own_base = (own * KV + kv).to(tl.int64) * slots * HEAD
        slot = own_base + step * HEAD + one[:, None] * 0
        tl.store(ok_ptr + slot + d[None, :], new_low, mask=some)
        tl.store(ok_ptr + slot + half + d[None, :], new_high, mask=some)
        tl.store(ov_ptr + slot + whole[None, :], new_v, mask=all_of_it)
        for start in tl.range(0, step + 1, BLOCK):
            own_at = start + spread
            written = _within(own_at < step, d, half)
            here = (own_at == step)[:, None]
            own_place = own_base + own_at[:, None] * HEAD
            k_low = tl.where(here, new_low, tl.load(ok_ptr + own_place + d[None, :], mask=written, other=0.0))
            k_high = tl.where(here, new_high, tl.load(ok_ptr + own_place + half + d[None, :], mask=written, other=0.0))
            written_v = _within(own_at < step, whole, HEAD)
            v = tl.where(here, new_v, tl.load(ov_ptr + own_place + whole[None, :], mask=written_v, other=0.0))
            top, total, out = _attend(
                q_low, q_high, k_low, k_high, v, (own_at <= step)[None, :], scale, top, total, out
            )
        live = live & (row == own)
    part = (row * HEADS + head) * (SPLITS + 1) + tl.minimum(split, SPLITS)
    tl.store(top_ptr + part, top, mask=live)
    tl.store(total_ptr + part, total, mask=live)
    tl.store(part_ptr + part[:, None] * HEAD + whole[None, :], out, mask=_within(live, whole, HEAD))


@triton.jit
def _flow(
    x_ptr, q_gain_ptr, k_gain_ptr, cos_ptr, sin_ptr, pk_ptr, pv_ptr, ok_ptr, ov_ptr, state_ptr, count_ptr, start_ptr,
    part_ptr, top_ptr, total_ptr, capacity, slots, eps, scale,
    HEADS: tl.constexpr, KV: tl.constexpr, HEAD: tl.constexpr, HALF_P: tl.constexpr, TOKENS: tl.constexpr,
    PACKED: tl.constexpr, BLOCK: tl.constexpr, SPLITS: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    """A program has the waypoints of PACKED heads, which share their keys, one after the other."""
    groups: tl.constexpr = HEADS // PACKED
    row, first_head, split = tl.program_id(0) // groups, tl.program_id(0) % groups * PACKED, tl.program_id(1)
    half: tl.constexpr = HEAD // 2
    width: tl.constexpr = (HEADS + 2 * KV) * HEAD
    kv = first_head // (HEADS // KV)
    # The keys and values of prompt and row, lengths and places are as before the flow: no kernel of it writes them.
    length, start_place = tl.load(state_ptr), tl.load(start_ptr + row)
    if split < SPLITS:
        blocks = tl.cdiv(length, BLOCK)
        begin = split * blocks // SPLITS * BLOCK
        end = tl.minimum((split + 1) * blocks // SPLITS * BLOCK, length)
        k_ptr, v_ptr = pk_ptr, pv_ptr
        base = kv.to(tl.int64) * capacity * HEAD
    else:
        begin = 0
        end = tl.load(count_ptr + row)
        k_ptr, v_ptr = ok_ptr, ov_ptr
        base = (row * KV + kv).to(tl.int64) * slots * HEAD
    d, whole, spread = tl.arange(0, HALF_P), tl.arange(0, 2 * HALF_P), tl.arange(0, BLOCK)
    query = tl.arange(0, PACKED * TOKENS)
    token, head = query % TOKENS, first_head + query // TOKENS
    q_gain_low, q_gain_high = gains(q_gain_ptr, d, half)
    k_gain_low, k_gain_high = gains(k_gain_ptr, d, half)
    position = (start_place + token)[:, None] * half + d[None, :]
    some = _within(token < TOKENS, d, half)
    cos, sin = tl.load(cos_ptr + position, mask=some, other=0.0), tl.load(sin_ptr + position, mask=some, other=0.0)
    wait(PDL)
    low, high = _halves(x_ptr, (row * TOKENS + token) * width + head * HEAD, d, token < TOKENS, half)
    low, high = normed_halves(low, high, q_gain_low, q_gain_high, HEAD, eps)
    q_low, q_high = rotated_halves(low, high, cos, sin, True)
    top = tl.full((PACKED * TOKENS,), -float("inf"), tl.float32)
    total = tl.zeros((PACKED * TOKENS,), tl.float32)
    out = tl.zeros((PACKED * TOKENS, 2 * HALF_P), tl.float32)
    for start in tl.range(begin, end, BLOCK, num_stages=3):
        here = start + spread
        inside = _within(here < end, d, half)
        place = base + here[:, None] * HEAD
        k_low = tl.load(k_ptr + place + d[None, :], mask=inside, other=0.0)
        k_high = tl.load(k_ptr + place + half + d[None, :], mask=inside, other=0.0)
        v = tl.load(v_ptr + place + whole[None, :], mask=_within(here < end, whole, HEAD), other=0.0)
        top, total, out = _attend(q_low, q_high, k_low, k_high, v, (here < end)[None, :], scale, top, total, out)
    if split == SPLITS:
        each = tl.arange(0, TOKENS)
        at, live = (row * TOKENS + each) * width, each < TOKENS
        own, mine = (start_place + each)[:, None] * half + d[None, :], _within(live, d, half)
        own_cos, own_sin = tl.load(cos_ptr + own, mask=mine, other=0.0), tl.load(sin_ptr + own, mask=mine, other=0.0)
        own_low, own_high = _halves(x_ptr, at + (HEADS + kv) * HEAD, d, live, half)
        own_low, own_high = normed_halves(own_low, own_high, k_gain_low, k_gain_high, HEAD, eps)
        new_low, new_high = rotated_halves(own_low, own_high, own_cos, own_sin, True)
        new_at = (at + (HEADS + KV + kv) * HEAD)[:, None] + whole[None, :]
        new_v = tl.load(x_ptr + new_at, mask=_within(live, whole, HEAD), other=0.0)
        seen = (each < TOKENS)[None, :]
        top, total, out = _attend(q_low, q_high, new_low, new_high, new_v, seen, scale, top, total, out)
    slot = ((row * HEADS + head) * (SPLITS + 1) + split) * TOKENS + token
    tl.store(top_ptr + slot, top)
    tl.store(total_ptr + slot, total)
    tl.store(part_ptr + slot[:, None] * HEAD + whole[None, :], out, mask=_within(token < TOKENS, whole, HEAD))


@triton.jit
def _combine(
    part_ptr, top_ptr, total_ptr, y_ptr,
    HEADS: tl.constexpr, HEAD: tl.constexpr, WHOLE_P: tl.constexpr, TOKENS: tl.constexpr, BLOCK: tl.constexpr,
    SPLITS: tl.constexpr, PDL: tl.constexpr,
):  # fmt: skip
    row, head = tl.program_id(0) // HEADS, tl.program_id(0) % HEADS
    token = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    whole = tl.arange(0, WHOLE_P)
    some = _within(token < TOKENS, whole, HEAD)
    first = tl.program_id(0) * SPLITS * TOKENS + token
    wait(PDL)
    top = tl.load(top_ptr + first)
    for split in tl.static_range(1, SPLITS):
        top = tl.maximum(top, tl.load(top_ptr + first + split * TOKENS))
    total = tl.zeros((BLOCK,), tl.float32)
    out = tl.zeros((BLOCK, WHOLE_P), tl.float32)
    for split in tl.static_range(SPLITS):
        slot = first + split * TOKENS
        weight = tl.exp2(tl.load(top_ptr + slot) - top)
        total += weight * tl.load(total_ptr + slot)
        out += weight[:, None] * tl.load(part_ptr + slot[:, None] * HEAD + whole[None, :], mask=some, other=0.0)
    y = (out / total[:, None]).to(tl.bfloat16)
    tl.store(y_ptr + ((row * TOKENS + token) * HEADS + head)[:, None] * HEAD + whole[None, :], y, mask=some)


# exp2(x log2 e) = exp(x): the kernels' softmax is of base two.
_LOG2E = 1.4426950408889634


def _parts(groups: int, splits: int, tokens: int, head: int, device: torch.device) -> list[torch.Tensor]:
    shape = (groups, splits, tokens)
    part = torch.empty((*shape, head), dtype=torch.float32, device=device)
    return [part, *(torch.empty(shape, dtype=torch.float32, device=device) for _ in range(2))]


def decode_attention(
    qkv: torch.Tensor,
    q_gain: torch.Tensor,
    k_gain: torch.Tensor,
    eps: float,
    cos: torch.Tensor,
    sin: torch.Tensor,
    prompt: tuple[torch.Tensor, torch.Tensor],
    own: tuple[torch.Tensor, torch.Tensor],
    state: torch.Tensor,
    pdl: bool = False,
    splits: int = DECODE_SPLITS,
    block: int = 64,
    warps: int = 4,
) -> torch.Tensor:
    """One new token a row: its key and value go to the row's slot `step`, its queries see the prompt and the row.

    Args:
        qkv: (R, (H + 2 KV) hd) bfloat16 products, not yet normed.
        cos, sin: (P, hd / 2) tables by position.
        prompt: keys and values, (KV, capacity, hd); own: (R, KV, slots, hd).
        state: int32, at least (prompt length, step, rope delta).

    Returns:
        (R, H hd).
    """
    (rows, kv, slots, head), capacity = own[0].shape, prompt[0].shape[1]
    heads = qkv.shape[1] // head - 2 * kv
    part, top, total = _parts(rows * heads, splits + 1, 1, head, qkv.device)
    y = torch.empty((rows, heads * head), dtype=torch.bfloat16, device=qkv.device)
    queries = max(16, power_of_2(rows * heads // kv))
    _decode[(kv, splits + rows)](
        qkv, q_gain, k_gain, cos, sin, *prompt, *own, state, part, top, total, rows, capacity, slots, eps,
        head**-0.5 * _LOG2E, heads, kv, head, power_of_2(head // 2), queries, block, splits,
        num_warps=warps, **launch(pdl),
    )  # fmt: skip
    _combine[(rows * heads, 1)](
        part, top, total, y, heads, head, power_of_2(head), 1, 1, splits + 1, num_warps=4, **launch(pdl)
    )
    return y


def flow_attention(
    qkv: torch.Tensor,
    q_gain: torch.Tensor,
    k_gain: torch.Tensor,
    eps: float,
    cos: torch.Tensor,
    sin: torch.Tensor,
    prompt: tuple[torch.Tensor, torch.Tensor],
    own: tuple[torch.Tensor, torch.Tensor],
    state: torch.Tensor,
    counts: torch.Tensor,
    starts: torch.Tensor,
    pdl: bool = False,
    packed: int = 1,
    splits: int = 7,
    block: int = 64,
    warps: int = 4,
) -> torch.Tensor:
    """The waypoints of every row see the prompt, what the row said, and each other.

    Args:
        qkv: (R N, (H + 2 KV) hd) bfloat16 products, not yet normed; N a power of two of at least 16.
        cos, sin: (P, hd / 2) float32 tables by position.
        counts: (R,) int32, how many of a row's own slots are seen; starts: (R,) position of its first waypoint.
        packed: query heads of a program, which share their keys.

    Returns:
        (R N, H hd).
    """
    (rows, kv, slots, head), capacity = own[0].shape, prompt[0].shape[1]
    rows = counts.shape[0]
    heads, tokens = qkv.shape[1] // head - 2 * kv, qkv.shape[0] // rows
    part, top, total = _parts(rows * heads, splits + 1, tokens, head, qkv.device)
    y = torch.empty((rows * tokens, heads * head), dtype=torch.bfloat16, device=qkv.device)
    packed = min(packed, heads // kv)
    _flow[(rows * heads // packed, splits + 1)](
        qkv, q_gain, k_gain, cos, sin, *prompt, *own, state, counts, starts, part, top, total, capacity, slots, eps,
        head**-0.5 * _LOG2E, heads, kv, head, power_of_2(head // 2), tokens, packed, block, splits,
        num_warps=warps, **launch(pdl),
    )  # fmt: skip
    each = 8
    _combine[(rows * heads, tokens // each)](
        part, top, total, y, heads, head, power_of_2(head), tokens, each, splits + 1, num_warps=4, **launch(pdl)
    )
    return y
