"""Whole batches through the modules of `vla.model`: rows of one length, images of one size, several draws a row.

The parameters and the arithmetic are those of the model's own passes (a test compares them); what differs is that
nothing loops over rows or images, so a GPU is kept busy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from alpamayo_ros.vla.config import ModelConfig
from alpamayo_ros.vla.model import Alpamayo

from .layout import Layout

# (layer, queries, keys, values), each (B, heads, L, d) -> (B, heads, L, d).
Attend = Callable[[int, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True, eq=False)
class Angles:
    """Cosines and sines of rotary positions, broadcastable to (B, heads, L, d)."""

    cos: torch.Tensor
    sin: torch.Tensor

    def turn(self, x: torch.Tensor) -> torch.Tensor:
        first, second = x.chunk(2, dim=-1)
        return x * self.cos.to(x.dtype) + torch.cat((-second, first), dim=-1) * self.sin.to(x.dtype)


@dataclass(frozen=True, eq=False)
class Fixed:
    """What every batch shares, on the device: angles, places, and the interpolation of the position table."""

    vision: Angles
    corners: torch.Tensor  # (4, P) rows of the position table
    shares: torch.Tensor  # (4, P, 1)
    text: Angles
    images: torch.Tensor
    inverse: torch.Tensor  # (d / 2,) text frequencies
    rope_delta: int


def fix(config: ModelConfig, layout: Layout, device: torch.device | str) -> Fixed:
    """The constants of a model's batches."""
    rows, columns = _patch_places(layout.grid, config.merge_size)
    width = config.vision["hidden_size"] // config.vision["num_heads"]
    inverse = _inverse(10000.0, width // 2)
    turns = np.concatenate([rows[:, None] * inverse, columns[:, None] * inverse], axis=-1)
    corners, shares = _interpolation(config, layout.grid, rows, columns)
    frequencies = _inverse(config.text["rope_theta"], config.text["head_dim"])
    text = layout.positions[0][:, None] * frequencies
    for axis, section in enumerate(config.text["rope_scaling"]["mrope_section"][1:], 1):
        chosen = slice(axis, 3 * section, 3)
        text[:, chosen] = (layout.positions[axis][:, None] * frequencies)[:, chosen]
    return Fixed(
        _angles(torch.from_numpy(turns).float().to(device)),
        torch.from_numpy(corners).to(device),
        torch.from_numpy(shares).float().to(device)[..., None],
        _angles(torch.from_numpy(text).float().to(device)),
        torch.from_numpy(layout.images).to(device),
        torch.from_numpy(frequencies).float().to(device),
        layout.rope_delta,
    )


def positions_at(fixed: Fixed, places: torch.Tensor) -> Angles:
    """Angles of text (or actions) at (B, N) places beyond the prompt, for (B, heads, N, d)."""
    turns = (places + fixed.rope_delta)[..., None].float() * fixed.inverse
    return _angles(turns[:, None])


def see(model: Alpamayo, fixed: Fixed, frames: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """(N, H, W, 3) uint8 frames of the layout's size -> (N, T, D) merged tokens, and the same of each deepstack tap."""
    visual, config = model.vlm.model.visual, model.config
    p, m, t = config.patch_size, config.merge_size, config.temporal_patch_size
    count, height, width, _ = frames.shape
    blocks = (
        frames.to(torch.bfloat16 if torch.is_autocast_enabled(frames.device.type) else torch.float32) - 127.5
    ) / 127.5
    blocks = blocks.view(count, height // (m * p), m, p, width // (m * p), m, p, 3).permute(0, 1, 4, 2, 5, 7, 3, 6)
    patches = blocks.unsqueeze(-3).expand(*blocks.shape[:-2], t, p, p).reshape(count, -1, 3 * t * p * p)
    proj = visual.patch_embed.proj
    hidden = F.linear(patches, proj.weight.flatten(1), proj.bias)
    hidden = hidden + (visual.pos_embed.weight[fixed.corners] * fixed.shares).sum(0)
    taps = []
    for index, block in enumerate(visual.blocks):
        hidden = hidden + _vision_attention(block.attn, block.norm1(hidden), fixed.vision)
        hidden = hidden + block.mlp(block.norm2(hidden))
        if index in config.vision["deepstack_visual_indexes"]:
            merger = visual.deepstack_merger_list[config.vision["deepstack_visual_indexes"].index(index)]
            taps.append(merger(hidden).view(count, -1, config.vision["out_hidden_size"]))
    return visual.merger(hidden).view(count, -1, config.vision["out_hidden_size"]), taps


def read(
    model: Alpamayo, fixed: Fixed, ids: torch.Tensor, images: torch.Tensor, taps: Sequence[torch.Tensor], attend: Attend
) -> torch.Tensor:
    """(B, L) prompts (answers included or not) with (B, 16 T, D) image tokens -> (B, L, D) final hidden states."""
    stack = model.vlm.model.language_model
    hidden = stack.embed_tokens(ids).float()
    hidden = hidden.index_copy(1, fixed.images, images.to(hidden.dtype))
    length = ids.shape[1]
    angles = Angles(fixed.text.cos[:length], fixed.text.sin[:length])
    return walk(stack, hidden, angles, attend, [(fixed.images, tap) for tap in taps])


def walk(
    stack: nn.Module,
    hidden: torch.Tensor,
    angles: Angles,
    attend: Attend,
    added: Sequence[tuple[torch.Tensor, torch.Tensor]] = (),
) -> torch.Tensor:
    """A text stack over (B, L, D) embeddings; `added[k]` (places, values) is added after layer k."""
    for index, layer in enumerate(stack.layers):
        attention, x = layer.self_attn, layer.input_layernorm(hidden)
        shape = (*x.shape[:-1], -1, attention.head_dim)
        q = angles.turn(attention.q_norm(attention.q_proj(x).view(shape)).transpose(1, 2))
        k = angles.turn(attention.k_norm(attention.k_proj(x).view(shape)).transpose(1, 2))
        v = attention.v_proj(x).view(shape).transpose(1, 2)
        out = attend(index, q, k, v).transpose(1, 2).flatten(2)
        hidden = hidden + attention.o_proj(out)
        hidden = hidden + layer.mlp(layer.post_attention_layernorm(hidden))
        if index < len(added):
            places, values = added[index]
            hidden = hidden.index_add(1, places, values.to(hidden.dtype))
    return stack.norm(hidden)


class Causal:
    """Attention of whole rows that keeps each layer's keys and values."""

    def __init__(self) -> None:
        self.keys: list[torch.Tensor] = []
        self.values: list[torch.Tensor] = []

    def __call__(self, layer: int, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        self.keys.append(k)
        self.values.append(v)
        return F.scaled_dot_product_attention(q, *_repeated(q, k, v), is_causal=True)


class Joined:
    """Attention to kept keys and values and to one's own, under a (B, 1, N, L + N) mask that is true where seen."""

    def __init__(self, keys: Sequence[torch.Tensor], values: Sequence[torch.Tensor], mask: torch.Tensor) -> None:
        self._keys, self._values, self._mask = keys, values, mask

    def __call__(self, layer: int, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        k = torch.cat([self._keys[layer].to(k.dtype), k], dim=2)
        v = torch.cat([self._values[layer].to(v.dtype), v], dim=2)
        return F.scaled_dot_product_attention(q, *_repeated(q, k, v), attn_mask=self._mask)


def velocities(
    model: Alpamayo,
    fixed: Fixed,
    keys: Sequence[torch.Tensor],
    values: Sequence[torch.Tensor],
    ends: torch.Tensor,
    actions: torch.Tensor,
    times: torch.Tensor,
) -> torch.Tensor:
    """The expert's velocities for several draws of each row, which do not see each other.

    Args:
        keys, values: of the backbone's layers, (B, heads, L, d); ends: (B,) how many of the L places a row has said.
        actions: (B, M, N, 2) noisy; times: (B, M).

    Returns:
        (B, M, N, 2).
    """
    rows, draws, count, _ = actions.shape
    hidden = model.action_in_proj(actions.flatten(0, 1), times.flatten()[:, None, None])
    hidden = hidden.view(rows, draws * count, -1)
    steps = torch.arange(count, device=actions.device).repeat(draws)
    angles = positions_at(fixed, ends[:, None] + steps)
    said = torch.arange(keys[0].shape[2], device=actions.device) < ends[:, None]
    own = torch.arange(draws, device=actions.device).repeat_interleave(count)
    same = (own[:, None] == own).expand(rows, -1, -1)
    mask = torch.cat([said[:, None].expand(-1, draws * count, -1), same], dim=-1)[:, None]
    hidden = walk(model.expert, hidden, angles, Joined(keys, values, mask))
    return model.action_out_proj(hidden).view(rows, draws, count, 2)


def _vision_attention(attention: nn.Module, x: torch.Tensor, angles: Angles) -> torch.Tensor:
    q, k, v = attention.qkv(x).view(*x.shape[:-1], 3, attention.num_heads, -1).permute(2, 0, 3, 1, 4)
    out = F.scaled_dot_product_attention(angles.turn(q), angles.turn(k), v)
    return attention.proj(out.transpose(1, 2).flatten(2))


def _repeated(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    groups = q.shape[1] // k.shape[1]
    return k.repeat_interleave(groups, dim=1), v.repeat_interleave(groups, dim=1)


def _angles(turns: torch.Tensor) -> Angles:
    twice = torch.cat([turns, turns], dim=-1)
    return Angles(twice.cos(), twice.sin())


def _inverse(theta: float, width: int) -> np.ndarray:
    return 1.0 / theta ** (np.arange(0, width, 2) / width)


def _patch_places(grid: np.ndarray, merge: int) -> tuple[np.ndarray, np.ndarray]:
    """(P,) rows and columns of the patches, those of one merged token together."""
    _, rows, columns = (int(n) for n in grid)
    blocks = np.arange(rows * columns).reshape(rows // merge, merge, columns // merge, merge).transpose(0, 2, 1, 3)
    return np.divmod(blocks.reshape(-1), columns)


def _interpolation(
    config: ModelConfig, grid: np.ndarray, rows: np.ndarray, columns: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Bilinear reading of Qwen3-VL's square position table: (4, P) its rows, (4, P) their shares."""
    side = int(round(config.vision["num_position_embeddings"] ** 0.5))
    down, across = (
        np.linspace(0, side - 1, int(n), dtype=np.float32)[i] for n, i in zip(grid[1:], (rows, columns), strict=True)
    )
    top, left = down.astype(np.int64), across.astype(np.int64)
    low, right = np.minimum(top + 1, side - 1), np.minimum(left + 1, side - 1)
    v, h = down - top, across - left
    corners = np.stack([top * side + left, top * side + right, low * side + left, low * side + right])
    return corners, np.stack([(1 - v) * (1 - h), (1 - v) * h, v * (1 - h), v * h])
