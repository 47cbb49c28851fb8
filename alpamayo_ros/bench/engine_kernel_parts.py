"""The engine's kernels at the released sizes, one after the other: each is timed, and held against its twin.

Each runs with weights of several layers in turn, so that none comes from the cache.
"""

# The closures are called before their loop goes on.
# ruff: noqa: B023

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from alpamayo_ros.bench.engine_timing import COMPILE, copies, error_of, line_of, microseconds, random
from alpamayo_ros.vla.engine.kernels import twins
from alpamayo_ros.vla.engine.weights import Matrix

_PROMPT = 3006


def _gemvs():
    from alpamayo_ros.vla.engine.kernels.gemv import gemv

    shapes = {
        "qkv": (6144, 4096, {"norm": True}),
        "out": (4096, 4096, {"add": True}),
        "gate_up": (24576, 4096, {"norm": True, "gated": True}),
        "down": (4096, 12288, {"add": True}),
        "head": (155697, 4096, {"norm": True}),
    }
    for name, (rows, columns, kind) in shapes.items():
        weights = copies(rows, columns)[: 4 if name == "head" else 24]
        x, gain = random(1, columns), 1 + random(columns, scale=0.1)
        base = random(1, rows) if kind.get("add") else None
        options = {"gain": gain, "eps": 1e-6} if kind.get("norm") else {}
        gated = kind.get("gated", False)
        matrix = Matrix(weights[0])
        wanted = twins.norm(x, gain, 1e-6) if kind.get("norm") else x
        wanted = twins.gate_up(wanted, matrix) if gated else twins.linear(wanted, matrix)
        wanted = wanted if base is None else base + wanted
        if not COMPILE:
            library = microseconds([lambda w=w: torch.nn.functional.linear(x, w) for w in weights])
            yield line_of(f"{name}/cublas", library, rows * columns * 2)
        for block_n, warps, block_k in (
            (1, 4, 4096),
            (2, 4, 4096),
            (2, 8, 4096),
            (4, 8, 4096),
            (4, 4, 4096),
            (8, 8, 4096),
            (4, 4, 2048),
            (8, 8, 2048),
        ):
            if "gain" in options and block_k != 4096:
                continue
            for pdl in (False, True):

                def call(w, block_n=block_n, warps=warps, block_k=block_k, pdl=pdl):
                    return gemv(
                        x, w, base=base, gated=gated, pdl=pdl, block_n=block_n, warps=warps, block_k=block_k, **options
                    )

                setting = f"{name}/n{block_n}w{warps}k{block_k}{'p' if pdl else ''}"
                try:
                    micro = microseconds([lambda w=w: call(w) for w in weights])
                    yield line_of(setting, micro, rows * columns * 2, error_of(call(weights[0]), wanted))
                except Exception as problem:
                    yield {"kernel": setting, "failed": repr(problem)[:300]}


def _streams():
    from alpamayo_ros.vla.engine.kernels.stream import stream

    shapes = {
        "expert qkv": (64, 4096, 2048, False),
        "expert out": (64, 2048, 2048, False),
        "expert gate_up": (64, 16512, 2048, True),
        "expert down": (64, 2048, 8256, False),
        "six qkv": (6, 6144, 4096, False),
        "six out": (6, 4096, 4096, False),
        "six gate_up": (6, 24576, 4096, True),
        "six down": (6, 4096, 12288, False),
    }
    for name, (tokens, rows, columns, gated) in shapes.items():
        weights = copies(rows, columns)
        x, matrix = random(tokens, columns), Matrix(weights[0])
        wanted = twins.gate_up(x, matrix) if gated else twins.linear(x, matrix)
        if not COMPILE:
            library = microseconds([lambda w=w: torch.nn.functional.linear(x, w) for w in weights])
            yield line_of(f"{name}/cublas", library, rows * columns * 2)
        for block_n, block_k, stages, warps in (
            (64, 64, 4, 4),
            (64, 128, 3, 4),
            (64, 128, 4, 8),
            (32, 128, 4, 4),
            (16, 128, 4, 4),
            (64, 64, 6, 4),
        ):
            for splits in (1,) if gated else (1, 2, 4, 8):
                programs = rows // (2 if gated else 1) / block_n * splits
                if not 60 <= programs <= 600:
                    continue

                def call(w, size=(block_n, block_k, stages, warps), splits=splits):
                    options = dict(zip(("block_n", "block_k", "stages", "warps"), size, strict=True))
                    return stream(x, w, gated=gated, splits=splits, **options)

                setting = f"{name}/n{block_n}k{block_k}s{stages}w{warps}x{splits}"
                yield _product(setting, call, weights, wanted)


