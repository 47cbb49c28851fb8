"""The policy: plans, the images that it encodes, what it refuses, and what it does without."""

import dataclasses
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest

from alpamayo_ros import checks, policies
from alpamayo_ros.contract import Policy, make_example
from alpamayo_ros.ort.sessions import Graph
from alpamayo_ros.policies.sampled import PolicyBusy
from alpamayo_ros.vla.errors import CheckpointError, InputError


@pytest.fixture
def policy(export_folders):
    def made(source="small", **options):
        options = {"max_reasoning_tokens": 6, "threads": 1, **options}
        return policies.load("onnx", checkpoint=str(export_folders[source]), **options)

    return made


def next_tick(observation):
    """The observation 0.1 s later: each camera's oldest image is gone and a new one has come."""
    rng = np.random.default_rng(99)
    images = tuple((*row[1:], rng.integers(0, 256, row[0].shape, dtype=np.uint8)) for row in observation.images)
    stamps = observation.stamps_ns + 100_000_000
    return dataclasses.replace(observation, t0_ns=observation.t0_ns + 100_000_000, images=images, stamps_ns=stamps)


def test_a_plan_passes_the_checks_of_the_house(policy):
    one, observation = policy(samples=3), make_example(height=96, width=192)
    plan = one(observation)
    assert isinstance(one, Policy) and checks.check_plan(plan, observation) is None
    assert plan.xyz.shape == (3, 64, 3) and plan.policy == "onnx" and len(plan.reasoning) == 3
    assert set(plan.timings) == {"prompt", "vision", "prefill", "decode", "flow"}
    assert "reasoning_truncated" in plan.notes and "tokens=6,6,6" in plan.notes


def test_the_same_observation_gives_the_same_plan_and_another_seed_another(policy):
    observation = make_example(height=96, width=192)
    first, second, other = (policy(temperature=0.6, seed=seed)(observation) for seed in (1, 1, 2))
    assert np.array_equal(first.xyz, second.xyz) and first.reasoning == second.reasoning
    assert not np.array_equal(first.xyz, other.xyz)


def test_an_image_is_encoded_once_and_its_features_are_those_of_a_fresh_policy(policy):
    one, observation = policy(), make_example(height=96, width=192)
    one(observation)
    assert one.features.encoded == 16
    later = next_tick(observation)
    kept, fresh = one(later), policy()(later)
    assert one.features.encoded == 20
    assert np.abs(kept.xyz - fresh.xyz).max() < 1e-3 and kept.reasoning == fresh.reasoning


def test_other_pixels_under_an_old_stamp_are_encoded_anew(policy):
    one, observation = policy(), make_example(height=96, width=192)
    one(observation)
    dark = tuple(tuple(np.zeros_like(image) for image in row) for row in observation.images)
    changed = dataclasses.replace(observation, images=dark)
    assert np.array_equal(one(changed).xyz, policy()(changed).xyz) and one.features.encoded == 32


def test_a_reset_forgets_the_images(policy):
    one, observation = policy(), make_example(height=96, width=192)
    one(observation)
    one.reset()
    one(observation)
    assert one.features.encoded == 32


def test_command_sizes_and_history_of_each_tick_count(policy):
    """The prompt is kept from tick to tick as far as it may be: a kept policy plans as a fresh one does."""
    one, observation = policy(), make_example(height=96, width=192)
    turned = dataclasses.replace(observation, command="turn left")
    faster = dataclasses.replace(observation, history_xyz=1.5 * observation.history_xyz)
    upright = make_example(height=192, width=96)  # as many tokens an image, elsewhere
    plans = []
    for seen in (observation, turned, faster, upright, observation):
        kept, fresh = one(seen), policy()(seen)
        assert np.array_equal(kept.xyz, fresh.xyz) and kept.reasoning == fresh.reasoning
        plans.append(kept.xyz)
    assert all(not np.array_equal(plans[0], other) for other in plans[1:4])


def test_cameras_may_differ_in_size(policy):
    observation, wide = make_example(height=96, width=192), make_example(height=120, width=160)
    mixed = dataclasses.replace(observation, images=(*observation.images[:3], wide.images[3]))
    assert checks.check_plan(policy()(mixed), mixed) is None


def test_r1_notes_that_it_takes_no_command(policy):
    plan = policy("r1", flow_steps=1)(dataclasses.replace(make_example(), command="turn left"))
    assert "command_not_supported" in plan.notes


def test_a_broken_observation_is_refused_before_anything_is_computed(policy, monkeypatch):
    one = policy()
    monkeypatch.setattr(Graph, "__call__", lambda *_: pytest.fail("a graph ran"))
    with pytest.raises(InputError, match="history"):
        one(dataclasses.replace(make_example(), history_xyz=np.full((16, 3), np.nan)))
    with pytest.raises(InputError, match="prompt_too_long"):
        policy(max_prompt_tokens=64)(make_example(height=96, width=192))


def test_a_second_call_is_refused_while_one_runs_and_a_closed_policy_says_so(policy, monkeypatch):
    one, inside, go = policy(), threading.Event(), threading.Event()
    encode = one.features._encode

    def slow(images):
        inside.set()
        go.wait(10)
        return encode(images)

    monkeypatch.setattr(one.features, "_encode", slow)
    thread = threading.Thread(target=one, args=(make_example(height=96, width=192),))
    thread.start()
    assert inside.wait(10)
    with pytest.raises(PolicyBusy, match="still running"):
        one(make_example())
    go.set()
    thread.join()
    one.close()
    with pytest.raises(RuntimeError, match="closed"):
        one(make_example())


def test_a_missing_graph_and_one_of_another_checkpoint_say_what_to_run(export_folders, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(export_folders["small"], folder)
    (folder / "decode.onnx").unlink()
    with pytest.raises(CheckpointError, match=r"decode\.onnx is missing: run scripts/export_onnx"):
        policies.load("onnx", checkpoint=str(folder))
    shutil.copy(export_folders["small"] / "decode.onnx", folder)
    text = (folder / "config.json").read_text()
    (folder / "config.json").write_text(text.replace('"num_inference_steps": 5', '"num_inference_steps": 6'))
    with pytest.raises(CheckpointError, match="was not exported from this checkpoint"):
        policies.load("onnx", checkpoint=str(folder))


def test_a_gpu_that_onnxruntime_has_not_is_said(export_folders):
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has CUDA")
    with pytest.raises(ValueError, match="pip install onnxruntime-gpu"):
        policies.load("onnx", checkpoint=str(export_folders["small"]), device="cuda")


def test_torch_transformers_and_onnx_stay_out(export_folders):
    code = f"""
import sys
from alpamayo_ros import policies
from alpamayo_ros.contract import make_example
policies.load("onnx", checkpoint={str(export_folders["small"])!r}, max_reasoning_tokens=2)(make_example())
print({{"torch", "transformers", "onnx", "safetensors"}} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "set()"
