"""safetensors files, read tensor by tensor through one small staging buffer.

A shard is never mapped or held whole, so loading costs the host the buffer and nothing else, whatever the shard's
size. The format: 8 bytes of header length, a JSON header of names, dtypes, shapes and byte ranges, then the data
(github.com/huggingface/safetensors).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import torch

from alpamayo_ros.vla.errors import CheckpointError

_log = logging.getLogger(__name__)

_SINGLE = "model.safetensors"
_INDEX = "model.safetensors.index.json"
_STAGING_BYTES = 64 << 20
_LARGEST_HEADER = 100 << 20
_DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


@dataclass(frozen=True)
class Entry:
    """One tensor in a file: bytes [start, end) of it."""

    file: Path
    dtype: torch.dtype
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
        if not (folder / name).is_file():
            raise CheckpointError(f"{folder / name} is missing, but {_INDEX} names it; download it again")
        found.update(_header(folder / name))
    absent = sorted(set(promised) - set(found))
    if absent:
        raise CheckpointError(f"{index} names {len(absent)} tensors that no shard holds, e.g. '{absent[0]}'")
    return found


def total_bytes(tensors: Iterable[Entry]) -> int:
    return sum(tensor.end - tensor.start for tensor in tensors)


@torch.no_grad()
def stream(tensors: Mapping[str, Entry], targets: Mapping[str, torch.Tensor]) -> None:
    """Fills every target from its entry, file by file; the targets' dtype and device are kept."""
    total, done = total_bytes(tensors.values()), 0
    files = sorted({tensor.file for tensor in tensors.values()})
    pinned = any(target.is_cuda for target in targets.values())
    staging = torch.empty(_STAGING_BYTES, dtype=torch.uint8, pin_memory=pinned)
    for number, path in enumerate(files, 1):
        members = {name: tensor for name, tensor in tensors.items() if tensor.file == path}
        with path.open("rb", buffering=0) as file:
            for name, tensor in sorted(members.items(), key=lambda item: item[1].start):
                _fill(file, tensor, targets[name], staging)
        done += total_bytes(members.values())
        _log.info("shard %d of %d, %.2f of %.2f GB", number, len(files), done / 1e9, total / 1e9)


def _fill(file: BinaryIO, tensor: Entry, target: torch.Tensor, staging: torch.Tensor) -> None:
    flat, size = target.view(-1), tensor.dtype.itemsize
    step = staging.numel() // size
    file.seek(tensor.start)
    for first in range(0, flat.numel(), step):
        part = flat[first : first + step]
        raw = staging[: part.numel() * size]
        _read_exactly(file, raw, tensor.file)
        part.copy_(raw.view(tensor.dtype))


def _read_exactly(file: BinaryIO, raw: torch.Tensor, path: Path) -> None:
    view = memoryview(raw.numpy())
    while len(view):
        count = file.readinto(view)
        if not count:
            raise CheckpointError(f"{path} ended while it was read; was it changed?")
        view = view[count:]


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
    if item["dtype"] not in _DTYPES:
        raise CheckpointError(
            f"{path}: '{name}' is {item['dtype']}; this code loads {', '.join(_DTYPES)} (no quantised checkpoints)"
        )
    start, end = item["data_offsets"]
    return Entry(path, _DTYPES[item["dtype"]], tuple(item["shape"]), base + start, base + end)
