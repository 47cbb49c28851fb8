"""What each kernel computes, in plain PyTorch: the engine's path where there is no Triton, and the kernels' tests.

Every function may run in a CUDA graph: lengths and steps are read on the device. In bfloat16 values are rounded where
the plain path rounds them; attention is float32 inside, as in the flash kernels.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from alpamayo_ros.vla import quantise
from alpamayo_ros.vla.engine.weights import FEW, Matrix

# Of the action input's norms.
_EPS = 1e-5


def norm(x: torch.Tensor, gain: torch.Tensor, eps: float) -> torch.Tensor:
    """(..., K) rows -> their RMS norm in the gain's dtype."""
    wide = x.float()
    unit = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps)
    return (gain * unit.to(x.dtype)).to(gain.dtype)


def add_norm(x: torch.Tensor, delta: torch.Tensor, gain: torch.Tensor, eps: float) -> tuple[torch.Tensor, torch.Tensor]:
    """x + delta and its norm; `delta` may be (parts, M, K) float32."""
    if delta.dim() == x.dim() + 1:
        delta = delta.sum(0).to(gain.dtype)
    total = x + delta
    return total, norm(total, gain, eps)


def linear(x: torch.Tensor, matrix: Matrix) -> torch.Tensor:
    """(M, K) -> (M, N) with the weights as they are, scaled after the product."""
    if matrix.scale is None:
        return F.linear(x, matrix.weight)
    dtype, x = x.dtype, x.float()
    if len(x) > FEW and matrix.weight.dtype == torch.float8_e4m3fn:
        small, scale = quantise.rows(x, matrix.weight.dtype)
        x = small.float() * scale[:, None]
    return (F.linear(x, matrix.weight.float()) * matrix.scale).to(dtype)


def linear_parts(x: torch.Tensor, matrix: Matrix) -> torch.Tensor:
    """What `add_norm` takes as its delta."""
    return linear(x, matrix)


def norm_linear(x: torch.Tensor, gain: torch.Tensor, eps: float, matrix: Matrix) -> torch.Tensor:
    return linear(norm(x, gain, eps), matrix)


def linear_add(x: torch.Tensor, matrix: Matrix, base: torch.Tensor) -> torch.Tensor:
    return base + linear(x, matrix)


def silu_mul(x: torch.Tensor) -> torch.Tensor:
    """(M, 2 I), gates then ups -> (M, I)."""
    gate, up = x.chunk(2, dim=-1)
    return F.silu(gate) * up


def gate_up(x: torch.Tensor, matrix: Matrix) -> torch.Tensor:
    return silu_mul(linear(x, matrix))


def norm_gate_up(x: torch.Tensor, gain: torch.Tensor, eps: float, matrix: Matrix) -> torch.Tensor:
    return gate_up(norm(x, gain, eps), matrix)


