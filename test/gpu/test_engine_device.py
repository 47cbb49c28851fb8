"""The real-time engine on a GPU: parity, graphs against eager, cached against fresh, drafts, kernels against twins."""

import dataclasses
import gc
import json

import numpy as np
import pytest
from vla.engine_drives import Forced, Scene, difference, engine_of, noise_of, off, stopped_words, tick
from vla.models import FOLDERS, shrunk

from alpamayo_ros import parity, policies
from alpamayo_ros.contract import make_example
from alpamayo_ros.vla.engine.kernels import twins
from alpamayo_ros.vla.outcome import Settings

TIE = 0.1


@pytest.fixture(scope="module", params=["float32", "bfloat16"])
def small(request):
    from alpamayo_ros import vla

    return shrunk(vla.load(str(FOLDERS["1_5"] / "checkpoint"), "cuda", request.param))


@pytest.mark.parametrize("variant", ["r1", "1_5"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_recorded_runs_by_the_engine_are_within_bounds(variant, dtype, tmp_path):
    report = tmp_path / "parity.json"
    arguments = ["--device", "cuda", "--dtype", dtype, "--engine", "exact", "--json", str(report)]
    code = parity.main([str(FOLDERS[variant]), *arguments])
    failed = [quantity for quantity in json.loads(report.read_text())["quantities"] if not quantity["passed"]]
    assert code == 0 and failed == []


def test_graphs_compute_what_the_same_kernels_compute_one_by_one(small):
    scene, forced = Scene(0, 3), Forced(stopped_words(small), noise_of())
    with_graphs, eager = engine_of(small), engine_of(small, graphs=False)
    for k in range(3):
        (ours, a), (theirs, b) = (tick(engine, small, scene[k], forced=forced) for engine in (with_graphs, eager))
        assert np.array_equal(ours.action, theirs.action)
        assert difference(a.logits, b.logits) == 0 and difference(a.velocities, b.velocities) == 0


def test_cached_features_are_the_fresh_ones(small):
    import torch

    scene = Scene(1, 3)
    kept, fresh = engine_of(small, draft=False, prefix=False), engine_of(small, draft=False, prefix=False)
    for k in range(3):
        tick(kept, small, scene[k])
        fresh.reset()
        tick(fresh, small, scene[k])
        assert (kept.encoded, fresh.encoded) == (16 if k == 0 else 4, 16)
        for key in list(fresh._features._of):
            ours, theirs = (engine._features.values[:, engine._features.find(key)] for engine in (kept, fresh))
            assert torch.equal(ours, theirs)


@pytest.mark.parametrize("temperature", [0.0, 0.6])
def test_drafts_change_no_words_but_ties(small, temperature):
    """Over ticks of one drive, every second with words that make a draft; a difference must be a near tie."""
    scene, settings = Scene(2, 12), Settings(temperature=temperature, max_tokens=12)
    with_draft, without = engine_of(small), engine_of(small, "exact_stateless")
    for k in range(12):
        first = Forced(stopped_words(small, 9, seed=k), noise_of()) if k % 2 == 0 else Forced(None, noise_of())
        ours, _ = tick(with_draft, small, scene[k], settings, forced=first, seed=5)
        theirs, trace = tick(without, small, scene[k], settings, forced=first, seed=5)
        assert with_draft.drafted == (8 if k % 2 else 0)
        if not np.array_equal(ours.tokens, theirs.tokens):
            step = int(np.argmax((ours.tokens != theirs.tokens)[0]))
            pair = [int(result.tokens[0, step]) for result in (ours, theirs)]
            assert gap(trace.logits[step], pair, step, settings, without) < TIE


def gap(logits, pair, step, settings, engine):
    """By how much two tokens' logits, or their places at the nucleus's edge, or their races, differ."""
    import torch

    row = logits.float()
    if settings.temperature == 0:
        return abs(float(row[0, pair[0]] - row[0, pair[1]]))
    choice = engine._decoder(settings).choice
    edge = twins.edge(row, choice.masked, settings.temperature, settings.top_p)
    seed, where = torch.tensor([5, 0], device=row.device), torch.tensor([step], device=row.device)
    race = twins.exponential(seed, where, where * 0, row.shape[1])
    score = row - settings.temperature * race.log()
    at_the_edge = min(abs(float(row[0, token] - edge)) for token in pair)
    return min(at_the_edge, abs(float(score[0, pair[0]] - score[0, pair[1]])))


def test_kernels_round_no_more_than_their_twins():
    """Both against the same weights in float32, by the norm of all that a tick computes."""
    from alpamayo_ros import vla

    loaded = shrunk(vla.load(str(FOLDERS["1_5"] / "checkpoint"), "cuda", "bfloat16"))
    wide = shrunk(vla.load(str(FOLDERS["1_5"] / "checkpoint"), "cuda", "float32"))
    wide.model.load_state_dict(loaded.model.state_dict())
    scene = Scene(3, 2)
    for samples in (1, 3):
        forced = Forced(stopped_words(loaded, 8, samples), noise_of(samples))
        settings = Settings(samples=samples, temperature=0.6, max_tokens=8)
        engines = engine_of(loaded, samples=samples), engine_of(loaded, samples=samples, kernels=False)
        exact = engine_of(wide, samples=samples)
        for k in range(2):
            _, truth = tick(exact, wide, scene[k], settings, forced=forced)
            traces = [tick(engine, loaded, scene[k], settings, forced=forced)[1] for engine in engines]
            # With random weights a velocity's error grows tenfold from step to step, so the first one is compared.
            for name, count in ("logits", 8), ("velocities", 1):
                ours, theirs = (off(getattr(trace, name)[:count], getattr(truth, name)[:count]) for trace in traces)
                assert ours < 1.5 * theirs + 1e-3 and theirs < 0.5, (name, ours, theirs)


@pytest.mark.parametrize("heads", [(16, 8, 128, 64), (4, 2, 32, 16), (4, 2, 48, 64)])
def test_every_way_to_flow_and_to_decode_computes_what_the_twin_computes(heads):
    import torch

    from alpamayo_ros.vla.engine.kernels.fused import Fused

    queries, kv, head, tokens = heads
    generator = torch.Generator("cuda").manual_seed(0)

    def some(*shape):
        return torch.randn(shape, device="cuda", generator=generator).bfloat16()

    for rows in (1, 6):
        prompt = some(kv, 700, head), some(kv, 700, head)
        own = some(rows, kv, 40, head), some(rows, kv, 40, head)
        angles = torch.randn(900, head // 2, device="cuda", generator=generator)
        gains = 1 + 0.1 * some(head), 1 + 0.1 * some(head)
        state = torch.tensor([611, 6, -3, 0, 0], dtype=torch.int32, device="cuda")
        counts = torch.arange(5, 5 + rows, dtype=torch.int32, device="cuda")
        table = angles.cos(), angles.sin()
        qkv = some(rows * tokens, (queries + 2 * kv) * head)
        given = qkv, *gains, 1e-6, *table, prompt, own, state, counts, counts + 40
        wanted = twins.flow_attention(*given)
        for way in Fused().ways("flow", rows):
            assert off([way.flow_attention(*given)], [wanted]) < 5e-3, way
        table = [part.bfloat16() for part in table]
        given = qkv[:rows], *gains, 1e-6, *table, prompt, own, state
        wanted = twins.decode_attention(*given)
        ways = Fused().ways("decode", rows)
        found = [way.decode_attention(*given) for way in ways]
        assert off(found[:1], [wanted]) < 1e-2 and all(torch.equal(one, found[0]) for one in found)


def test_every_way_to_multiply_few_rows_computes_what_the_twin_computes():
    """At the released sizes, which all ways are tuned for, one product after the other as in the flow."""
    import torch

    from alpamayo_ros.vla.engine.kernels.fused import Fused
    from alpamayo_ros.vla.engine.weights import Matrix

    generator = torch.Generator("cuda").manual_seed(0)

    def some(*shape, scale=1.0):
        return (torch.randn(shape, device="cuda", generator=generator) * scale).bfloat16()

    out, gate_up, down = (Matrix(some(*shape, scale=0.02)) for shape in ((2048, 2048), (16512, 2048), (2048, 8256)))
    x, h, gain = some(64, 2048).float(), some(64, 2048), 1 + some(2048, scale=0.1)

    def layer(ops):
        total, normed = ops.add_norm(x, ops.linear_parts(h, out), gain, 1e-6)
        return ops.add_norm(total, ops.linear_parts(ops.gate_up(normed, gate_up), down), gain, 1e-6)

    wanted = layer(twins)
    for way in Fused().ways("flow", 1):
        assert off(layer(way), wanted) < 5e-3, way


@pytest.mark.parametrize("pdl", [False, True])
def test_the_ring_computes_what_the_twins_compute_and_always_the_same(pdl):
    """Each split and slot at the released sizes: the last of down's splits has fewer steps than the others."""
    import torch

    from alpamayo_ros.vla.engine.kernels.fused import _RING
    from alpamayo_ros.vla.engine.kernels.ring import ring
    from alpamayo_ros.vla.engine.weights import Matrix

    generator = torch.Generator("cuda").manual_seed(0)
    for (count, rows, columns), options in _RING.items():
        x = torch.randn(count, columns, device="cuda", generator=generator).bfloat16()
        weight = (0.02 * torch.randn(rows, columns, device="cuda", generator=generator)).bfloat16()
        gated = rows == 16512
        wanted = (twins.gate_up if gated else twins.linear_parts)(x, Matrix(weight))
        found = [ring(x, weight, gated=gated, pdl=pdl, **options) for _ in range(8)]
        assert off([summed(found[0])], [wanted]) < 5e-3, (rows, columns)
        assert all(torch.equal(one, found[0]) for one in found)


@pytest.mark.parametrize("products", ["fp8", "int8"])
def test_quantised_products_are_their_twins(products):
    """Of one row, of few rows and of many, with every fusion; sums of float8 products are not quite float32."""
    import torch

    from alpamayo_ros.vla import quantise
    from alpamayo_ros.vla.engine.kernels.fused import Fused
    from alpamayo_ros.vla.engine.weights import Matrix

    generator = torch.Generator("cuda").manual_seed(0)

    def some(*shape, scale=1.0):
        return (torch.randn(shape, device="cuda", generator=generator) * scale).bfloat16()

    for rows, columns in ((512, 256), (4096, 4096), (1024, 8256)):
        matrix = Matrix(*quantise.rows(some(rows, columns, scale=0.02), quantise.FORMATS[products]))
        gain = 1 + 0.1 * some(columns)
        for count in (1, 6, 64, 200):
            x, base = some(count, columns), some(count, rows)
            cases = {
                "linear": (x, matrix),
                "linear_parts": (x, matrix),
                "norm_linear": (x, gain, 1e-6, matrix),
                "linear_add": (x, matrix, base),
                "gate_up": (x, matrix),
                "norm_gate_up": (x, gain, 1e-6, matrix),
            }
            for ops in Fused().ways("decode", 1, True):
                for name, given in cases.items():
                    found, wanted = (summed(getattr(on, name)(*given)) for on in (ops, twins))
                    bound = (5e-2 if "up" in name else 2e-2) if count > 64 else 6e-3
                    assert off([found], [wanted]) < bound, (name, rows, columns, count, ops)


def summed(parts):
    """Any form of a product, as one tensor."""
    if hasattr(parts, "scale"):
        return parts.rows.float() * parts.scale[:, None]
    return parts.sum(0) if parts.dim() == 3 else parts


def test_activations_are_quantised_as_by_the_twin():
    import torch

    from alpamayo_ros.vla import quantise
    from alpamayo_ros.vla.engine.kernels import rows

    x = (torch.randn(70, 1000, generator=torch.Generator().manual_seed(0)) * 30).bfloat16().cuda()
    x[3] = 0
    cases = (x, rows.quantise(x)), (twins.silu_mul(x), rows.silu_mul_small(x))
    for values, small in cases:
        wanted, scale = quantise.rows(values, torch.float8_e4m3fn)
        found, wanted = small.rows.float(), wanted.float()
        assert torch.allclose(small.scale, scale, rtol=1e-2)
        assert off([found], [wanted]) < 1e-2  # a division, or a SiLU, that rounds the other way


@pytest.mark.parametrize("products, bound", [("fp8", 0.2), ("int8", 0.06)])
def test_quantised_presets_stay_close_to_the_exact_one(products, bound):
    from alpamayo_ros import vla

    loaded = shrunk(vla.load(str(FOLDERS["1_5"] / "checkpoint"), "cuda", "bfloat16"))
    scene = Scene(5, 2)
    for samples in (1, 2):
        forced = Forced(stopped_words(loaded, 8, samples), noise_of(samples))
        settings = Settings(samples=samples, temperature=0.6, max_tokens=8)
        engines = [engine_of(loaded, preset, samples) for preset in ("exact", products)]
        twin = engine_of(loaded, products, samples, kernels=False)
        for k in range(2):
            _, truth = tick(engines[0], loaded, scene[k], settings, forced=forced)
            _, found = tick(engines[1], loaded, scene[k], settings, forced=forced)
            _, wanted = tick(twin, loaded, scene[k], settings, forced=forced)
            for name, count in ("logits", 8), ("velocities", 1):
                true, ours, theirs = (getattr(trace, name)[:count] for trace in (truth, found, wanted))
                assert off(ours, true) < bound and off(ours, theirs) < bound, (name, off(ours, true), off(ours, theirs))


def test_weights_in_eight_bits_are_never_on_the_device_in_more():
    """While a model is loaded so, no more is taken than it keeps and one tensor as it was stored."""
    import torch

    from alpamayo_ros import vla

    gc.collect()
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    loaded = vla.load(str(FOLDERS["r1"] / "checkpoint"), "cuda", "bfloat16", weights="int8")
    kept, peak = torch.cuda.memory_allocated() - before, torch.cuda.max_memory_allocated() - before
    linears = [p for p in loaded.model.parameters() if p.dtype == torch.int8]
    assert linears and peak - kept < 16 * max(p.numel() for p in linears) + (1 << 20)


def test_the_policy_drives_in_eight_bits():
    options = {"device": "cuda", "dtype": "bfloat16", "max_reasoning_tokens": 16, "engine": "int8"}
    policy = policies.load("vla", checkpoint=str(FOLDERS["r1"] / "checkpoint"), **options)
    plan = policy(make_example(height=270, width=480))
    assert policy._engine is not None and np.isfinite(plan.xyz).all()
    policy.close()


@pytest.mark.parametrize("scale, temperature, top_p", [(2, 0.6, 0.98), (0.3, 1.0, 0.9), (20, 0.6, 0.5), (2, 1.5, 0.01)])
def test_the_nucleus_ends_where_its_sorted_twin_ends(scale, temperature, top_p):
    import torch

    from alpamayo_ros.vla.engine.kernels import nucleus

    logits = (torch.randn(7, 155697, generator=torch.Generator().manual_seed(1)) * scale).bfloat16()
    logits[2, 100:] = -torch.inf
    masked = range(151669, 155669)
    found = nucleus.edge(logits.cuda(), masked, temperature, top_p).cpu()
    assert torch.equal(found, twins.edge(logits, masked, temperature, top_p))


def test_changed_weights_are_noticed(small):
    import torch

    engine, scene, forced = engine_of(small), Scene(4, 1), Forced(stopped_words(small), noise_of())
    _, before = tick(engine, small, scene[0], forced=forced)
    with torch.no_grad():
        small.model.vlm.lm_head.weight.mul_(0.5)
    _, after = tick(engine, small, scene[0], forced=forced)
    with torch.no_grad():
        small.model.vlm.lm_head.weight.mul_(2.0)
    halved = [row * 0.5 for row in before.logits]
    assert difference(after.logits, halved) < 1e-3 and engine.encoded == 16


def test_the_policy_drives_by_the_engine_and_frees_the_device():
    """What a first policy leaves is the libraries' own; a second one leaves nothing."""
    drive()
    before = allocated()
    drive()
    assert allocated() <= before + (1 << 20)


def drive():
    options = {"device": "cuda", "dtype": "bfloat16", "max_reasoning_tokens": 16}
    policy = policies.load("vla", checkpoint=str(FOLDERS["r1"] / "checkpoint"), **options)
    assert policy._engine is not None
    example = make_example(height=270, width=480)
    first, second = policy(example), policy(example)
    assert policy._engine.encoded == 0 and first.reasoning == second.reasoning
    later = policy(dataclasses.replace(example, t0_ns=example.t0_ns + 1))
    assert not np.array_equal(first.xyz, later.xyz)
    policy.close()


def allocated():
    import torch

    gc.collect()
    torch.cuda.synchronize()
    return torch.cuda.memory_allocated()
