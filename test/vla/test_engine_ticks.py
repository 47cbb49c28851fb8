"""The engine on the recorded checkpoints, on the CPU: against the plain path, drafts, cached features, its fallback."""

import numpy as np
import pytest
import torch
from vla.engine_drives import Forced, Scene, difference, engine_of, noise_of, plain, stopped_words, tick

from alpamayo_ros.policies import vla as policy
from alpamayo_ros.vla.engine import engine as engines
from alpamayo_ros.vla.engine.presets import PRESETS
from alpamayo_ros.vla.outcome import Settings

# float32 logits of magnitude ten; two that are closer may change places by the order of a sum.
CLOSE = 1e-4
TICKS = 100


@pytest.mark.parametrize("variant", ["r1", "1_5"])
def test_a_tick_is_the_plain_paths(small, variant):
    scene, forced, engine = Scene(0, 3), Forced(stopped_words(small[variant]), noise_of()), engine_of(small[variant])
    for k in range(3):
        ours, a = tick(engine, small[variant], scene[k], forced=forced)
        theirs, b = plain(small[variant], scene[k], forced=forced)
        assert (engine.encoded, engine.drafted) == ((16, 0) if k == 0 else (4, 5))
        assert np.array_equal(ours.tokens, theirs.tokens) and np.array_equal(ours.stops, theirs.stops)
        assert difference(a.logits, b.logits) < CLOSE
        # With random weights a velocity's error grows tenfold from step to step, so the first one is compared.
        assert difference(a.velocities[:1], b.velocities[:1]) < 1e-3


def test_rows_of_unequal_length_are_the_plain_paths(small):
    words = stopped_words(small["1_5"], 8, 3)
    words[1, 2] = words[2, 4] = small["1_5"].vocabulary.ids.future_start
    settings, forced = Settings(3, max_tokens=8), Forced(words, noise_of(3))
    ours, a = tick(engine_of(small["1_5"], samples=3), small["1_5"], Scene(1, 1)[0], settings, forced=forced)
    theirs, b = plain(small["1_5"], Scene(1, 1)[0], settings, forced)
    assert list(ours.stops) == list(theirs.stops) and len(set(ours.stops)) == 3
    assert difference(a.logits, b.logits) < CLOSE and difference(a.velocities[:1], b.velocities[:1]) < 1e-3