def _rings():
    from alpamayo_ros.vla.engine.kernels.ring import ring

    for name, (rows, columns, gated) in {
        "expert qkv": (4096, 2048, False),
        "expert out": (2048, 2048, False),
        "expert gate_up": (16512, 2048, True),
        "expert down": (2048, 8256, False),
    }.items():
        weights = copies(rows, columns)
        x, matrix = random(64, columns), Matrix(weights[0])
        wanted = twins.gate_up(x, matrix) if gated else twins.linear(x, matrix)
        for block_n, stages in ((64, 5), (64, 6)) if gated else ((64, 6), (64, 8), (128, 5)):
            for splits in (1,) if gated else (1, 2, 4, 8):
                if not 60 <= rows // (2 if gated else 1) // block_n * splits <= 600:
                    continue
                for launched, options in {"": {}, "pe": {"pdl": True, "late": False}, "pl": {"pdl": True}}.items():

                    def call(w, block_n=block_n, stages=stages, splits=splits, options=options):
                        return ring(x, w, gated=gated, splits=splits, block_n=block_n, stages=stages, **options)

                    setting = f"{name}/n{block_n}s{stages}x{splits}{launched}"
                    yield _product(setting, call, weights, wanted)


def _product(
    setting: str, call: Callable[[torch.Tensor], torch.Tensor], weights: list[torch.Tensor], wanted: torch.Tensor
) -> dict[str, Any]:
    """The line of one product that may come in parts."""
    try:
        micro = microseconds([lambda w=w: call(w) for w in weights])
        found = call(weights[0])
        error = error_of(found.sum(0) if found.dim() == 3 else found, wanted)
        return line_of(setting, micro, weights[0].numel() * 2, error)
    except Exception as problem:
        return {"kernel": setting, "failed": repr(problem)[:300]}


def _heads(rows: int, heads: int, tokens: int, dtype: torch.dtype):
    """Inputs of an attention at the released sizes, several layers of keys and values."""
    kv, head, capacity, slots, layers = 8, 128, 3328, 257, 12
    prompt = [(random(kv, capacity, head), random(kv, capacity, head)) for _ in range(layers)]
    own = [(random(rows, kv, slots, head), random(rows, kv, slots, head)) for _ in range(layers)]
    angles = torch.randn(5000, 64, device="cuda")
    gains = 1 + random(head, scale=0.1), 1 + random(head, scale=0.1)
    state = torch.tensor([_PROMPT, 40, -2592, 0, 0], dtype=torch.int32, device="cuda")
    qkv = random(rows * tokens, (heads + 2 * kv) * head)
    return (qkv, *gains, 1e-6, angles.cos().to(dtype), angles.sin().to(dtype)), prompt, own, state