def turned(heads: torch.Tensor, gain: torch.Tensor, eps: float, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """(M, H, hd) heads at M places, normed and turned; cos, sin: (M, hd / 2)."""
    low, high = norm(heads, gain, eps).chunk(2, dim=-1)
    cos, sin = cos[:, None], sin[:, None]
    return torch.cat([low * cos - high * sin, high * cos + low * sin], dim=-1).to(heads.dtype)


def split_heads(qkv: torch.Tensor, kv: int, head: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(M, (H + 2 KV) hd) -> (M, H, hd), (M, KV, hd), (M, KV, hd)."""
    heads = qkv.shape[1] // head - 2 * kv
    return qkv.unflatten(1, (-1, head)).split([heads, kv, kv], dim=1)


def turn_and_keep(qkv, q_gain, k_gain, eps, cos, sin, keys, values, first) -> torch.Tensor:
    kv, _, head = keys.shape
    q, k, v = split_heads(qkv, kv, head)
    keys[:, first : first + len(qkv)] = turned(k, k_gain, eps, cos, sin).transpose(0, 1)
    values[:, first : first + len(qkv)] = v.transpose(0, 1)
    return turned(q, q_gain, eps, cos, sin)


def decode_attention(qkv, q_gain, k_gain, eps, cos, sin, prompt, own, state) -> torch.Tensor:
    (_, kv, slots, head), capacity = own[0].shape, prompt[0].shape[1]
    length, step = state[0], state[1]
    position = (length + step + state[2]).reshape(1).long()
    cos, sin = cos.index_select(0, position), sin.index_select(0, position)
    q, k, v = split_heads(qkv, kv, head)
    q, k = turned(q, q_gain, eps, cos, sin), turned(k, k_gain, eps, cos, sin)
    place = step.reshape(1).long()
    own[0].index_copy_(2, place, k[:, :, None])
    own[1].index_copy_(2, place, v[:, :, None])
    index = torch.arange(capacity + slots, device=qkv.device)
    seen = torch.where(index < capacity, index < length, index - capacity <= step)
    return _attended(q[:, None], prompt, own, seen.expand(len(q), -1))


def flow_attention(qkv, q_gain, k_gain, eps, cos, sin, prompt, own, state, counts, starts) -> torch.Tensor:
    (_, kv, slots, head), capacity = own[0].shape, prompt[0].shape[1]
    rows = len(counts)
    tokens = len(qkv) // rows
    steps = torch.arange(tokens, device=qkv.device)
    position = (starts[:, None] + steps).flatten().long()
    cos, sin = cos.index_select(0, position), sin.index_select(0, position)
    q, k, v = split_heads(qkv, kv, head)
    q, k = turned(q, q_gain, eps, cos, sin), turned(k, k_gain, eps, cos, sin)
    k, v = (part.unflatten(0, (rows, tokens)).transpose(1, 2) for part in (k, v))
    own = torch.cat([own[0][:rows], k], dim=2), torch.cat([own[1][:rows], v], dim=2)
    index = torch.arange(capacity + slots + tokens, device=qkv.device)
    seen = (index - capacity < counts[:, None]) | (index >= capacity + slots)
    seen = torch.where(index < capacity, index < state[0], seen)
    return _attended(q.unflatten(0, (rows, tokens)), prompt, own, seen)


def _attended(q: torch.Tensor, prompt, own, seen: torch.Tensor) -> torch.Tensor:
    """(R, N, H, hd) queries over the shared prompt and each row's own keys -> (R N, H hd); seen: (R, keys)."""
    rows, tokens, heads, head = q.shape
    k, v = (torch.cat([a.expand(rows, -1, -1, -1), b[:rows]], dim=2) for a, b in zip(prompt, own, strict=True))
    grouped = q.unflatten(2, (k.shape[1], -1)).permute(0, 2, 3, 1, 4).flatten(2, 3).float()
    scores = grouped @ k.float().transpose(-1, -2) * head**-0.5
    # Slots that were never written may hold anything; what is not seen must not reach the product either.
    weights = scores.masked_fill(~seen[:, None, None], -torch.inf).softmax(-1)
    out = weights @ v.float().masked_fill(~seen[:, None, :, None], 0.0)
    out = out.unflatten(2, (heads // k.shape[1], tokens)).permute(0, 3, 1, 2, 4)
    return out.reshape(rows * tokens, heads * head).to(q.dtype)


def action_features(actions, first, second, time, dtype) -> torch.Tensor:
    parts = [actions[:, n, None].float() * freqs * (2 * math.pi) for n, freqs in enumerate((first, second))]
    waves = [math.sqrt(2) * wave for phase in parts for wave in (phase.sin(), phase.cos())]
    return torch.cat([*waves, time.expand(len(actions), -1)], dim=-1).to(dtype)


def silu_norm(x: torch.Tensor, gain: torch.Tensor) -> torch.Tensor:
    return norm(F.silu(x), gain, _EPS)


def wide_layer_norm(x: torch.Tensor, gain: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    return F.layer_norm(x.float(), gain.shape, gain.float(), shift.float(), _EPS)


def add_layer_norm(x, delta, gain, shift, eps) -> tuple[torch.Tensor, torch.Tensor]:
    total = x if delta is None else x + delta
    return total, F.layer_norm(total.float(), gain.shape, gain.float(), shift.float(), eps).to(x.dtype)


def turn_patches(qkv, cos, sin, heads) -> torch.Tensor:
    parts = qkv.view(len(qkv), 3, heads, -1)
    low, high = parts[:, :2].float().chunk(2, dim=-1)
    cos, sin = (part.repeat(len(qkv) // len(part), 1)[:, None, None] for part in (cos, sin))
    turned = torch.cat([low * cos - high * sin, high * cos + low * sin], dim=-1).to(qkv.dtype)
    return torch.cat([turned, parts[:, 2:]], dim=1)


def linear_gelu(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """The product, then GELU in its tanh form."""
    return F.gelu(F.linear(x, weight, bias), approximate="tanh")


NEVER = 1 << 30
_MASK = 0xFFFFFFFF


def _philox(key: torch.Tensor, token: torch.Tensor, step: torch.Tensor, sample: torch.Tensor) -> torch.Tensor:
    """First word of Philox 4x32-10 of (token, step, sample, 0), int64 holding 32 bits."""
    c0, c1, c2, c3 = torch.broadcast_tensors(token, step, sample, torch.zeros_like(token))
    k0, k1 = key[0].long() & _MASK, key[1].long() & _MASK
    for _ in range(10):
        a, b = c0 * 0xD2511F53, c2 * 0xCD9E8D57
        c0, c1, c2, c3 = ((b >> 32) & _MASK) ^ c1 ^ k0, b & _MASK, ((a >> 32) & _MASK) ^ c3 ^ k1, a & _MASK
        k0, k1 = (k0 + 0x9E3779B9) & _MASK, (k1 + 0xBB67AE85) & _MASK
    return c0


def exponential(seed: torch.Tensor, step: torch.Tensor, sample: torch.Tensor, size: int) -> torch.Tensor:
    """(R, size) float32 exponential numbers of (R,) steps and samples."""
    token = torch.arange(size, device=seed.device)[None]
    bits = _philox(seed, token, step.long()[:, None], sample.long()[:, None])
    return -torch.log1p(-((bits.double() + 0.5) * 2.0**-32)).float()


def edge(logits: torch.Tensor, masked: range, temperature: float, top_p: float) -> torch.Tensor:
    """(R,) float32: the least logit of each row's nucleus.

    The nucleus is the plain sampler's, but for tokens of exactly the edge's logit: they all stay.
    """
    cooled = logits.float().clone()
    cooled[:, masked.start : masked.stop] = -torch.inf
    cooled, _ = cooled.sort(-1)
    outside = (cooled / temperature).softmax(-1).cumsum(-1) <= 1 - top_p
    first = outside.sum(-1, keepdim=True).clamp_(max=logits.shape[-1] - 1)
    return cooled.gather(-1, first)[:, 0]


def draw(logits, edge, seed, state, masked, temperature, verify=False) -> torch.Tensor:
    scores = logits.float().clone()
    scores[:, masked.start : masked.stop] = -torch.inf
    if temperature == 0:
        return scores.argmax(-1).int()
    rows = torch.arange(len(logits), device=logits.device)
    step = rows if verify else (state[1] + 1).expand(len(rows))
    race = exponential(seed, step, rows * 0 if verify else rows, logits.shape[1])
    if edge is not None:
        scores = scores.masked_fill(scores < edge[:, None], -torch.inf)
    return (scores / temperature - race.log()).argmax(-1).int()


def settle(drawn, forced, tokens, current, state, stops, ends, ids) -> None:
    stop, end, pad = ids
    step = state[1] + 1
    column = step.reshape(1).long()
    given = forced.index_select(1, column)[:, 0]
    token = torch.where(given >= 0, given, torch.where(ends < step, pad, drawn)).int()
    tokens.index_copy_(1, column, token[:, None])
    current.copy_(token)
    stops.copy_(torch.where((token == stop) & (stops > step), step, stops))
    ends.copy_(torch.where((token == end) & (ends > step), step, ends))
    state[1].copy_(step)
    state[3].copy_(stops.max())
    state[4].copy_(ends.max())
