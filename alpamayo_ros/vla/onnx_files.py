"""The ONNX graphs beside a checkpoint: their names, and the seal that says which weights they point into. No torch.

A graph's initialisers are byte ranges of the checkpoint's safetensors files. The seal is a digest of those files'
headers and of the configuration; a graph of another layout would read its weights from the wrong bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from alpamayo_ros.vla.errors import CheckpointError

_KEY = "alpamayo_ros.seal"


def graph_file(folder: Path, name: str) -> Path:
    """Where the graph of this name ("vision", "prefill", "decode", "expert") is."""
    return folder / f"{name}.onnx"


def seal(folder: Path) -> dict[str, str]:
    """What a graph that fits this checkpoint carries as its metadata."""
    digest = hashlib.sha256((folder / "config.json").read_bytes())
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            length = file.read(8)
            digest.update(length + file.read(int.from_bytes(length, "little")))
    return {_KEY: digest.hexdigest()}


def check_seal(folder: Path, metadata: Mapping[str, str], path: Path) -> None:
    """Refuses a graph that was not made for this checkpoint.

    Raises:
        CheckpointError: with the command that makes it anew.
    """
    if metadata.get(_KEY) != seal(folder)[_KEY]:
        raise CheckpointError(
            f"{path} was not exported from this checkpoint (its configuration or weights have changed since): "
            f"run scripts/export_onnx {folder}"
        )