def _attentions():
    from alpamayo_ros.vla.engine.kernels import attention

    for rows in (1, 6):
        given, prompt, own, state = _heads(rows, 32, 1, torch.bfloat16)
        wanted = twins.decode_attention(*given, prompt[0], own[0], state)
        read = 2 * 8 * 128 * 2 * (_PROMPT + rows * 41)
        for splits in (7, 15, 31):
            for block, warps in ((32, 4), (64, 4), (64, 8), (128, 4), (128, 8)):
                for pdl in (False, True) if (block, warps) == (64, 4) else (False,):

                    def call(k, splits=splits, block=block, warps=warps, pdl=pdl):
                        return attention.decode_attention(
                            *given, prompt[k], own[k], state, pdl=pdl, splits=splits, block=block, warps=warps
                        )

                    setting = f"decode{rows}/s{splits}b{block}w{warps}{'p' if pdl else ''}"
                    try:
                        micro = microseconds([lambda k=k: call(k) for k in range(len(prompt))])
                        yield line_of(setting, micro, read, error_of(call(0), wanted))
                    except Exception as problem:
                        yield {"kernel": setting, "failed": repr(problem)[:300]}
        given, prompt, own, state = _heads(rows, 16, 64, torch.float32)
        counts = torch.full((rows,), 40, dtype=torch.int32, device="cuda")
        more = counts, counts + 400
        wanted = twins.flow_attention(*given, prompt[0], own[0], state, *more)
        read = 2 * 8 * 128 * 2 * (_PROMPT + rows * 40)
        for splits in (3, 7, 15):
            for block, warps in ((32, 4), (64, 4), (64, 8), (128, 8)):
                for pdl in (False, True) if (block, warps) == (64, 4) else (False,):

                    def call(k, splits=splits, block=block, warps=warps, pdl=pdl):
                        return attention.flow_attention(
                            *given, prompt[k], own[k], state, *more, pdl=pdl, splits=splits, block=block, warps=warps
                        )

                    setting = f"flow{rows}/s{splits}b{block}w{warps}{'p' if pdl else ''}"
                    try:
                        micro = microseconds([lambda k=k: call(k) for k in range(len(prompt))])
                        yield line_of(setting, micro, read, error_of(call(0), wanted))
                    except Exception as problem:
                        yield {"kernel": setting, "failed": repr(problem)[:300]}


def _rows():
    from alpamayo_ros.vla.engine.kernels import draw, rows

    x, parts, gain = random(64, 2048, dtype=torch.float32), random(4, 64, 2048, dtype=torch.float32), random(2048)
    found, wanted = rows.add_norm(x, parts, gain, 1e-6), twins.add_norm(x, parts, gain, 1e-6)
    for pdl in (False, True):
        micro = microseconds([lambda: rows.add_norm(x, parts, gain, 1e-6, pdl=pdl)] * 20)
        yield line_of(f"add_norm64{'p' if pdl else ''}", micro, 6 * x.numel() * 4, error_of(found[1], wanted[1]))
    x, delta, gain = random(_PROMPT, 4096), random(_PROMPT, 4096), random(4096)
    found, wanted = rows.add_norm(x, delta, gain, 1e-6), twins.add_norm(x, delta, gain, 1e-6)
    micro = microseconds([lambda: rows.add_norm(x, delta, gain, 1e-6)] * 20)
    yield line_of("add_norm3006", micro, 4 * x.numel() * 2, error_of(found[1], wanted[1]))
    x = random(_PROMPT, 24576)
    micro = microseconds([lambda: rows.silu_mul(x)] * 10)
    yield line_of("silu_mul3006", micro, 1.5 * x.numel() * 2, error_of(rows.silu_mul(x), twins.silu_mul(x)))
    qkv, angles = random(_PROMPT, 6144), torch.randn(_PROMPT, 64, device="cuda")
    gains = 1 + random(128, scale=0.1), 1 + random(128, scale=0.1)
    table = angles.cos().bfloat16(), angles.sin().bfloat16()
    stores = [[random(8, 3328, 128) for _ in range(2)] for _ in range(2)]
    found = rows.turn_and_keep(qkv, *gains, 1e-6, *table, *stores[0], 0)
    wanted = twins.turn_and_keep(qkv, *gains, 1e-6, *table, *stores[1], 0)
    micro = microseconds([lambda: rows.turn_and_keep(qkv, *gains, 1e-6, *table, *stores[0], 0)] * 10)
    same = all(error_of(a[:, :_PROMPT], b[:, :_PROMPT]) < 1e-2 for a, b in zip(*stores, strict=True))
    yield line_of("turn_and_keep3006", micro, 2 * qkv.numel() * 2, error_of(found, wanted), stored=same)
    for count in (1, 6):
        logits = random(count, 155697, scale=2.0)
        seed = torch.tensor([3, 4], dtype=torch.int32, device="cuda")
        state = torch.tensor([_PROMPT, 3, 0, 0, 0], dtype=torch.int32, device="cuda")
        masked = range(151669, 155669)
        edge = twins.edge(logits, masked, 0.6, 0.98)
        same = torch.equal(
            draw.draw(logits, edge, seed, state, masked, 0.6), twins.draw(logits, edge, seed, state, masked, 0.6)
        )
        yield {"kernel": f"edge{count}", "us": microseconds([lambda: twins.edge(logits, masked, 0.6, 0.98)] * 5)}
        micro = microseconds([lambda: draw.draw(logits, edge, seed, state, masked, 0.6)] * 10)
        yield {"kernel": f"draw{count}", "us": micro, "same": same}


