"""The real-time engine on a GPU: parity, graphs against eager, cached against fresh, drafts, kernels against twins."""

import dataclasses
import json

import numpy as np
import pytest
from vla.engine_drives import Forced, Scene, difference, engine_of, noise_of, stopped_words, tick
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


def test_kernels_compute_what_their_twins_compute():
    from alpamayo_ros import vla

    loaded = shrunk(vla.load(str(FOLDERS["1_5"] / "checkpoint"), "cuda", "bfloat16"))
    scene = Scene(3, 2)
    for samples in (1, 3):
        forced = Forced(stopped_words(loaded, 8, samples), noise_of(samples))
        settings = Settings(samples=samples, temperature=0.6, max_tokens=8)
        kernels, twins = (engine_of(loaded, samples=samples, kernels=on) for on in (True, False))
        for k in range(2):
            (_, a), (_, b) = (tick(engine, loaded, scene[k], settings, forced=forced) for engine in (kernels, twins))
            largest = max(float(row.abs().max()) for row in b.logits)
            assert difference(a.logits, b.logits) < 0.03 * largest
            assert difference(a.velocities[:1], b.velocities[:1]) < 0.05


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
    import torch

    before = torch.cuda.memory_allocated()
    options = {"device": "cuda", "dtype": "bfloat16", "max_reasoning_tokens": 16}
    policy = policies.load("vla", checkpoint=str(FOLDERS["r1"] / "checkpoint"), **options)
    assert policy._engine is not None
    example = make_example(height=270, width=480)
    first, second = policy(example), policy(example)
    assert policy._engine.encoded == 0 and first.reasoning == second.reasoning
    later = policy(dataclasses.replace(example, t0_ns=example.t0_ns + 1))
    assert not np.array_equal(first.xyz, later.xyz)
    policy.close()
    del policy
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    assert torch.cuda.memory_allocated() <= before + (1 << 20)
