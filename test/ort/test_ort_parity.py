"""The exported graphs with numpy around them give what the PyTorch model gives, in float32."""

import numpy as np
import pytest
import torch
from ort.exported import SOURCES, prepared
from vla.models import ROUTE

from alpamayo_ros.ort import rollout as ours
from alpamayo_ros.vla import decoding, flow, inputs, pixels
from alpamayo_ros.vla.outcome import Settings
from alpamayo_ros.vla.rollout import Forced, Trace, rollout
from alpamayo_ros.vla.sampling import replay

WAYPOINTS = 64


def history(observation):
    return observation.history_xyz, observation.history_rotation


def patches(loaded, observation):
    return pixels.preprocess(inputs.frames(observation), loaded.model.config, "cpu")


def close(found, expected, share):
    """Within a share of the largest value."""
    expected = np.asarray(expected)
    return np.abs(np.asarray(found) - expected).max() <= share * np.abs(expected).max()


@pytest.mark.parametrize("source", SOURCES)
def test_image_features(pairs, source):
    loaded, made = pairs[source]
    observation, prompt, features = prepared(made)
    with torch.inference_mode():
        expected = loaded.model.encode_images(patches(loaded, observation), prompt.grids)
    assert close(features["merged"], expected.merged, 1e-5)
    for tap, deepstack in enumerate(expected.deepstack):
        assert close(features[f"deepstack.{tap}"], deepstack, 1e-5)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("rows", [1, 3])
def test_greedy_tokens_are_equal_and_the_flow_follows(pairs, source, rows):
    """Random weights make the flow chaotic (an error grows twentyfold a step), so each step starts from PyTorch's."""
    loaded, made = pairs[source]
    observation, prompt, features = prepared(made)
    noise = np.random.default_rng(7).standard_normal((rows, WAYPOINTS, 2), dtype=np.float32)
    settings, trace = Settings(rows, 0.0, 1.0, max_tokens=12), Trace()
    given = patches(loaded, observation)
    expected = rollout(*loaded, prompt, given, history(observation), settings, forced=Forced(noise=noise), trace=trace)
    found = ours.rollout(made, prompt, features, history(observation), settings, np.random.default_rng(), noise)
    assert np.array_equal(found.tokens, expected.tokens) and found.text == expected.text

    length = len(prompt.ids)
    tables = ours.tables_of(made.config, prompt, length + 12 + WAYPOINTS)
    read = ours.prefill(made, prompt, features, tables).expanded(rows)
    said = iter(expected.tokens.T)
    _, read = ours.decode(made, read, length, tables, lambda logits: next(said), None, 12)
    velocity = ours.field_of(made, read, np.full(rows, length + 12), length + 11, tables)
    path = [v.numpy() for v in trace.velocities]
    action, velocities = ours.integrate(velocity, noise, made.config.flow_steps, path)
    for ours_then, theirs in zip(velocities, path, strict=True):
        assert close(ours_then, theirs, 1e-4)
    assert np.abs(action - expected.action).max() < 1e-4


def test_positions_are_within_a_millimetre_on_the_same_noise(pairs):
    loaded, made = pairs["small"]
    observation, prompt, features = prepared(made)
    noise = np.random.default_rng(3).standard_normal((1, WAYPOINTS, 2), dtype=np.float32)
    settings = Settings(1, 0.0, 1.0, max_tokens=6)
    given = patches(loaded, observation)
    expected = rollout(*loaded, prompt, given, history(observation), settings, forced=Forced(noise=noise))
    found = ours.rollout(made, prompt, features, history(observation), settings, np.random.default_rng(), noise)
    assert np.abs(found.motion.xyz - expected.motion.xyz).max() < 1e-3
    assert np.abs(expected.motion.xyz).max() > 10


@pytest.mark.parametrize("source", ["1_5", "small"])
def test_a_command_reaches_the_logits(pairs, source):
    loaded, made = pairs[source]
    found = {}
    for command in ("", ROUTE):
        observation, prompt, features = prepared(made, command=command)
        tables = ours.tables_of(made.config, prompt, len(prompt.ids))
        found[command] = ours.prefill(made, prompt, features, tables).logits
        with torch.inference_mode():
            images = loaded.model.encode_images(patches(loaded, observation), prompt.grids)
            expected = decoding.prefill(loaded.model, prompt, images).logits.numpy()
        kept = np.ones(made.config.vocab_size, dtype=bool)
        kept[made.config.trajectory_start : made.config.trajectory_start + made.config.trajectory_tokens] = False
        assert close(found[command], expected[:, kept], 2e-4)
    assert not np.allclose(found[""], found[ROUTE])


@pytest.mark.parametrize("source", SOURCES)
def test_rows_that_end_early_hide_their_surplus_from_the_expert(pairs, source):
    loaded, made = pairs[source]
    observation, prompt, features = prepared(made)
    stop, length = made.vocabulary.ids.future_start, len(prompt.ids)
    tokens = np.array([[65, stop, 66, 67, 68], [65, 66, 67, stop, 68]])
    with torch.inference_mode():
        images = loaded.model.encode_images(patches(loaded, observation), prompt.grids)
        state = decoding.prefill(loaded.model, prompt, images)
        kv = state.kv.expanded(2)
        for _ in decoding.decode(loaded.model, state, kv, replay(torch.from_numpy(tokens)), None, 5):
            pass
        offsets = flow.row_offsets(length, torch.from_numpy(tokens), torch.tensor([1, 3]))
        x = torch.randn(2, WAYPOINTS, 2, generator=torch.Generator().manual_seed(0))
        expected = flow.field(loaded.model, kv, offsets, state.rope_delta)(x, torch.full((2, 1, 1), 0.3))
    tables = ours.tables_of(made.config, prompt, length + 5 + WAYPOINTS)
    read, said = ours.prefill(made, prompt, features, tables).expanded(2), iter(tokens.T)
    _, read = ours.decode(made, read, length, tables, lambda logits: next(said), None, 5)
    places = ours.row_offsets(length, tokens, stop)
    assert places.tolist() == offsets.tolist()
    found = ours.field_of(made, read, places, length + 4, tables)(x.numpy(), np.float32(0.3))
    assert close(found, expected, 1e-5)
    blind = ours.field_of(made, read, np.full(2, length + 5), length + 4, tables)(x.numpy(), np.float32(0.3))
    assert not np.allclose(blind[0], found[0], atol=1e-4)
