"""The exporter: the weights are there once, in any precision, and stay where they are."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from ort.exported import untrained

from alpamayo_ros import policies, vla
from alpamayo_ros.contract import make_example
from alpamayo_ros.export.command import export
from alpamayo_ros.export.graphs import GRAPHS
from alpamayo_ros.vla import checkpoint
from alpamayo_ros.vla.errors import CheckpointError

SCRIPT = Path(__file__).parents[2] / "scripts" / "export_onnx"


def test_every_weight_of_a_graph_is_a_range_of_the_checkpoints_own_file(export_folders):
    folder = export_folders["small"]
    for name in GRAPHS:
        assert (folder / f"{name}.onnx").stat().st_size < 64 * 1024
        graph = onnx.load(folder / f"{name}.onnx", load_external_data=False).graph
        inside = [t for t in graph.initializer if t.data_location != onnx.TensorProto.EXTERNAL]
        outside = [t for t in graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL]
        assert sum(np.prod(t.dims) for t in inside) < 500 and len(outside) > 20
        for tensor in outside:
            place = {entry.key: entry.value for entry in tensor.external_data}
            assert (folder / place["location"]).suffix == ".safetensors"


def test_graphs_are_valid_onnx(export_folders):
    for name in GRAPHS:
        onnx.checker.check_model(str(export_folders["1_5"] / f"{name}.onnx"))


def test_a_bfloat16_checkpoint_of_several_shards_computes_in_float32(tmp_path):
    folder = untrained(tmp_path / "full")
    half = vla.load(str(folder), dtype="bfloat16")
    raw, base = (json.loads((folder / part).read_text()) for part in ("config.json", "vlm_base/config.json"))
    written = tmp_path / "half"
    checkpoint.write(half.model, written, raw, base, max_shard_bytes=4 << 20)
    (written / "vlm_base" / "tokenizer.json").write_bytes((folder / "vlm_base" / "tokenizer.json").read_bytes())
    assert len(list(written.glob("*.safetensors"))) > 1
    options = {"max_reasoning_tokens": 4, "flow_steps": 2}
    observation = make_example(height=96, width=192)
    found = policies.load("onnx", checkpoint=str(export(str(written))), **options)(observation)
    expected = policies.load("vla", checkpoint=str(written), dtype="float32", device="cpu", temperature=0.0, **options)
    assert found.reasoning == expected(observation).reasoning and np.isfinite(found.xyz).all()


def test_the_script_gathers_a_checkpoint_elsewhere_and_says_what_is_wrong(tmp_path):
    source = Path(__file__).parents[1] / "fixtures" / "alpamayo_1_5_tiny" / "checkpoint"
    command = [sys.executable, SCRIPT, source, tmp_path / "out"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stdout.count(".onnx") == 4
    assert (tmp_path / "out" / "vlm_base" / "tokenizer.json").is_file()
    wrong = subprocess.run([sys.executable, SCRIPT, tmp_path], capture_output=True, text=True, timeout=60)
    assert wrong.returncode == 2 and "holds no config.json" in wrong.stderr


def test_what_cannot_be_exported_is_said(tmp_path):
    folder = untrained(tmp_path)
    base = folder / "vlm_base" / "config.json"
    base.write_text(base.read_text().replace("gelu_pytorch_tanh", "relu"))
    with pytest.raises(CheckpointError, match="'relu' cannot be exported"):
        export(str(folder))
