"""A training that can be taken up again: everything it needs, in files of under 16 MB."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch

LARGEST = 15_000_000
_INDEX = "state.json"


def save(folder: Path, tensors: dict[str, torch.Tensor], facts: dict[str, Any]) -> None:
    """Writes named tensors and JSON facts; an interrupted save leaves the one before as it was.

    Raises:
        ValueError: a single tensor is larger than a file may be.
    """
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    names = []
    for group in _grouped(tensors):
        names.append(f"part_{len(names):02d}.pt")
        torch.save({name: tensors[name].detach().cpu() for name in group}, fresh / names[-1])
    (fresh / _INDEX).write_text(json.dumps({"parts": names, "facts": facts}))
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)


def load(folder: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]] | None:
    """What `save` wrote, None where there is nothing whole."""
    if not (folder / _INDEX).is_file():
        return None
    index = json.loads((folder / _INDEX).read_text())
    tensors: dict[str, torch.Tensor] = {}
    for name in index["parts"]:
        tensors.update(torch.load(folder / name, weights_only=True))
    return tensors, index["facts"]


def copy_out(folder: Path) -> None:
    """A copy of a folder under $OUT, where that is set: what comes back from a lent machine."""
    if os.environ.get("OUT"):
        target = Path(os.environ["OUT"]) / folder.name
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(folder, target)


def _grouped(tensors: dict[str, torch.Tensor]) -> list[list[str]]:
    groups: list[list[str]] = [[]]
    size = 0
    for name, tensor in tensors.items():
        if tensor.nbytes > LARGEST:
            raise ValueError(f"{name} has {tensor.nbytes / 1e6:.0f} MB; a file holds at most {LARGEST / 1e6:.0f} MB")
        if size + tensor.nbytes > LARGEST:
            groups.append([])
            size = 0
        groups[-1].append(name)
        size += tensor.nbytes
    return groups
