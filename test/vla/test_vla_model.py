"""Precision under autocast (specification 2.4 to 2.8), rotary frequencies, and gradients."""

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from vla.models import output_dtypes, said

from alpamayo_ros.vla import action_input, config, flow, released
from alpamayo_ros.vla.config import ActionInputConfig
from alpamayo_ros.vla.model import create, float32_twin
from alpamayo_ros.vla.unicycle import Scale

ROUNDED = [1, 1.671875, 2.78125, 4.65625, 7.75, 12.9375, 21.5, 36, 60, 100]
RELEASED = ActionInputConfig(hidden_size=512, layers=2)
BF16, F32 = torch.bfloat16, torch.float32


class AttentionInputs(TorchDispatchMode):
    """Notes what reaches the attention kernels, after autocast."""

    def __init__(self):
        super().__init__()
        self.dtypes, self.closed = set(), False

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if "scaled_dot_product" in str(func) and "backward" not in str(func):
            tensors = [value for value in (*args, *(kwargs or {}).values()) if isinstance(value, torch.Tensor)]
            self.dtypes |= {tensor.dtype for tensor in tensors}
            self.closed |= any(bool(torch.isneginf(tensor).any()) for tensor in tensors[3:])
        return func(*args, **(kwargs or {}))


@torch.no_grad()
def test_the_vlm_runs_in_bfloat16_and_its_logits_are_float32(half):
    model = half["r1"].model
    stack = model.vlm.model.language_model
    modules = {"angles": stack.rotary_emb, "layer": stack.layers[1], "norm": stack.norm, "head": model.vlm.lm_head}
    found = {}
    seen = output_dtypes(modules, lambda: found.update(state=said(half["r1"])[1]))
    assert seen == {"angles": BF16, "layer": BF16, "norm": BF16, "head": BF16}
    state = found["state"]
    assert state.logits.dtype == F32
    assert {tensor.dtype for tensor in (*state.kv.keys, *state.kv.values)} == {BF16}


@torch.no_grad()
def test_the_experts_residual_stream_is_float32_and_its_products_bfloat16(half):
    model = half["r1"].model
    field, _ = said(half["r1"])
    layer, encoder = model.expert.layers[1], model.action_in_proj.encoder.trunk
    modules = {
        "fourier": model.action_in_proj.sinus[0],
        "time": model.action_in_proj.timestep_fourier_encoder,
        "first linear": encoder[0],
        "trunk norm": encoder[2],
        "last linear": encoder[6],
        "action_in_proj": model.action_in_proj,
        "angles": model.expert.rotary_emb,
        "input norm": layer.input_layernorm,
        "query": layer.self_attn.q_proj,
        "query norm": layer.self_attn.q_norm,
        "layer": layer,
        "final norm": model.expert.norm,
        "velocity": model.action_out_proj,
    }
    noise = torch.randn(2, 64, 2)
    seen = output_dtypes(modules, lambda: field(noise, torch.zeros(2, 1, 1)))
    wide = ("fourier", "time", "action_in_proj", "angles", "input norm", "layer", "final norm")
    assert seen == {name: F32 if name in wide else BF16 for name in modules}


@torch.no_grad()
def test_cached_keys_become_float32_at_the_first_flow_step_and_values_stay_bfloat16(half):
    field, _ = said(half["1_5"])
    length, keys = field.kv.length, [key.clone() for key in field.kv.keys]
    assert {key.dtype for key in keys} == {BF16}
    for time in (0.0, 0.1):
        field(torch.randn(2, 64, 2), torch.full((2, 1, 1), time))
        assert {key.dtype for key in field.kv.keys} == {F32}
        assert {value.dtype for value in field.kv.values} == {BF16}
        assert field.kv.length == length
    assert all(torch.equal(new, old.float()) for new, old in zip(field.kv.keys, keys, strict=True))


@torch.no_grad()
def test_attention_gets_bfloat16_alone_and_a_mask_of_minus_infinity(half):
    field, _ = said(half["1_5"])
    assert field.mask.dtype == F32
    with AttentionInputs() as attention:
        field(torch.randn(2, 64, 2), torch.zeros(2, 1, 1))
    assert attention.dtypes == {BF16} and attention.closed


@torch.no_grad()
def test_actions_stay_float32_through_the_flow(half):
    field, _ = said(half["1_5"])
    seen = []

    def velocity(actions, time):
        seen.append((actions.dtype, time.dtype))
        return field(actions, time)

    actions, velocities = flow.integrate(velocity, torch.randn(2, 64, 2), 3)
    assert seen == 3 * [(F32, F32)] and actions.dtype == F32
    assert {velocity.dtype for velocity in velocities} == {BF16}


def test_a_bfloat16_velocity_is_not_rounded_again_by_its_step():
    velocity = torch.full((1, 64, 2), 1.0078125, dtype=BF16)
    noise = torch.zeros(1, 64, 2)
    actions, _ = flow.integrate(lambda actions, time: velocity, noise, 10)
    assert actions[0, 0, 0].item() == pytest.approx(1.0078125, abs=1e-6)


