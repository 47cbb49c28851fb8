"""Whole ticks: one prefill for all samples, rows of unequal length, replays, cut-off answers."""

import numpy as np
import pytest
import torch
from vla.models import prepared

from alpamayo_ros.vla import decoding, unicycle
from alpamayo_ros.vla.rollout import Forced, Settings, Trace, rollout

NOISE = np.random.default_rng(0).standard_normal((3, 64, 2)).astype(np.float32)


def run(loaded, settings=None, forced=None, trace=None, seed=0):
    generator = torch.Generator().manual_seed(seed)
    settings = settings or Settings(samples=3, max_tokens=8)
    return rollout(*loaded, *prepared(loaded), settings, generator, forced, trace)


def rows(loaded, *texts):
    """(rows, steps) tokens of texts, one byte or special token each, padded."""
    encoded = [loaded.vocabulary.encode(text) for text in texts]
    width = max(map(len, encoded))
    pad = loaded.vocabulary.ids.pad
    return np.stack([np.pad(ids, (0, width - len(ids)), constant_values=pad) for ids in encoded])


def test_six_samples_cost_one_vision_pass_and_one_prefill(small, monkeypatch):
    calls = []
    model = small["r1"].model
    for name in ("encode_images", "run_text"):
        plain = getattr(type(model), name)

        def counted(self, *args, plain=plain, name=name, **kwargs):
            calls.append((name, args[0].shape))
            return plain(self, *args, **kwargs)

        monkeypatch.setattr(type(model), name, counted)
    run(small["r1"], Settings(samples=6, max_tokens=4))
    prompt, patches, _ = prepared(small["r1"])
    assert [call for call in calls if call[0] == "encode_images"] == [("encode_images", patches.shape)]
    reads = [shape for name, shape in calls if name == "run_text"]
    assert reads[0] == (1, len(prompt.ids)) and set(reads[1:]) == {(6, 1)}


def test_samples_are_what_each_would_be_alone(small):
    trace = Trace()
    result = run(small["r1"], forced=Forced(noise=NOISE), trace=trace)
    for row in range(3):
        alone_trace = Trace()
        forced = Forced(result.tokens[row : row + 1], NOISE[row : row + 1])
        alone = run(small["r1"], forced=forced, trace=alone_trace)
        together = torch.stack(trace.logits)[:, row]
        assert torch.stack(alone_trace.logits)[:, 0] == pytest.approx(together, abs=1e-4)
        # Only the first step: random weights amplify rounding forty-fold a step.
        assert alone_trace.velocities[0][0] == pytest.approx(trace.velocities[0][row], abs=1e-4)
        assert alone.text == result.text[row : row + 1]


def test_rows_of_unequal_length_start_their_actions_after_their_own_stop(small):
    """Each row's velocity is that of the same row run alone and cut right behind its stop."""
    texts = ["go<|cot_end|><|traj_future_start|>x", "go on<|cot_end|><|traj_future_start|>x"]
    forced, trace = Forced(rows(small["r1"], *texts), NOISE[:2]), Trace()
    result = run(small["r1"], forced=forced, trace=trace)
    assert result.stops.tolist() == [3, 6] and result.counts.tolist() == [4, 7]
    assert result.reasoning == ("go", "go on")
    assert not result.truncated.any()
    for row, text in enumerate(texts):
        alone = Trace()
        run(small["r1"], forced=Forced(rows(small["r1"], text), NOISE[row : row + 1]), trace=alone)
        assert alone.velocities[0][0] == pytest.approx(trace.velocities[0][row], abs=1e-4)


def test_a_row_that_ends_without_a_stop_has_its_actions_after_everything(small):
    texts = ["go<|im_end|>", "go on<|cot_end|><|traj_future_start|>x"]
    result = run(small["r1"], forced=Forced(rows(small["r1"], *texts), NOISE[:2]))
    assert result.stops.tolist() == [-1, 6] and result.counts.tolist() == [3, 7]
    assert result.reasoning == ("", "go on") and not result.truncated.any()
    assert np.isfinite(result.motion.xyz).all()


