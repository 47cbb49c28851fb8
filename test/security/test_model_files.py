"""A checkpoint's files: no pickle is ever read, sums are kept to, nothing outside the folder is taken."""

import ast
import hashlib
import json
import pickle
import re
import shutil
from pathlib import Path

import pytest

from alpamayo_ros import policies
from alpamayo_ros.paths import model, share
from alpamayo_ros.vla import headers, hub, trust
from alpamayo_ros.vla.errors import CheckpointError

TINY = model("tiny")
PACKAGE = share() / "alpamayo_ros"
UNPICKLERS = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


class Bomb:
    """What a pickle can do to whoever reads it."""

    def __init__(self, mark):
        self._mark = mark

    def __reduce__(self):
        return (Path.write_text, (Path(self._mark), "ran"))


@pytest.fixture
def copy(tmp_path):
    shutil.copytree(TINY, tmp_path / "tiny")
    return tmp_path / "tiny"


def test_the_model_that_ships_has_sums_of_all_that_is_read():
    listed = dict(line.split("  ")[::-1] for line in (TINY / trust.SUMS).read_text().splitlines())
    shipped = {path.relative_to(TINY).as_posix() for path in TINY.rglob("*") if path.is_file()}
    assert set(listed) == shipped - {"README.md", trust.SUMS}
    for name, value in listed.items():
        assert hashlib.sha256((TINY / name).read_bytes()).hexdigest() == value, f"{name}: scripts/export_onnx renews it"


@pytest.mark.parametrize(
    "name", ["model-00001-of-00001.safetensors", "decode.onnx", "config.json", "vlm_base/tokenizer.json"]
)
def test_one_changed_byte_is_found_before_the_file_is_used(copy, name):
    data = bytearray((copy / name).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / name).write_bytes(data)
    with pytest.raises(CheckpointError, match=re.escape(name) + " is not the file that SHA256SUMS promises"):
        policies.load("onnx", checkpoint=str(copy))


def test_sums_that_leave_a_file_out_or_reach_elsewhere_are_refused(copy):
    whole = (copy / trust.SUMS).read_text()
    (copy / trust.SUMS).write_text("".join(line + "\n" for line in whole.splitlines() if "decode.onnx" not in line))
    with pytest.raises(CheckpointError, match=r"has no sum of decode\.onnx, which would be read unchecked"):
        hub.checkpoint_folder(str(copy))
    for line in ("0" * 64 + "  ../../etc/passwd", "0" * 64 + "  /etc/passwd", "what is this"):
        (copy / trust.SUMS).write_text(whole + line + "\n")
        with pytest.raises(CheckpointError, match="is no sum of a file in this folder"):
            hub.checkpoint_folder(str(copy))
    (copy / trust.SUMS).write_text(whole + "0" * 64 + "  more.safetensors\n")
    with pytest.raises(CheckpointError, match=r"more\.safetensors is missing"):
        hub.checkpoint_folder(str(copy))


def test_a_new_export_keeps_the_sums_right(copy):
    trust.write_sums(copy)
    assert (copy / trust.SUMS).read_text() == (TINY / trust.SUMS).read_text()
    (copy / "config.json").write_text((copy / "config.json").read_text() + "\n")
    with pytest.raises(CheckpointError, match=r"config\.json is not the file"):
        trust.check(copy)
    trust.write_sums(copy)
    trust.check(copy)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "weights.pth", "last.ckpt", "model.pkl"])
def test_weights_in_a_pickle_are_refused_unread(copy, tmp_path, name):
    for path in copy.glob("*.safetensors"):
        path.unlink()
    (copy / trust.SUMS).unlink()
    (copy / name).write_bytes(pickle.dumps(Bomb(tmp_path / "ran")))
    with pytest.raises(CheckpointError, match=re.escape(name) + r".*only safetensors are loaded"):
        policies.load("onnx", checkpoint=str(copy))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["model-00001-of-00001.safetensors", "decode.onnx", "config.json"])
def test_a_pickle_under_another_name_is_no_model(copy, tmp_path, name):
    (copy / trust.SUMS).unlink()
    (copy / name).write_bytes(pickle.dumps(Bomb(tmp_path / "ran")))
    with pytest.raises(Exception, match="."):
        policies.load("onnx", checkpoint=str(copy))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["../outside.safetensors", "/etc/passwd", "pytorch_model-00001.bin"])
def test_an_index_cannot_lead_out_of_its_folder(copy, name):
    index = json.loads((copy / "model.safetensors.index.json").read_text())
    index["weight_map"] = dict.fromkeys(index["weight_map"], name)
    (copy / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match=re.escape(repr(name))):
        headers.entries(copy)


def test_a_graph_cannot_lead_out_of_its_folder(copy):
    """Its weights are in another file, which ONNX Runtime must not look for elsewhere."""
    (copy / trust.SUMS).unlink()
    weights = copy / "model-00001-of-00001.safetensors"
    outside = f"../{weights.name[3:]}"
    shutil.copy(weights, copy / outside)
    graph = (copy / "decode.onnx").read_bytes()
    assert graph.count(weights.name.encode()) > 0
    (copy / "decode.onnx").write_bytes(graph.replace(weights.name.encode(), outside.encode()))
    with pytest.raises(Exception, match="escapes|outside|External data path"):
        policies.load("onnx", checkpoint=str(copy))


def _calls(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), {word.arg: ast.unparse(word.value) for word in node.keywords}


def _imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


def unsafe(source):
    """What in a source file could run code out of data."""
    tree = ast.parse(source)
    found = [f"imports {name}" for name in _imported(tree) if name in UNPICKLERS]
    for name, words in _calls(tree):
        last = name.split(".")[-1]
        if name == "torch.load" and words.get("weights_only") != "True":
            found.append("torch.load without weights_only=True")
        if last == "load" and words.get("allow_pickle", "False") != "False":
            found.append(f"{name} with allow_pickle")
        if name in ("yaml.load", "yaml.unsafe_load", "yaml.full_load") or name in ("eval", "exec", "builtins.eval"):
            found.append(name)
        if words.get("trust_remote_code", "False") != "False":
            found.append(f"{name} with trust_remote_code")
    return found


def test_no_code_of_the_package_can_unpickle():
    files = sorted(PACKAGE.rglob("*.py"))
    assert len(files) > 100
    assert {str(path): found for path in files if (found := unsafe(path.read_text()))} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle", "from joblib import load", "torch.load(path)", "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)", "yaml.load(text, Loader)", "eval(text)",
        "AutoModel.from_pretrained(name, trust_remote_code=True)",
    ],
)  # fmt: skip
def test_the_search_finds_what_it_looks_for(source):
    assert unsafe(source)
