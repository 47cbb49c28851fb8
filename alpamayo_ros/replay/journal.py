"""A replay's records on disk, one after the other: what is written is safe from a kill, and a replay resumes from it.

Each record carries a checksum; a half-written one at the end is cut off when the journal is opened again.
"""

from __future__ import annotations

from binascii import crc32
from collections.abc import Iterator
from pathlib import Path

from alpamayo_ros.replay import records
from alpamayo_ros.replay.records import Digest, Record

_HEAD = 12  # sizes of both parts, and their checksum


class Journal:
    """Append-only; use as a context manager.

    Attributes:
        count: records in it.
        digest: the hash of their results.
    """

    def __init__(self, path: Path):
        self.count, self.digest = 0, Digest()
        end = 0
        if path.exists():
            for whole, result, _ in _parts(path):
                end = whole
                self.count += 1
                self.digest.add(result)
        self._file = path.open("ab")
        self._file.truncate(end)

    def append(self, record: Record) -> None:
        """Raises OSError where it cannot be written; what is there already stays."""
        result, extra = records.results(record), records.extras(record)
        sizes = len(result).to_bytes(4, "little") + len(extra).to_bytes(4, "little")
        self._file.write(sizes + crc32(result + extra).to_bytes(4, "little") + result + extra)
        self._file.flush()
        self.count += 1
        self.digest.add(result)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def read(path: Path) -> Iterator[Record]:
    """The whole records of a journal."""
    for _, result, extra in _parts(path):
        yield records.read(result, extra)


def _parts(path: Path) -> Iterator[tuple[int, bytes, bytes]]:
    """Where each whole record ends, and its two parts."""
    end = 0
    with path.open("rb") as file:
        while len(head := file.read(_HEAD)) == _HEAD:
            first, second, checksum = (int.from_bytes(head[at : at + 4], "little") for at in (0, 4, 8))
            body = file.read(first + second)
            if not first or len(body) < first + second or crc32(body) != checksum:
                return  # torn, or the zeros that a power cut leaves
            end += _HEAD + first + second
            yield end, body[:first], body[first:]
