"""A decode step and a flow step alone, with each arrangement of the kernels, and what their time is made of."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from alpamayo_ros.vla.checkpoint import Loaded
from alpamayo_ros.vla.engine import cache, decode, flow, rope, weights
from alpamayo_ros.vla.engine.graph import Captured
from alpamayo_ros.vla.engine.kernels import twins

_PROMPT, _WORDS, _STEPS, _ROUNDS = 3006, 40, 10, 5


def lines(loaded: Loaded, samples: int) -> Iterator[dict[str, Any]]:
    """Milliseconds of a step, the difference from the twins, and the kernels that run with dependent launch."""
    from alpamayo_ros.vla.engine.engine import operations
    from alpamayo_ros.vla.engine.presets import PRESETS

    model, vocabulary = loaded
    config, language = model.config, model.vlm.model.language_model
    with torch.no_grad():
        text, expert = weights.pack(language, config.text), weights.pack(model.expert, config.expert_text)
        head, embed = weights.Matrix(model.vlm.lm_head.weight.detach()), language.embed_tokens.weight.detach()
    masked = range(config.trajectory_start, config.trajectory_start + config.trajectory_tokens)
    ids = vocabulary.ids.future_start, vocabulary.ids.im_end, vocabulary.ids.pad
    with torch.inference_mode():
        frequencies = language.rotary_emb.inv_freq
        tables = rope.table(frequencies, 5000, torch.bfloat16), rope.table(frequencies, 5000, torch.float32)
        store = cache.Store.make(
            len(text.layers), text.kv_heads, text.head, 3328, samples, 64, torch.bfloat16, model.device
        )
        store.keys.normal_()
        store.values.normal_()
        wanted = {}
        ops = operations(PRESETS["exact"], model)
        arrangements = {"twins": twins, "no dependent launch": replace(ops, pdl=False), "dependent launch": ops}
        if ops.rings and samples == 1:
            arrangements["dependent launch, ring"] = replace(ops, ring=True)
        for name, ops in arrangements.items():
            store.begin(_PROMPT, -2592)
            choice = decode.Choice(masked, 0.0, 1.0, ids)
            decoder = decode.Decoder(embed, text, head, ops, store, tables[0], samples, choice, True)
            run = flow.Flow(model, expert, ops, store, tables[1], samples, _STEPS)
            run.noise.normal_(generator=torch.Generator(model.device).manual_seed(1))
            run.counts.fill_(_WORDS)
            run.starts.fill_(_PROMPT + _WORDS - 2592)
            graph = Captured(run.run, True)
            words = np.random.default_rng(0).integers(0, 256, (samples, _WORDS + 1))
            first = torch.zeros((1, config.vocab_size), dtype=torch.bfloat16, device=model.device)

            def say(decoder=decoder, words=words, first=first):
                store.begin(_PROMPT, -2592)
                decoder.begin(0, torch.from_numpy(words).to(model.device))
                return decoder.run(first, _WORDS + 1, False)

            say()
            found = {"decode": decoder._step().float().clone(), "flow": run.velocity(run.noise, 0).float()}
            wanted = wanted or found
            if ops is twins:
                continue
            difference = {part: float((found[part] - wanted[part]).norm() / wanted[part].norm()) for part in found}
            yield {
                "samples": samples,
                "kernels": name,
                "decode_ms": _milliseconds(say) / _WORDS,
                "flow_ms": _milliseconds(graph) / _STEPS,
                "difference": difference,
            }
            if name == "dependent launch":
                say()
                yield {"samples": samples, "profile": "decode step", "kernels": profiled(decoder._step)}
                yield {"samples": samples, "profile": "flow of 10 steps", "kernels": profiled(graph)}


def _milliseconds(work: Callable[[], object]) -> float:
    """Median wall time of a call, until the device is done."""
    times = []
    for _ in range(_ROUNDS):
        torch.cuda.synchronize()
        started = time.perf_counter()
        work()
        torch.cuda.synchronize()
        times.append(1e3 * (time.perf_counter() - started))
    return sorted(times)[_ROUNDS // 2]


def profiled(work: Callable[[], object], most: int = 24) -> list[dict[str, Any]]:
    """The kernels of one call, by their share of its time."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        work()
        torch.cuda.synchronize()
    kernels = sorted(profiler.key_averages(), key=lambda kernel: -kernel.self_device_time_total)
    return [
        {"kernel": kernel.key[:70], "us": kernel.self_device_time_total, "count": kernel.count}
        for kernel in kernels[:most]
    ]
