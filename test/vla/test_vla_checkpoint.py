"""Loading and writing checkpoints, and what each broken one is told."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from alpamayo_ros import vla
from alpamayo_ros.vla import checkpoint, memory, shards
from alpamayo_ros.vla.errors import CheckpointError


@pytest.fixture
def copied(folders, tmp_path):
    """A checkpoint of one's own to break."""
    shutil.copytree(folders["1_5"], tmp_path / "fixture")
    return tmp_path / "fixture" / "checkpoint"


def edit(folder, **changes):
    """Sets fields of config.json; None takes one out."""
    path = folder / "config.json"
    content = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def edit_weights(folder, change):
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


def weights(folder):
    return load_file(folder / "model.safetensors")


@pytest.mark.parametrize("variant", ["r1", "1_5"])
def test_every_tensor_arrives(variant, folders, loaded):
    state = loaded[variant].model.state_dict()
    stored = weights(folders[variant] / "checkpoint")
    assert set(state) == set(stored)
    assert all(torch.equal(state[key], stored[key]) for key in stored)


def test_weights_are_rounded_to_the_dtype_that_is_asked_for(folders, half):
    state = half["r1"].model.state_dict()
    stored = weights(folders["r1"] / "checkpoint")
    assert all(torch.equal(state[key], stored[key].bfloat16()) for key in stored)


def test_a_written_checkpoint_of_many_shards_loads_again(loaded, folders, tmp_path):
    model = loaded["r1"].model
    source = folders["r1"]
    raw = json.loads((source / "checkpoint" / "config.json").read_text()) | {"vlm_name_or_path": "base"}
    base = json.loads((source / "vlm_base" / "config.json").read_text())
    checkpoint.write(model, tmp_path, raw, base, max_shard_bytes=2_000_000)
    shutil.copy(source / "vlm_base" / "tokenizer.json", tmp_path / "base")
    assert len(list(tmp_path.glob("model-*-of-00006.safetensors"))) == 6
    again = vla.load(str(tmp_path)).model.state_dict()
    assert all(torch.equal(tensor, again[key]) for key, tensor in model.state_dict().items())


def test_tensors_larger_than_the_staging_buffer_arrive(folders, loaded, monkeypatch):
    monkeypatch.setattr(shards, "_STAGING_BYTES", 1000)
    model = vla.load(str(folders["r1"] / "checkpoint")).model
    expected = loaded["r1"].model.state_dict()
    assert all(torch.equal(tensor, expected[key]) for key, tensor in model.state_dict().items())


def test_missing_and_unexpected_and_misshapen_tensors_are_listed(copied):
    def change(tensors):
        for layer in range(3):
            del tensors[f"expert.layers.{layer}.self_attn.q_proj.weight"]
        tensors["extra.weight"] = torch.zeros(2)
        tensors["vlm.lm_head.weight"] = tensors["vlm.lm_head.weight"][:100].clone()

    edit_weights(copied, change)
    with pytest.raises(CheckpointError) as caught:
        vla.load(str(copied))
    message = str(caught.value)
    assert "139 tensors expected, 137 found" in message
    assert "3 missing:" in message
    assert "expert.layers.0.self_attn.q_proj.weight  [3 like expert.layers.*.self_attn.q_proj.weight]" in message
    assert "1 unexpected:\n  extra.weight" in message
    assert "vlm.lm_head.weight (checkpoint [100, 64], model [4291, 64])" in message


def test_an_r1_checkpoint_without_its_buffers_is_refused(folders, tmp_path):
    shutil.copytree(folders["r1"], tmp_path / "r1")
    edit_weights(tmp_path / "r1" / "checkpoint", lambda tensors: tensors.pop("action_space.accel_std"))
    with pytest.raises(CheckpointError, match="1 missing:\n  action_space.accel_std"):
        vla.load(str(tmp_path / "r1" / "checkpoint"))


def test_a_half_downloaded_shard_is_named(copied):
    path = copied / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    size = path.stat().st_size
    with pytest.raises(CheckpointError, match=f"{path} has {size} bytes of {size + 100}: a half-finished download"):
        vla.load(str(copied))


