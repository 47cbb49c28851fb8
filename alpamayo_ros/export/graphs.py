"""The four graphs of a model, float32.

Names and shapes of their inputs and outputs are what `policies/onnx.py`'s runtime feeds and reads: N images of P
patches, T image tokens, L prompt tokens, R rows, K earlier tokens, C rows of the rotary tables, W waypoints.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from alpamayo_ros.export.graph import Graph
from alpamayo_ros.export.layers import (
    Context,
    TextSizes,
    layer_norm,
    linear,
    merger,
    rms_norm,
    silu,
    text_layer,
    vision_block,
)
from alpamayo_ros.vla.config import ModelConfig
from alpamayo_ros.vla.errors import CheckpointError
from alpamayo_ros.vla.headers import Entry

_VISION, _TEXT = "vlm.model.visual", "vlm.model.language_model"
_ACTIVATIONS = {"gelu_pytorch_tanh": "tanh", "gelu": "none"}
_ACTION_EPS = 1e-5


def vision(config: ModelConfig, weights: Mapping[str, Entry]) -> Graph:
    """patches -> merged tokens, and those of each deepstack tap."""
    g, settings = Graph("vision", weights), config.vision
    width, heads = settings["hidden_size"], settings["num_heads"]
    merged, text_width = config.merge_size**2 * width, config.text["hidden_size"]
    if settings["hidden_act"] not in _ACTIVATIONS:
        raise CheckpointError(f"the vision activation '{settings['hidden_act']}' cannot be exported")
    features = settings["in_channels"] * config.temporal_patch_size * config.patch_size**2
    patches = g.input("patches", ["N", "P", features])
    place, share = g.input("position_index", ["P", 4], integer=True), g.input("position_weight", ["P", 4, 1])
    cos, sin = (g.input(name, ["N", "P", width // heads // 2]) for name in ("cos", "sin"))
    embed = f"{_VISION}.patch_embed.proj"
    kernel = g("Transpose", g("Reshape", g.weight(f"{embed}.weight"), [width, features]), perm=[1, 0])
    x = g("Add", g("MatMul", patches, kernel), g.weight(f"{embed}.bias"))
    corners = g("Mul", g("Gather", g.weight(f"{_VISION}.pos_embed.weight"), place), share)
    x = g("Add", x, g("ReduceSum", corners, [1], keepdims=0))
    taps = list(settings["deepstack_visual_indexes"])
    for number in range(settings["depth"]):
        x = vision_block(
            g, x, f"{_VISION}.blocks.{number}", heads, width, cos, sin, _ACTIVATIONS[settings["hidden_act"]]
        )
        if number in taps:
            tap = taps.index(number)
            tapped = merger(g, x, f"{_VISION}.deepstack_merger_list.{tap}", merged, norm_merged=True)
            g.output(f"deepstack.{tap}", tapped, ["N", "T", text_width])
    g.output("merged", merger(g, x, f"{_VISION}.merger", merged, norm_merged=False), ["N", "T", text_width])
    return g


def prefill(config: ModelConfig, weights: Mapping[str, Entry]) -> Graph:
    """A prompt with its image features -> keys and values of all layers, logits of the first token to come."""
    g, s = Graph("prefill", weights), TextSizes.of(config.text)
    ids, index = (g.input(name, [1, "L"], integer=True) for name in ("ids", "index"))
    places = g.input("places", ["T", 2], integer=True)  # (0, token) of each image token
    merged = g.input("merged", ["T", s.width])
    taps = [g.input(f"deepstack.{k}", ["T", s.width]) for k in range(len(config.vision["deepstack_visual_indexes"]))]
    context = Context(*_tables(g, s), index, tokens=-1)
    x = g("ScatterND", g("Gather", g.weight(f"{_TEXT}.embed_tokens.weight"), ids), places, merged)
    layers = config.text["num_hidden_layers"]
    for number in range(layers):
        last = number == layers - 1
        x, keys, values = text_layer(g, x, f"{_TEXT}.layers.{number}", number, s, context, last_only=last)
        if number < len(taps) and not last:  # what is added after the last layer reaches no later token
            x = g("ScatterND", x, places, taps[number], reduction="add")
        _give(g, number, keys, values, s)
    _head(g, config, x, s, rows=1)
    return g


def decode(config: ModelConfig, weights: Mapping[str, Entry]) -> Graph:
    """One token a row -> the logits of the next, keys and values grown by it."""
    g, s = Graph("decode", weights), TextSizes.of(config.text)
    ids, index = (g.input(name, ["R", 1], integer=True) for name in ("ids", "index"))
    context = Context(*_tables(g, s), index, tokens=1, past=True)
    x = g("Gather", g.weight(f"{_TEXT}.embed_tokens.weight"), ids)
    for number in range(config.text["num_hidden_layers"]):
        _take(g, number, s)
        x, keys, values = text_layer(g, x, f"{_TEXT}.layers.{number}", number, s, context)
        _give(g, number, keys, values, s)
    _head(g, config, x, s, rows="R")
    return g


def expert(config: ModelConfig, weights: Mapping[str, Entry]) -> Graph:
    """Noisy actions at a flow time -> their velocity, over the language model's keys and values."""
    g, s, waypoints = Graph("expert", weights), TextSizes.of(config.expert_text), config.action_space.n_waypoints
    actions, time = g.input("actions", ["R", waypoints, 2]), g.input("time", [1, 1, 1])
    index = g.input("index", ["R", waypoints], integer=True)
    mask = g.input("mask", ["R", 1, 1, "K+W"])
    context = Context(*_tables(g, s), index, tokens=waypoints, mask=mask, past=True)
    x = _action_input(g, config, actions, time)
    for number in range(config.text["num_hidden_layers"]):
        _take(g, number, s)
        x, _, _ = text_layer(g, x, f"expert.layers.{number}", number, s, context)
    velocity = linear(g, rms_norm(g, x, "expert.norm", s.eps), "action_out_proj")
    g.output("velocity", velocity, ["R", waypoints, 2])
    return g


