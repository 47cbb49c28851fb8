"""`scripts/export_onnx CHECKPOINT [OUT]`: writes the four graphs beside a checkpoint's weights.

The graphs point into the weights' own files, so they must lie in the same folder. With another folder as OUT, the
checkpoint's files are copied there first, and the base model's configuration and tokenizer with them.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

from alpamayo_ros.export.graphs import GRAPHS
from alpamayo_ros.vla import headers, hub, reading, trust
from alpamayo_ros.vla.errors import CheckpointError
from alpamayo_ros.vla.onnx_files import graph_file, seal

BASE_FOLDER = "vlm_base"


def export(checkpoint: str, out: Path | None = None, base: str | None = None) -> Path:
    """Writes the graphs of a checkpoint (a folder or hub id); the folder that holds all that a runtime needs.

    Raises:
        CheckpointError: it cannot be read, or holds what cannot be exported.
    """
    folder = hub.checkpoint_folder(checkpoint)
    if out is not None and out.resolve() != folder.resolve():
        folder = gather(folder, out, base)
    config, _ = reading.settings(folder, base)
    weights = headers.entries(folder)
    for name, build in GRAPHS.items():
        build(config, weights).save(graph_file(folder, name), seal(folder))
    if (folder / trust.SUMS).is_file():
        trust.write_sums(folder)
    return folder


def gather(checkpoint: Path, out: Path, base: str | None) -> Path:
    """A copy of a checkpoint that is complete in itself, its base's configuration and tokenizer inside."""
    raw = json.loads((checkpoint / "config.json").read_text())
    source = hub.base_folder(base or raw["vlm_name_or_path"], checkpoint)
    (out / BASE_FOLDER).mkdir(parents=True, exist_ok=True)
    (out / "config.json").write_text(json.dumps({**raw, "vlm_name_or_path": BASE_FOLDER}, indent=1))
    for name in ("config.json", "tokenizer.json"):
        shutil.copyfile(source / name, out / BASE_FOLDER / name)
    index = checkpoint / "model.safetensors.index.json"
    for file in [*checkpoint.glob("*.safetensors"), *([index] if index.is_file() else [])]:
        # Never a link: the ONNX tools refuse data that other names lead to.
        shutil.copyfile(file, out / file.name)
    return out


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="export_onnx", description=__doc__)
    parser.add_argument("checkpoint", help="folder or hub id of an Alpamayo R1 or 1.5 checkpoint")
    parser.add_argument("out", type=Path, nargs="?", help="folder to write to (default: the checkpoint's own)")
    parser.add_argument("--base", help="folder or hub id of the base VLM (default: as the checkpoint says)")
    options = parser.parse_args(argv)
    try:
        folder = export(options.checkpoint, options.out, options.base)
    except CheckpointError as error:
        print(f"export_onnx: {error}", file=sys.stderr)
        return 2
    for name in GRAPHS:
        path = graph_file(folder, name)
        print(f"{path}  {path.stat().st_size / 1024:.0f} KiB")
    return 0