@pytest.mark.parametrize("content", [b"", b"1234", b"\xff" * 64, (8).to_bytes(8, "little") + b"{broken}"])
def test_a_file_that_is_no_safetensors_is_named(copied, content):
    (copied / "model.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match="model.safetensors.*download again"):
        vla.load(str(copied))


def test_quantised_weights_are_refused(copied):
    edit_weights(
        copied, lambda tensors: tensors.update({"vlm.lm_head.weight": torch.zeros(4291, 64, dtype=torch.int8)})
    )
    with pytest.raises(CheckpointError, match="'vlm.lm_head.weight' is I8"):
        vla.load(str(copied))


def test_a_shard_that_the_index_names_must_be_there(loaded, copied):
    raw = json.loads((copied / "config.json").read_text())
    base = json.loads((copied.parent / "vlm_base" / "config.json").read_text())
    checkpoint.write(loaded["1_5"].model, copied, raw, base, max_shard_bytes=5_000_000)
    missing = sorted(copied.glob("model-*.safetensors"))[1]
    missing.unlink()
    with pytest.raises(CheckpointError, match=f"{missing} is missing"):
        vla.load(str(copied))


def test_a_tensor_that_the_index_promises_must_be_there(copied):
    promised = dict.fromkeys([*weights(copied), "lost.weight"], "model.safetensors")
    (copied / "model.safetensors.index.json").write_text(json.dumps({"weight_map": promised}))
    with pytest.raises(CheckpointError, match="names 1 tensors that no shard holds, e.g. 'lost.weight'"):
        vla.load(str(copied))


def test_a_folder_without_weights_is_told_so(copied):
    (copied / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="download the weights"):
        vla.load(str(copied))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "qwen3_vl"}, "model_type is 'qwen3_vl'; this code loads alpamayo_r1, alpamayo1_5"),
        ({"model_type": "alpamayo2_super"}, "alpamayo2_super"),
        ({"expert_cfg": None}, "no field 'expert_cfg'"),
        ({"vlm_name_or_path": None}, "no vlm_name_or_path"),
        ({"expert_non_causal_attention": False}, "expert_non_causal_attention = False is not supported"),
        ({"diffusion_cfg": {"int_method": "heun"}}, "'heun' is not supported"),
        ({"model_dtype": "float16"}, "'float16' is not supported"),
        ({"hist_traj_tokenizer_cfg": {"predict_yaw": True}}, "predict_yaw"),
        ({"vocab_size": 4292}, "vocab_size: tokenizer 4291, config.json 4292"),
        ({"vlm_name_or_path": "no/such/base/here"}, "there is no folder 'no/such/base/here'"),
    ],
)
def test_configurations_that_cannot_be_computed_are_refused(copied, changes, message):
    edit(copied, **changes)
    with pytest.raises(CheckpointError, match=message):
        vla.load(str(copied))


def test_a_base_that_is_no_qwen3_vl_is_refused(copied):
    (copied.parent / "vlm_base" / "config.json").write_text(json.dumps({"model_type": "llama"}))
    with pytest.raises(CheckpointError, match="'llama'.*must be a Qwen3-VL"):
        vla.load(str(copied))


def test_another_base_can_be_given(copied, folders):
    edit(copied, vlm_name_or_path="nvidia/Cosmos-Reason2-8B")
    assert vla.load(str(copied), base=str(folders["1_5"] / "vlm_base")).model.config.vocab_size == 4291


def test_both_spellings_of_rope_give_the_same_angles(copied, loaded):
    """transformers 5 writes rope_parameters where 4.57 wrote rope_theta and rope_scaling."""
    path = copied.parent / "vlm_base" / "config.json"
    base = json.loads(path.read_text())
    text = base["text_config"]
    text["rope_parameters"] = text.pop("rope_scaling") | {"rope_theta": text.pop("rope_theta")}
    path.write_text(json.dumps(base))
    stack = vla.load(str(copied)).model.vlm.model.language_model
    expected = loaded["1_5"].model.vlm.model.language_model
    assert torch.equal(stack.rotary_emb.inv_freq, expected.rotary_emb.inv_freq)
    assert stack.rotary_emb.mrope_section == expected.rotary_emb.mrope_section


def test_too_little_memory_is_said_before_any_is_taken(copied, monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda device: 1_000_000)
    with pytest.raises(CheckpointError, match="takes 0.0 GB as torch.float32, and cpu has 0.0 GB free"):
        vla.load(str(copied))


def test_options_that_do_not_exist_are_refused(copied):
    with pytest.raises(ValueError, match="dtype 'float8'"):
        vla.load(str(copied), dtype="float8")
    with pytest.raises(ValueError, match="attention 'magic'"):
        vla.load(str(copied), attention="magic")


@torch.no_grad()
def test_eager_attention_agrees_with_sdpa(copied, loaded):
    eager = vla.load(str(copied), attention="eager").model
    read = []
    for model in (eager, loaded["1_5"].model):
        kv = model.new_kv()
        whole = model.run_text(torch.arange(20)[None], torch.arange(20).expand(3, 1, 20), kv)
        after = model.run_text(torch.tensor([[3]]), torch.tensor([20]).expand(3, 1, 1), kv)
        read.append(torch.cat([whole, after], dim=1))
    assert (read[0] - read[1]).abs().max() < 1e-4


def test_loading_says_how_far_it_is(copied, caplog):
    with caplog.at_level("INFO", logger="alpamayo_ros"):
        vla.load(str(copied))
    assert "139 tensors" in caplog.text and "shard 1 of 1, 0.01 of 0.01 GB" in caplog.text
