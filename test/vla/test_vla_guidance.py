"""Classifier-free guidance on the navigation text."""

import numpy as np
import pytest
import torch
from vla.models import ROUTE, prepared

from alpamayo_ros.vla import backbone, decoding, flow, guidance
from alpamayo_ros.vla.errors import InputError
from alpamayo_ros.vla.rollout import Forced, Settings, Trace, rollout

NOISE = np.random.default_rng(0).standard_normal((2, 64, 2)).astype(np.float32)


def said(vocabulary):
    """Two rows as generation leaves them: one stops early, one stops late, one more token after that."""
    texts = ["go<|cot_end|><|traj_future_start|>xyzt", "go on<|cot_end|><|traj_future_start|>x"]
    return np.stack([vocabulary.encode(text) for text in texts])


def velocities(loaded, weight, command=ROUTE):
    trace = Trace()
    forced = Forced(said(loaded.vocabulary), NOISE)
    rollout(*loaded, *prepared(loaded, command=command), Settings(guidance_weight=weight), forced=forced, trace=trace)
    return trace.velocities[0]


def test_the_route_is_cut_from_the_prompt_with_its_two_tokens(small):
    model, vocabulary = small["1_5"]
    with_route, without = prepared(small["1_5"], command=ROUTE)[0], prepared(small["1_5"])[0]
    cut = guidance.without_route(with_route, vocabulary, model.config)
    assert np.array_equal(cut.ids, without.ids) and np.array_equal(cut.unfused_ids, without.unfused_ids)
    assert np.array_equal(cut.positions, without.positions) and cut.rope_delta == without.rope_delta


def test_weight_zero_is_the_plain_prompt_and_weight_one_the_guided_one(small):
    """The plain field reads all tokens at once behind its own prefix; decoding them there gives the same."""
    loaded = small["1_5"]
    guided, plain = velocities(loaded, None), velocities(loaded, None, command="")
    assert (guided - plain).abs().max() > 1e-2
    assert velocities(loaded, 1.0) == pytest.approx(guided, abs=1e-5)
    assert velocities(loaded, 0.0) == pytest.approx(plain, abs=2e-4)


def test_weights_beyond_one_extrapolate(small):
    loaded = small["1_5"]
    guided, plain = velocities(loaded, None), velocities(loaded, None, command="")
    assert velocities(loaded, 1.5) == pytest.approx(1.5 * guided - 0.5 * plain, abs=5e-4)


@torch.no_grad()
def test_the_plain_store_holds_the_last_token_too(small):
    model, vocabulary = small["1_5"]
    prompt, patches, _ = prepared(small["1_5"], command=ROUTE)
    images = model.encode_images(patches, prompt.grids)
    tokens = torch.from_numpy(said(vocabulary))
    stops = torch.tensor([3, 6])
    field = guidance.unguided_field(model, vocabulary, prompt, images, tokens, stops)
    plain = prepared(small["1_5"])[0]
    assert field.kv.length == len(plain.ids) + tokens.shape[1]
    open_columns = (field.mask[:, 0, 0] == 0).sum(-1)
    assert open_columns.tolist() == [len(plain.ids) + 4 + 64, len(plain.ids) + 7 + 64]


@torch.no_grad()
def test_nobody_reads_the_padding_of_a_row_that_ended(small):
    """The last padding's keys are those of one that stands alone behind the row's own words."""
    model, vocabulary = small["1_5"]
    prompt, patches, _ = prepared(small["1_5"], command=ROUTE)
    images = model.encode_images(patches, prompt.grids)
    words = vocabulary.encode("go<|im_end|>")
    tokens = torch.from_numpy(np.concatenate([words, np.full(4, vocabulary.ids.pad)]))[None]
    field = guidance.unguided_field(model, vocabulary, prompt, images, tokens, torch.tensor([-1]))

    state = decoding.prefill(model, guidance.without_route(prompt, vocabulary, model.config), images)
    after = state.length + state.rope_delta
    mask = backbone.causal_mask(3, state.length, model.device)
    model.run_text(tokens[:, :3], (after + torch.arange(3)).expand(3, 1, 3), state.kv, mask=mask)
    own_column_closed = torch.zeros(1, 1, 1, state.kv.length + 1)
    own_column_closed[..., -1] = torch.finfo(torch.float32).min
    model.run_text(tokens[:, -1:], torch.tensor([after + 6]).expand(3, 1, 1), state.kv, mask=own_column_closed)
    for ours, alone in zip(field.kv.keys, state.kv.keys, strict=True):
        assert ours[:, :, -1].numpy() == pytest.approx(alone[:, :, -1].numpy(), abs=1e-5)


def test_a_prompt_without_a_route_is_refused(small):
    with pytest.raises(InputError, match="no_route"):
        velocities(small["1_5"], 1.5, command="")


def test_r1_is_refused(small):
    with pytest.raises(InputError, match="guidance_not_supported"):
        guidance.check_supported(small["r1"].model)


def test_guided_velocities_are_mixed():
    one, two = (lambda x, t: x + 1), (lambda x, t: x + 3)
    assert flow.guided(one, two, 1.5)(torch.zeros(1), torch.zeros(1)).item() == pytest.approx(1.5 * 1 - 0.5 * 3)
