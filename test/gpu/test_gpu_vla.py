"""The VLA on a GPU: preprocessing, parity, precision, memory."""

import dataclasses
import json

import numpy as np
import pytest
from vla.models import FOLDERS, output_dtypes, said

from alpamayo_ros import parity, policies
from alpamayo_ros.contract import make_example


@pytest.mark.parametrize("size", [(1080, 1920), (270, 480), (1000, 1003), (64, 96)])
def test_preprocessing_is_at_most_one_grey_level_from_the_cpus(size):
    from alpamayo_ros import vla
    from alpamayo_ros.vla import pixels

    config = vla.load(str(FOLDERS["r1"] / "checkpoint")).model.config
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for _ in range(16)]
    expected = pixels.preprocess(frames, config, "cpu")
    found = pixels.preprocess(frames, config, "cuda").cpu()
    levels = ((found - expected).abs() * 127.5).round()
    assert levels.max() <= 1
    # Exact, in fact, unless products are cut to TF32.
    assert (levels > 0).float().mean() < 1e-3


@pytest.mark.parametrize("variant", ["r1", "1_5"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_recorded_runs_are_within_bounds(variant, dtype, tmp_path):
    report = tmp_path / "parity.json"
    code = parity.main([str(FOLDERS[variant]), "--device", "cuda", "--dtype", dtype, "--json", str(report)])
    failed = [quantity for quantity in json.loads(report.read_text())["quantities"] if not quantity["passed"]]
    assert code == 0 and failed == []


def test_bfloat16_dtypes_are_those_of_the_specification():
    import torch

    from alpamayo_ros import vla

    loaded = vla.load(str(FOLDERS["1_5"] / "checkpoint"), "cuda", "bfloat16")
    with torch.no_grad():
        field, state = said(loaded)
        noise = torch.randn(2, 64, 2, device="cuda")
        layer = loaded.model.expert.layers[1]
        modules = {"input": loaded.model.action_in_proj, "layer": layer, "query": layer.self_attn.q_proj}
        seen = output_dtypes(modules, lambda: field(noise, torch.zeros(2, 1, 1, device="cuda")))
    assert seen == {"input": torch.float32, "layer": torch.float32, "query": torch.bfloat16}
    assert {key.dtype for key in field.kv.keys} == {torch.float32}
    assert {value.dtype for value in field.kv.values} == {torch.bfloat16}
    assert state.logits.dtype == torch.float32


def test_the_policy_plans_and_frees_the_device():
    import torch

    before = torch.cuda.memory_allocated()
    options = {"device": "cuda", "dtype": "bfloat16", "engine": "plain", "samples": 6, "max_reasoning_tokens": 16}
    policy = policies.load("vla", checkpoint=str(FOLDERS["r1"] / "checkpoint"), **options)
    first, second = policy(make_example(height=270, width=480)), policy(make_example(height=270, width=480))
    assert first.xyz.shape == (6, 64, 3) and np.array_equal(first.xyz, second.xyz)
    policy.close()
    del policy
    assert torch.cuda.memory_allocated() <= before + (1 << 20)


def test_a_tick_stays_within_its_memory_estimate():
    import torch

    from alpamayo_ros import vla
    from alpamayo_ros.vla import inputs, memory, pixels
    from alpamayo_ros.vla.rollout import Settings, rollout

    loaded = vla.load(str(FOLDERS["1_5"] / "checkpoint"), "cuda", "bfloat16")
    observation = dataclasses.replace(make_example(height=270, width=480), command="Turn left")
    prompt = inputs.driving_prompt(loaded.model.config, loaded.vocabulary, observation, "Turn left")
    patches = pixels.preprocess(inputs.frames(observation), loaded.model.config, "cuda")
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    history = observation.history_xyz, observation.history_rotation
    generator = torch.Generator("cuda").manual_seed(0)
    rollout(*loaded, prompt, patches, history, Settings(samples=16, max_tokens=32), generator)
    used = torch.cuda.max_memory_allocated() - before
    n = int(prompt.grids.prod(axis=1).sum())
    assert used <= memory.rollout_bytes(loaded.model.config, n, len(prompt.ids), 32, 16, 2) + (64 << 20)
