"""The headers of safetensors files: where each tensor of a checkpoint lies. No torch, and no weights are read.

The format: 8 bytes of header length, a JSON header of names, dtypes, shapes and byte ranges, then the data
(github.com/huggingface/safetensors).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from alpamayo_ros.vla.errors import CheckpointError

_SINGLE = "model.safetensors"
_INDEX = "model.safetensors.index.json"
_LARGEST_HEADER = 100 << 20
ITEM_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}


@dataclass(frozen=True)
class Entry:
    """One tensor in a file: bytes [start, end) of it; dtype as safetensors spells it."""

    file: Path
    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


def entries(folder: Path) -> dict[str, Entry]:
    """Every tensor of a checkpoint folder, from its index or its single file; only headers are read.

    Raises:
        CheckpointError: no weights, a missing or half-downloaded shard, a tensor that the index promises in vain.
    """
    index = folder / _INDEX
    if not index.is_file():
        if not (folder / _SINGLE).is_file():
            raise CheckpointError(f"{folder} holds neither {_SINGLE} nor {_INDEX}; download the weights into it")
        return _header(folder / _SINGLE)
    promised = json.loads(index.read_text())["weight_map"]
    found: dict[str, Entry] = {}
    for name in sorted(set(promised.values())):
        if Path(name).name != name or Path(name).suffix != ".safetensors":
            raise CheckpointError(f"{index} names {name!r}; weights are *.safetensors files beside it")
        if not (folder / name).is_file():
            raise CheckpointError(f"{folder / name} is missing, but {_INDEX} names it; download it again")
        found.update(_header(folder / name))
    absent = sorted(set(promised) - set(found))
    if absent:
        raise CheckpointError(f"{index} names {len(absent)} tensors that no shard holds, e.g. '{absent[0]}'")
    return found


def total_bytes(tensors: Iterable[Entry]) -> int:
    return sum(tensor.end - tensor.start for tensor in tensors)


def values(entry: Entry) -> np.ndarray:
    """One tensor as float32, for the few small ones that are no weights of a graph."""
    with entry.file.open("rb") as file:
        file.seek(entry.start)
        raw = file.read(entry.end - entry.start)
    if entry.dtype == "BF16":  # the upper half of a float32
        wide = np.frombuffer(raw, np.uint16).astype(np.uint32) << 16
        return wide.view(np.float32).reshape(entry.shape)
    kind = {"F64": np.float64, "F32": np.float32, "F16": np.float16}[entry.dtype]
    return np.frombuffer(raw, kind).astype(np.float32).reshape(entry.shape)


def _header(path: Path) -> dict[str, Entry]:
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > _LARGEST_HEADER or 8 + length > size:
            raise CheckpointError(
                f"{path} ({size} bytes) is no complete safetensors file; delete it and download again"
            )
        try:
            header = json.loads(file.read(length))
        except ValueError as error:
            raise CheckpointError(f"{path} has a damaged header; delete it and download again") from error
    header.pop("__metadata__", None)
    needed = 8 + length + max((item["data_offsets"][1] for item in header.values()), default=0)
    if size != needed:
        raise CheckpointError(
            f"{path} has {size} bytes of {needed}: a half-finished download; delete it and download again"
        )
    return {name: _entry(path, name, item, 8 + length) for name, item in header.items()}


def _entry(path: Path, name: str, item: Mapping, base: int) -> Entry:
    if item["dtype"] not in ITEM_BYTES:
        raise CheckpointError(
            f"{path}: '{name}' is {item['dtype']}; this code loads {', '.join(ITEM_BYTES)} (no quantised checkpoints)"
        )
    start, end = item["data_offsets"]
    return Entry(path, item["dtype"], tuple(item["shape"]), base + start, base + end)
