"""The layers that the graphs are made of: Qwen3-VL's vision block and text layer.

Activations are (batch, tokens, width). Parameter names are the checkpoint's. The arithmetic is the shared model
specification's, sections 2.1 to 2.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from alpamayo_ros.export.graph import Graph

_VISION_EPS = 1e-6  # a literal of Qwen3-VL's vision norms


def linear(g: Graph, x: str, *names: str) -> str:
    """x times the transposed weights, side by side, plus their biases where they have one."""
    weights = [g.weight(f"{name}.weight") for name in names]
    joined = weights[0] if len(weights) == 1 else g("Concat", *weights, axis=0)
    product = g("MatMul", x, g("Transpose", joined, perm=[1, 0]))
    if not g.has(f"{names[0]}.bias"):
        return product
    biases = [g.weight(f"{name}.bias") for name in names]
    return g("Add", product, biases[0] if len(biases) == 1 else g("Concat", *biases, axis=0))


def rms_norm(g: Graph, x: str, name: str, eps: float) -> str:
    return g("RMSNormalization", x, g.weight(f"{name}.weight"), axis=-1, epsilon=eps)


def layer_norm(g: Graph, x: str, name: str, eps: float) -> str:
    return g("LayerNormalization", x, g.weight(f"{name}.weight"), g.weight(f"{name}.bias"), axis=-1, epsilon=eps)


def silu(g: Graph, x: str) -> str:
    return g("Mul", x, g("Sigmoid", x))


@dataclass(frozen=True)
class TextSizes:
    """What a text layer's shapes follow from."""

    heads: int
    kv_heads: int
    head_dim: int
    width: int
    intermediate: int
    eps: float

    @staticmethod
    def of(config: Mapping[str, Any]) -> TextSizes:
        """From a `text_config`."""
        return TextSizes(
            config["num_attention_heads"], config["num_key_value_heads"], config["head_dim"], config["hidden_size"],
            config["intermediate_size"], config["rms_norm_eps"],
        )  # fmt: skip


@dataclass(frozen=True)
class Context:
    """Where a text layer's tokens stand, and what they see.

    Attributes:
        cos, sin: (C, head_dim / 2) tables of the rotary angles; index: (batch, tokens) rows of them.
        tokens: how many a row; -1 where the graph takes any number (of one row).
        past: whether there are earlier keys and values, which all tokens see, and each other; else a token sees itself
            and those before it.
        mask: (batch, 1, 1, past + tokens) additive, with `past`; None is open.
    """

    cos: str
    sin: str
    index: str
    tokens: int
    past: bool = False
    mask: str | None = None


def text_layer(
    g: Graph, x: str, name: str, number: int, s: TextSizes, c: Context, last_only: bool = False
) -> tuple[str, str, str]:
    """One decoder layer.

    Args:
        last_only: compute the output of the last token alone; keys and values are all computed.

    Returns:
        The output, and the keys and values (batch, kv_heads, past + tokens, head_dim) that it attended to.
    """
    normed = rms_norm(g, x, f"{name}.input_layernorm", s.eps)
    q, k, v = _projections(g, normed, name, s, c, last_only)
    q = _heads(g, q, f"{name}.self_attn.q_norm", s.heads, s, c, last_only)
    k = _heads(g, k, f"{name}.self_attn.k_norm", s.kv_heads, s, c, False)
    if c.past:
        attended, keys, values = _attend_after(g, q, k, v, number, s, c)
    else:
        attended, keys, values = g(
            "Attention", q, k, v, outputs=3,
            q_num_heads=s.heads, kv_num_heads=s.kv_heads, is_causal=int(not last_only),
        )  # fmt: skip
    if last_only:
        x = _last(g, x)
    x = g("Add", x, linear(g, attended, f"{name}.self_attn.o_proj"))
    normed = rms_norm(g, x, f"{name}.post_attention_layernorm", s.eps)
    both = linear(g, normed, f"{name}.mlp.gate_proj", f"{name}.mlp.up_proj")
    gate, up = g("Split", both, [s.intermediate] * 2, outputs=2, axis=-1)
    return g("Add", x, linear(g, g("Mul", silu(g, gate), up), f"{name}.mlp.down_proj")), keys, values