def test_a_truncated_row_says_so_and_still_gets_a_trajectory(small):
    result = run(small["r1"], forced=Forced(rows(small["r1"], "go on"), NOISE[:1]))
    assert result.truncated.tolist() == [True] and result.stops.tolist() == [-1]
    assert result.reasoning == ("",) and result.text == ("go on",)
    assert result.motion.xyz.shape == (1, 64, 3) and np.isfinite(result.motion.xyz).all()


def test_replaying_a_sampled_run_gives_it_again(small):
    first = run(small["1_5"], forced=Forced(noise=NOISE))
    assert len(set(first.text)) > 1
    replayed = run(small["1_5"], forced=Forced(first.tokens, NOISE), seed=9)
    assert np.array_equal(first.tokens, replayed.tokens) and np.array_equal(first.action, replayed.action)


def test_the_same_seed_gives_the_same_run(small):
    first, second = run(small["1_5"]), run(small["1_5"])
    assert np.array_equal(first.tokens, second.tokens) and np.array_equal(first.action, second.action)


def test_another_seed_says_something_else(small):
    assert run(small["1_5"], seed=0).text != run(small["1_5"], seed=1).text


def test_greedy_rows_are_equal_and_hold_no_trajectory_token(small):
    loaded = small["1_5"]
    tokens = run(loaded, Settings(samples=2, temperature=0.0, max_tokens=8)).tokens
    config = loaded.model.config
    inside = (tokens >= config.trajectory_start) & (tokens < config.trajectory_start + config.trajectory_tokens)
    assert np.array_equal(tokens[0], tokens[1]) and not inside.any()


def test_the_last_token_is_chosen_but_not_read(small):
    model, vocabulary = small["r1"]
    prompt, patches, _ = prepared(small["r1"])
    with torch.no_grad():
        state = decoding.prefill(model, prompt, model.encode_images(patches, prompt.grids))
        kv = state.kv.expanded(1)
        steps = list(decoding.decode(model, state, kv, lambda logits, step: logits.argmax(-1), None, 5))
    assert len(steps) == 5 and kv.length == len(prompt.ids) + 4
    assert state.kv.length == len(prompt.ids)


def test_decoding_step_by_step_is_reading_it_all_at_once(small):
    model, vocabulary = small["1_5"]
    prompt, patches, _ = prepared(small["1_5"])
    said = vocabulary.encode("Slow down.")
    with torch.no_grad():
        images = model.encode_images(patches, prompt.grids)
        state = decoding.prefill(model, prompt, images)
        choose = lambda logits, step: torch.tensor([int(said[step])])  # noqa: E731
        steps = decoding.decode(model, state, state.kv.expanded(1), choose, None, len(said))
        stepwise = torch.cat([logits for _, logits in steps])
        after = len(prompt.ids) + prompt.rope_delta + np.arange(len(said))
        positions = np.concatenate([prompt.positions, np.tile(after, (3, 1))], axis=1)
        ids = torch.from_numpy(np.concatenate([prompt.ids, said]))[None]
        whole = model.logits(model.run_text(ids, torch.from_numpy(positions)[:, None], images=images))[0]
    assert stepwise == pytest.approx(whole[len(prompt.ids) - 1 : -1], abs=1e-4)


def test_settings_reach_the_flow(small):
    trace = Trace()
    forced = Forced(rows(small["r1"], "go<|traj_future_start|>x"))
    still = run(small["r1"], Settings(flow_steps=4, noise_scale=0.0), forced, trace)
    assert len(trace.velocities) == 4
    same = run(small["r1"], Settings(flow_steps=4, noise_scale=0.0), forced, seed=5)
    assert np.array_equal(still.action, same.action)


def test_the_trajectory_is_the_decoded_action(small):
    result = run(small["r1"])
    config = small["r1"].model.config
    _, _, history = prepared(small["r1"])
    speed = unicycle.initial_speed(*history, config.action_space)
    scale = unicycle.Scale.exact(config.action_space)
    expected = unicycle.decode(result.action, np.full(3, speed), config.action_space, scale)
    assert result.motion.xyz == pytest.approx(expected.xyz, abs=1e-5)


def test_stages_are_timed(small):
    assert set(run(small["r1"]).seconds) == {"vision", "prefill", "decode", "flow"}