def test_rms_norm_normalises_in_float32_and_rounds_before_the_weight():
    norm = action_input.RMSNorm(512).to(BF16)
    x = torch.randn(64, 512, generator=torch.Generator().manual_seed(0)).to(BF16)
    norm.weight.data.uniform_(0.5, 2.0, generator=torch.Generator().manual_seed(1))
    exact = x.double() / (x.double().square().mean(-1, keepdim=True) + 1e-5).sqrt()
    assert torch.equal(norm(x), exact.to(BF16) * norm.weight)


@torch.no_grad()
def test_surplus_after_a_rows_stop_is_invisible_to_its_actions(small):
    field, state = said(small["r1"])
    noise = torch.randn(2, 64, 2)
    before = field(noise, torch.zeros(2, 1, 1))
    for layer in range(3):
        field.kv.keys[layer] = field.kv.keys[layer].clone()
        field.kv.values[layer] = field.kv.values[layer].clone()
        field.kv.keys[layer][0, :, state.length + 2 :] += 5.0
        field.kv.values[layer][0, :, state.length + 2 :] -= 5.0
    assert torch.equal(field(noise, torch.zeros(2, 1, 1)), before)


def test_frequencies_and_statistics_are_rounded_with_the_weights(half, small):
    for variant in ("r1", "1_5"):
        model = half[variant].model
        for module in (*model.action_in_proj.sinus, model.action_in_proj.timestep_fourier_encoder):
            assert module.freqs.tolist() == [ROUNDED] and module.freqs.dtype == BF16
        rounded = Scale(0.029052734375, 0.6796875, 0.0002689361572265625, 0.026123046875)
        assert model.action_space.scale() == rounded
        exact = Scale(0.02902694707164455, 0.6810426736454882, 0.0002692167976330542, 0.026148280660833106)
        assert vars(small[variant].model.action_space.scale()) == pytest.approx(vars(exact), rel=1e-7)


def test_rotary_frequencies_stay_float32(half, small):
    for name, buffer in half["1_5"].model.named_buffers():
        if "inv_freq" in name:
            assert buffer.dtype == F32
            assert torch.equal(buffer, dict(small["1_5"].model.named_buffers())[name])


@pytest.mark.parametrize(
    ("dtype", "expected"), [(BF16, [1.0309173, -0.9589493, 0.2568103]), (F32, [1.0309173, -0.9497918, 0.2610419])]
)
def test_fourier_features_are_the_golden_ones(dtype, expected):
    features = action_input.FourierFeatures(RELEASED, dtype, stored=False)(torch.tensor([0.37]))
    assert features.dtype == F32 and features.shape == (1, 20)
    assert features[0, :3].tolist() == pytest.approx(expected, abs=2e-6)


def test_the_float32_twin_keeps_the_rounded_values(half):
    model = half["r1"].model
    twin = float32_twin(model)
    assert twin.dtype == F32 and model.dtype == BF16
    assert twin.action_in_proj.sinus[0].freqs.tolist() == [ROUNDED]
    weights = zip(twin.parameters(), model.parameters(), strict=True)
    assert all(torch.equal(wide, narrow.float()) for wide, narrow in weights)


def test_released_sizes_are_the_released_numbers_of_tensors_and_parameters():
    from alpamayo_ros.vla.model import build

    for variant, tensors in (("r1", 1166), ("1_5", 1159)):
        model = build(config.parse(released.config(variant), released.base()), "bfloat16", "sdpa")
        assert len(model.state_dict()) == tensors
        assert sum(parameter.numel() for parameter in model.parameters()) == 11_078_526_194
        assert all(parameter.is_meta for parameter in model.parameters())


def test_a_flow_matching_loss_reaches_every_parameter():
    """What training needs: gradients through the flow into the expert, the VLM and the vision encoder."""
    settings = config.parse(released.config("1_5", tiny=True), released.base(tiny=True))
    model = create(settings, "cpu", "float32", 0)
    grids = np.array([[1, 4, 6]])
    ids = torch.tensor([[5, *[151655] * 6, 7, 8]])
    positions = torch.arange(9).expand(3, 1, 9)
    images = model.encode_images(torch.randn(24, 1536), grids)
    kv = model.new_kv()
    hidden = model.run_text(ids, positions, kv, images)
    field = flow.field(model, kv, torch.tensor([9]), 0)
    data, noise, time = torch.randn(1, 64, 2), torch.randn(1, 64, 2), torch.tensor([[[0.3]]])
    velocity = field(time * data + (1 - time) * noise, time)
    loss = (velocity - (data - noise)).square().mean() + model.logits(hidden)[0, :-1].logsumexp(-1).mean()
    loss.backward()
    without = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert without == []


def test_the_same_seed_gives_the_same_weights():
    settings = config.parse(released.config("r1", tiny=True), released.base(tiny=True))
    first, second, other = (create(settings, "cpu", "float32", seed) for seed in (0, 0, 1))
    pairs = list(zip(first.parameters(), second.parameters(), other.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b, _ in pairs) and not all(torch.equal(a, c) for a, _, c in pairs)
    assert (first.vlm.model.language_model.norm.weight == 1).all() and (first.action_out_proj.bias == 0).all()
