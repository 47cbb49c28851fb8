"""What a checkpoint's files must be before anything reads them: no pickles, and sums that agree where there are sums.

A pickle runs code when it is read; safetensors and ONNX are data. A `SHA256SUMS` beside config.json, as `sha256sum`
writes it, is believed and checked in full, weights included. No torch.
"""

from __future__ import annotations

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from alpamayo_ros.vla.errors import CheckpointError

SUMS = "SHA256SUMS"
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.pickle")
# What a runtime reads of a folder.
READ = ("*.safetensors", "*.onnx", "config.json", "*.safetensors.index.json", "*/config.json", "*/tokenizer.json")
_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")
_PART = 1 << 20


def check(folder: Path) -> None:
    """Refuses a folder whose weights are pickles, or whose files are not those of its SHA256SUMS.

    Raises:
        CheckpointError: with the file, and what to do.
    """
    pickled = sorted(path.name for pattern in PICKLES for path in folder.glob(pattern))
    if pickled and not any(folder.glob("*.safetensors")):
        raise CheckpointError(
            f"{folder} holds its weights as pickles ({', '.join(pickled[:3])}), which run code when they are read; "
            "only safetensors are loaded: get the checkpoint in that format"
        )
    if (folder / SUMS).is_file():
        _check_sums(folder)


def write_sums(folder: Path) -> None:
    """Writes SHA256SUMS for all that a runtime reads."""
    lines = [f"{_sum(folder / name)}  {name}\n" for name in _read(folder)]
    (folder / SUMS).write_text("".join(lines))


def is_plain(name: str) -> bool:
    """Whether a path leads to a file of the folder that it is relative to."""
    return not Path(name).is_absolute() and ".." not in Path(name).parts


def _check_sums(folder: Path) -> None:
    promised: dict[str, str] = {}
    for number, line in enumerate((folder / SUMS).read_text().splitlines(), 1):
        match = _LINE.fullmatch(line)
        if match is None or not is_plain(match[2]):
            raise CheckpointError(f"{folder / SUMS}, line {number}, is no sum of a file in this folder: {line!r}")
        promised[match[2].removeprefix("./")] = match[1]
    unlisted = [name for name in _read(folder) if name not in promised]
    if unlisted:
        raise CheckpointError(f"{folder / SUMS} has no sum of {unlisted[0]}, which would be read unchecked")
    absent = [name for name in promised if not (folder / name).is_file()]
    if absent:
        raise CheckpointError(f"{folder / absent[0]} is missing, but {SUMS} names it; download it again")
    with ThreadPoolExecutor(4) as pool:
        found = dict(zip(promised, pool.map(lambda name: _sum(folder / name), promised), strict=True))
    for name, value in promised.items():
        if found[name] != value:
            raise CheckpointError(
                f"{folder / name} is not the file that {SUMS} promises (sha256 {found[name][:12]}..., not "
                f"{value[:12]}...): it is damaged or was changed; download it again"
            )


def _read(folder: Path) -> list[str]:
    return sorted({path.relative_to(folder).as_posix() for pattern in READ for path in folder.glob(pattern)})


def _sum(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(_PART):
            digest.update(part)
    return digest.hexdigest()