def _projections(g: Graph, x: str, name: str, s: TextSizes, c: Context, last_only: bool) -> tuple[str, str, str]:
    kv = s.kv_heads * s.head_dim
    names = [f"{name}.self_attn.{part}_proj" for part in "qkv"]
    if last_only:
        k, v = g("Split", linear(g, x, *names[1:]), [kv, kv], outputs=2, axis=-1)
        return linear(g, _last(g, x), names[0]), k, v
    return g("Split", linear(g, x, *names), [s.heads * s.head_dim, kv, kv], outputs=3, axis=-1)


def _heads(g: Graph, x: str, norm: str, heads: int, s: TextSizes, c: Context, last_only: bool) -> str:
    """Each head normed and turned; (batch, tokens, heads x head_dim) in and out."""
    tokens = 1 if last_only else c.tokens
    rows = g("Reshape", x, [-1, heads, s.head_dim])
    flat = g("Reshape", rms_norm(g, rows, norm, s.eps), [-1 if tokens > 0 else 1, tokens, heads * s.head_dim])
    index = g("Slice", c.index, [-1], [2**31], [1]) if last_only else c.index
    return g("RotaryEmbedding", flat, c.cos, c.sin, index, num_heads=heads)


def _attend_after(
    g: Graph, q: str, k: str, v: str, number: int, s: TextSizes, c: Context
) -> tuple[str, str, str]:
    """Attention over earlier keys and values and one's own, spelled out: the runtime's own operator for it is slower.

    The query heads that share a key head stand together as its rows.
    """
    group, tokens = s.heads // s.kv_heads, c.tokens
    k, v = (_by_head(g, part, [-1, tokens, s.kv_heads, s.head_dim], [0, 2, 1, 3]) for part in (k, v))
    keys = g("Concat", f"past_key.{number}", k, axis=2)
    values = g("Concat", f"past_value.{number}", v, axis=2)
    rows = _by_head(g, g("Mul", q, s.head_dim**-0.5), [-1, tokens, s.kv_heads, group * s.head_dim], [0, 2, 1, 3])
    rows = g("Reshape", rows, [0, 0, tokens * group, s.head_dim])
    scores = g("MatMul", rows, g("Transpose", keys, perm=[0, 1, 3, 2]))
    if c.mask is not None:
        scores = g("Add", scores, c.mask)
    seen = g("MatMul", g("Softmax", scores, axis=-1), values)
    seen = g("Reshape", seen, [0, 0, tokens, group * s.head_dim])
    return g("Reshape", g("Transpose", seen, perm=[0, 2, 1, 3]), [0, 0, s.heads * s.head_dim]), keys, values


def _by_head(g: Graph, x: str, shape: list[int], perm: list[int]) -> str:
    return g("Transpose", g("Reshape", x, shape), perm=perm)


def _last(g: Graph, x: str) -> str:
    """(1, L, D) -> (1, 1, D)."""
    return g("Slice", x, [-1], [2**31], [1])


def vision_block(g: Graph, x: str, name: str, heads: int, width: int, cos: str, sin: str, activation: str) -> str:
    """One block of the vision encoder over (images, patches, width); each image sees itself."""
    normed = layer_norm(g, x, f"{name}.norm1", _VISION_EPS)
    q, k, v = g("Split", linear(g, normed, f"{name}.attn.qkv"), [width] * 3, outputs=3, axis=-1)
    q, k = (g("RotaryEmbedding", part, cos, sin, None, num_heads=heads) for part in (q, k))
    attended = g("Attention", q, k, v, q_num_heads=heads, kv_num_heads=heads)
    x = g("Add", x, linear(g, attended, f"{name}.attn.proj"))
    hidden = linear(g, layer_norm(g, x, f"{name}.norm2", _VISION_EPS), f"{name}.mlp.linear_fc1")
    return g("Add", x, linear(g, g("Gelu", hidden, approximate=activation), f"{name}.mlp.linear_fc2"))


def merger(g: Graph, x: str, name: str, merged_width: int, norm_merged: bool) -> str:
    """Patches of one merged token side by side, projected: (images, patches, width) -> (images, tokens, text width).

    `norm_merged`: the norm comes after the patches are joined (the deepstack taps') instead of before.
    """
    if not norm_merged:
        x = layer_norm(g, x, f"{name}.norm", _VISION_EPS)
    x = g("Reshape", x, [0, -1, merged_width])
    if norm_merged:
        x = layer_norm(g, x, f"{name}.norm", _VISION_EPS)
    return linear(g, g("Gelu", linear(g, x, f"{name}.linear_fc1")), f"{name}.linear_fc2")