GRAPHS = {"vision": vision, "prefill": prefill, "decode": decode, "expert": expert}


def _tables(g: Graph, s: TextSizes) -> tuple[str, str]:
    return tuple(g.input(name, ["C", s.head_dim // 2]) for name in ("cos", "sin"))


def _take(g: Graph, number: int, s: TextSizes) -> None:
    for kind in ("key", "value"):
        g.input(f"past_{kind}.{number}", ["R", s.kv_heads, "K", s.head_dim])


def _give(g: Graph, number: int, keys: str, values: str, s: TextSizes) -> None:
    for kind, value in (("key", keys), ("value", values)):
        g.output(f"{kind}.{number}", value, ["R", s.kv_heads, "K+L", s.head_dim])


def _head(g: Graph, config: ModelConfig, x: str, s: TextSizes, rows: int | str) -> None:
    """Logits of every token but the trajectory's, which are never said (specification section 3.2, 3)."""
    weight = g.weight("vlm.lm_head.weight")
    first, count = config.trajectory_start, config.trajectory_tokens
    before, after = g("Slice", weight, [0], [first], [0]), g("Slice", weight, [first + count], [2**31], [0])
    spoken = g("Transpose", g("Concat", before, after, axis=0), perm=[1, 0])
    hidden = g("Reshape", rms_norm(g, x, f"{_TEXT}.norm", s.eps), [-1, s.width])
    g.output("logits", g("MatMul", hidden, spoken), [rows, config.vocab_size - count])


def _action_input(g: Graph, config: ModelConfig, actions: str, time: str) -> str:
    """The projection of noisy actions (section 2.4)."""
    name, sizes, waypoints = "action_in_proj", config.action_input, config.action_space.n_waypoints
    of_time = _fourier(g, config, time, f"{name}.timestep_fourier_encoder")
    rows = g("Shape", actions, start=0, end=1)
    of_time = g("Expand", of_time, g("Concat", rows, [waypoints, sizes.fourier_features], axis=0))
    parts = g("Split", actions, [1, 1], outputs=2, axis=-1)
    x = g("Concat", *(_fourier(g, config, part, f"{name}.sinus.{k}") for k, part in enumerate(parts)), of_time, axis=-1)
    for layer in range(sizes.layers):
        x = silu(g, linear(g, x, f"{name}.encoder.trunk.{3 * layer}"))
        x = rms_norm(g, x, f"{name}.encoder.trunk.{3 * layer + 2}", _ACTION_EPS)
    x = linear(g, x, f"{name}.encoder.trunk.{3 * sizes.layers}")
    return layer_norm(g, x, f"{name}.norm", _ACTION_EPS)


def _fourier(g: Graph, config: ModelConfig, number: str, name: str) -> str:
    """(..., 1) -> (..., features): sqrt(2) [sin, cos] at log-spaced frequencies; R1 stores them, 1.5 does not."""
    sizes = config.action_input
    if config.stores_buffers:
        frequencies = g("Reshape", g.weight(f"{name}.freqs"), [-1])
    else:
        frequencies = np.logspace(0, math.log10(sizes.max_frequency), sizes.fourier_features // 2, dtype=np.float32)
    phase = g("Mul", g("Mul", number, frequencies), 2 * math.pi)
    return g("Mul", g("Concat", g("Sin", phase), g("Cos", phase), axis=-1), math.sqrt(2))