def _prefill_attentions():
    from torch.nn.attention import SDPBackend, sdpa_kernel

    def times(name, q, k, v, **options):
        for backend in (SDPBackend.FLASH_ATTENTION, SDPBackend.CUDNN_ATTENTION):
            try:
                with sdpa_kernel(backend):
                    micro = microseconds(
                        [lambda: torch.nn.functional.scaled_dot_product_attention(q, k, v, **options)] * 5
                    )
                yield {"kernel": f"{name}/{backend.name}", "us": micro}
            except Exception as problem:
                yield {"kernel": f"{name}/{backend.name}", "failed": repr(problem)[:300]}

    q = random(_PROMPT, 32, 128).transpose(0, 1)[None]
    k, v = (random(8, 3328, 128)[:, :_PROMPT][None] for _ in range(2))
    yield from times("prefill gqa", q, k, v, is_causal=True, enable_gqa=True)
    wide = [part.repeat_interleave(4, 1) for part in (k, v)]
    yield from times("prefill expanded", q, *wide, is_causal=True)
    from torch.nn.attention.bias import causal_lower_right

    short = q[:, :, 560:]
    yield from times("after prefix", short, k, v, attn_mask=causal_lower_right(_PROMPT - 560, _PROMPT), enable_gqa=True)
    for images in (4, 16):
        q, k, v = (random(images, 720, 16, 72).transpose(1, 2) for _ in range(3))
        yield from times(f"vision {images}", q, k, v)


def _products():
    """The large products of prefill and vision."""
    for name, m, n, k in (
        ("qkv", _PROMPT, 6144, 4096), ("out", _PROMPT, 4096, 4096), ("gate_up", _PROMPT, 24576, 4096),
        ("down", _PROMPT, 4096, 12288), ("vision qkv 4", 2880, 3456, 1152), ("vision qkv 16", 11520, 3456, 1152),
        ("vision up 4", 2880, 4304, 1152), ("vision up 16", 11520, 4304, 1152), ("vision down 4", 2880, 1152, 4304),
        ("vision down 16", 11520, 1152, 4304), ("six expert gate_up", 384, 16512, 2048),
    ):  # fmt: skip
        x, weights = random(m, k), [random(n, k, scale=0.02) for _ in range(3)]
        micro = microseconds([lambda w=w: torch.nn.functional.linear(x, w) for w in weights])
        yield {"kernel": f"{name}/bf16", "us": micro, "TFLOPs": 2e-6 * m * n * k / micro}
        try:
            x8 = x.to(torch.float8_e4m3fn)
            w8 = [w.to(torch.float8_e4m3fn) for w in weights]
            sx, sw = torch.ones(m, 1, device="cuda"), torch.ones(1, n, device="cuda")
            for fast in (False, True):
                micro = microseconds(
                    [
                        lambda w=w: torch._scaled_mm(x8, w.t(), sx, sw, out_dtype=torch.bfloat16, use_fast_accum=fast)
                        for w in w8
                    ]
                )
                yield {"kernel": f"{name}/fp8{'fast' if fast else ''}", "us": micro, "TFLOPs": 2e-6 * m * n * k / micro}
        except Exception as problem:
            yield {"kernel": f"{name}/fp8", "failed": repr(problem)[:300]}


PARTS = {
    "rows": _rows,
    "attention": _attentions,
    "gemv": _gemvs,
    "prefill_attention": _prefill_attentions,
    "products": _products,
    "stream": _streams,
    "ring": _rings,
}

COMPILED = ("attention", "gemv", "stream", "ring")