@pytest.mark.parametrize("temperature", [0.0, 0.6])
def test_drafts_change_no_words(small, temperature, record_property):
    """Over a drive in which every second tick ends with words that make a draft; only a near tie may differ."""
    loaded, settings = small["1_5"], Settings(temperature=temperature, max_tokens=4, flow_steps=1)
    scene, ties = Scene(2, TICKS // 2), 0
    with_draft, without = engine_of(loaded), engine_of(loaded, draft=False)
    for k in range(TICKS // 2):
        first = Forced(stopped_words(loaded, 4, seed=k), noise_of()) if k % 2 == 0 else Forced(None, noise_of())
        ours, _ = tick(with_draft, loaded, scene[k], settings, forced=first, seed=5)
        theirs, trace = tick(without, loaded, scene[k], settings, forced=first, seed=5)
        assert (with_draft.drafted, without.drafted) == (3 if k % 2 else 0, 0)
        if not np.array_equal(ours.tokens, theirs.tokens):
            step = int(np.argmax((ours.tokens != theirs.tokens)[0]))
            a, b = (float(trace.logits[step][0, int(result.tokens[0, step])]) for result in (ours, theirs))
            assert abs(a - b) < CLOSE, f"tick {k}, step {step}: {a} against {b}"
            ties += 1
    record_property("ties", ties)
    assert ties <= 1


def test_a_draft_that_holds_is_what_would_have_been_said(small):
    """The last tick's words, seen again with the same noise, are accepted to the end; a part of them to its end."""
    loaded, scene = small["1_5"], Scene(3, 1)
    forced = Forced(stopped_words(loaded, 7), noise_of())
    engine, fresh = engine_of(loaded), engine_of(loaded, draft=False)
    wanted, b = tick(fresh, loaded, scene[0], forced=forced)
    for accepted in (None, 0, 3, 6):
        engine.reset()
        tick(engine, loaded, scene[0], forced=forced)
        ours, a = tick(engine, loaded, scene[0], forced=forced, accepted=accepted)
        assert accepted is None or engine.accepted == accepted
        assert np.array_equal(ours.tokens, wanted.tokens) and difference(a.logits, b.logits) < CLOSE
        assert difference(a.velocities[:1], b.velocities[:1]) < 1e-3


def test_cached_features_are_the_fresh_ones(small):
    loaded, scene = small["r1"], Scene(4, 3)
    kept, fresh = engine_of(loaded, draft=False, prefix=False), engine_of(loaded, draft=False, prefix=False)
    forced = Forced(stopped_words(loaded, 3), noise_of())
    for k in range(3):
        tick(kept, loaded, scene[k], forced=forced)
        fresh.reset()
        tick(fresh, loaded, scene[k], forced=forced)
        assert (kept.encoded, fresh.encoded) == (16 if k == 0 else 4, 16)
        for key in list(fresh._features._of):
            ours, theirs = (one._features.values[:, one._features.find(key)] for one in (kept, fresh))
            assert torch.equal(ours, theirs)


def test_the_same_stamp_with_other_pixels_is_encoded_again(small):
    engine, a, b = engine_of(small["r1"]), Scene(5, 1)[0], Scene(6, 1)[0]
    for observation, encoded in ((a, 16), (a, 0), (b, 16)):
        tick(engine, small["r1"], observation)
        assert engine.encoded == encoded


def test_changed_weights_are_noticed(small, caplog):
    loaded, scene = small["1_5"], Scene(7, 1)
    engine, forced = engine_of(loaded), Forced(stopped_words(loaded, 4), noise_of())
    _, before = tick(engine, loaded, scene[0], forced=forced)
    weight = loaded.model.vlm.lm_head.weight
    with torch.no_grad():
        weight.mul_(0.5)
    try:
        _, after = tick(engine, loaded, scene[0], forced=forced)
    finally:
        with torch.no_grad():
            weight.mul_(2.0)
    assert difference(after.logits, [row * 0.5 for row in before.logits]) < CLOSE
    assert engine.encoded == 16 and "weights have changed" in caplog.text


def test_more_than_the_limits_is_refused_by_name(small):
    engine = engine_of(small["r1"], tokens=4)
    with pytest.raises(ValueError, match="made for 4 tokens, not for 5"):
        tick(engine, small["r1"], Scene(0, 1)[0], Settings(max_tokens=5))
    with pytest.raises(ValueError, match="does not guide"):
        tick(engine, small["r1"], Scene(0, 1)[0], Settings(max_tokens=4, guidance_weight=2.0))


def test_where_the_engine_cannot_be_made_the_plain_path_drives(small, monkeypatch, caplog):
    def fails(*_):
        raise RuntimeError("CUDA error: operation not permitted when stream is capturing")

    monkeypatch.setattr(engines.Store, "make", fails)
    config = policy.Config(engine="exact", max_reasoning_tokens=4)
    driver = policy.Vla(config, small["r1"], policy._engine(config, small["r1"]))
    assert "the plain path is used: CUDA error" in caplog.text
    assert driver(Scene(0, 1)[0]).xyz.shape == (1, 64, 3)


def test_where_a_tick_of_the_engine_fails_the_plain_path_takes_over(small, monkeypatch, caplog):
    config = policy.Config(engine="exact", max_reasoning_tokens=4)
    driver = policy.Vla(config, small["r1"], policy._engine(config, small["r1"]))
    observation = Scene(0, 1)[0]
    first = driver(observation)
    monkeypatch.setattr(engines.Engine, "_act", lambda *_: torch.zeros(1) @ torch.zeros(2))
    assert driver(observation).xyz.shape == first.xyz.shape and driver._engine is None
    assert "the engine failed, the plain path takes over" in caplog.text


def test_presets_are_what_the_option_offers():
    assert policy.Config.__dataclass_fields__["engine"].metadata["choices"] == ("auto", "plain", *PRESETS)
    assert {name for name, preset in PRESETS.items() if preset.stateful} == {"exact", "fp8", "int8"}
