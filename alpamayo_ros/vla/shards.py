"""safetensors files, read tensor by tensor through one small staging buffer.

A shard is never mapped or held whole, so loading costs the host the buffer and nothing else, whatever the shard's
size. Where each tensor lies is `headers.py`'s.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import torch

from alpamayo_ros.vla.errors import CheckpointError
from alpamayo_ros.vla.headers import ITEM_BYTES, Entry, total_bytes
from alpamayo_ros.vla.quantise import QuantisedLinear

_log = logging.getLogger(__name__)

_STAGING_BYTES = 64 << 20
_DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


@torch.no_grad()
def stream(
    tensors: Mapping[str, Entry], targets: Mapping[str, torch.Tensor], quantised: Mapping[str, QuantisedLinear]
) -> None:
    """Fills every target from its entry, file by file; the targets' dtype and device are kept.

    Args:
        quantised: the linears that take an entry quantised; one at a time is held as it was stored.
    """
    total, done = total_bytes(tensors.values()), 0
    files = sorted({tensor.file for tensor in tensors.values()})
    pinned = any(target.is_cuda for target in targets.values())
    staging = torch.empty(_STAGING_BYTES, dtype=torch.uint8, pin_memory=pinned)
    for number, path in enumerate(files, 1):
        members = {name: tensor for name, tensor in tensors.items() if tensor.file == path}
        with path.open("rb", buffering=0) as file:
            for name, tensor in sorted(members.items(), key=lambda item: item[1].start):
                if name not in quantised:
                    _fill(file, tensor, targets[name], staging)
                    continue
                stored = torch.empty(tensor.shape, dtype=_DTYPES[tensor.dtype], device=targets[name].device)
                _fill(file, tensor, stored, staging)
                quantised[name].take(stored)
        done += total_bytes(members.values())
        _log.info("shard %d of %d, %.2f of %.2f GB", number, len(files), done / 1e9, total / 1e9)


def _fill(file: BinaryIO, tensor: Entry, target: torch.Tensor, staging: torch.Tensor) -> None:
    flat, size = target.view(-1), ITEM_BYTES[tensor.dtype]
    step = staging.numel() // size
    file.seek(tensor.start)
    for first in range(0, flat.numel(), step):
        part = flat[first : first + step]
        raw = staging[: part.numel() * size]
        _read_exactly(file, raw, tensor.file)
        part.copy_(raw.view(_DTYPES[tensor.dtype]))


def _read_exactly(file: BinaryIO, raw: torch.Tensor, path: Path) -> None:
    view = memoryview(raw.numpy())
    while len(view):
        count = file.readinto(view)
        if not count:
            raise CheckpointError(f"{path} ended while it was read; was it changed?")
        view = view[count:]
