"""What is left of a damaged storage file: every whole message before the damage.

A recording that was killed or whose disk was full ends in mid-message and without its index. Both readers here go
through the file in the order in which it was written. They offer what `Bag` uses of a reader of `rosbags`.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

# MCAP's record kinds (mcap.dev/spec).
_SCHEMA, _CHANNEL, _MESSAGE, _CHUNK, _DATA_END = 0x03, 0x04, 0x05, 0x06, 0x0F
_MAGIC = b"\x89MCAP0\r\n"
# No recorder writes a record or a chunk that is larger; a length beyond this is damage, or meant to fill the memory.
_LARGEST = 1 << 30


class Stream(NamedTuple):
    """One topic of a file."""

    id: int
    topic: str
    msgtype: str
    msgcount: int


class WholeMessages:
    """An .mcap file without a usable end.

    Raises:
        ValueError: it is no MCAP file at all.
    """

    def __init__(self, path: Path):
        self._path = path
        names: dict[int, tuple[str, str]] = {}
        counts: dict[int, int] = {}
        times: list[int] = []
        for channel, received_ns, _ in self._scan(names):
            counts[channel] = counts.get(channel, 0) + 1
            times = [min([received_ns, *times]), max([received_ns, *times])]
        self.connections = [Stream(i, topic, kind, counts.get(i, 0)) for i, (topic, kind) in names.items()]
        self.start_time, self.end_time = (times[0], times[-1] + 1) if times else (0, 0)

    def messages(self, connections: Collection[Stream]) -> Iterator[tuple[Stream, int, bytes]]:
        wanted = {stream.id: stream for stream in connections}
        for channel, received_ns, data in self._scan({}):
            if channel in wanted:
                yield wanted[channel], received_ns, bytes(data)

    def close(self) -> None:
        """Nothing is held open."""

    def _scan(self, names: dict[int, tuple[str, str]]) -> Iterator[tuple[int, int, memoryview]]:
        """(channel, time of receipt, data) of all whole messages; fills in the channels' topics and types."""
        schemas: dict[int, str] = {}
        with self._path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise ValueError(f"{self._path} is no MCAP file")
            while True:
                head = file.read(9)
                if len(head) < 9 or head[0] in (0, _DATA_END):
                    return
                length = int.from_bytes(head[1:], "little")
                if head[0] not in (_SCHEMA, _CHANNEL, _MESSAGE, _CHUNK):
                    file.seek(length, 1)
                    continue
                if length > _LARGEST:
                    return
                body = file.read(length)
                records = _records(_uncompressed(body)) if head[0] == _CHUNK else [(head[0], memoryview(body))]
                if head[0] != _CHUNK and len(body) < length:
                    return
                for kind, record in records:
                    if kind == _SCHEMA:
                        schemas[int.from_bytes(record[:2], "little")] = _string(record, 2)[0]
                    elif kind == _CHANNEL:
                        channel, schema = struct.unpack_from("<HH", record)
                        names[channel] = (_string(record, 4)[0], schemas.get(schema, ""))
                    elif kind == _MESSAGE:
                        channel, _, received_ns, _ = struct.unpack_from("<HIQQ", record)
                        yield channel, received_ns, record[22:]


def _records(data: bytes) -> Iterator[tuple[int, memoryview]]:
    """The whole records within a chunk."""
    view, at = memoryview(data), 0
    while at + 9 <= len(view):
        kind, length = view[at], int.from_bytes(view[at + 1 : at + 9], "little")
        if at + 9 + length > len(view):
            return
        yield kind, view[at + 9 : at + 9 + length]
        at += 9 + length


def _uncompressed(chunk: bytes) -> bytes:
    """A chunk's records, as far as its bytes go."""
    compression, at = _string(memoryview(chunk), 28)
    data = chunk[at + 8 :]
    if compression == "zstd":
        return _decompressor().decompress(data, max_length=_LARGEST)
    if compression == "lz4":
        from lz4.frame import LZ4FrameDecompressor

        return LZ4FrameDecompressor().decompress(data, max_length=_LARGEST)
    return data


def _decompressor() -> Any:
    try:
        from compression.zstd import ZstdDecompressor
    except ImportError:
        from backports.zstd import ZstdDecompressor
    return ZstdDecompressor()


def _string(record: memoryview, at: int) -> tuple[str, int]:
    (length,) = struct.unpack_from("<I", record, at)
    return bytes(record[at + 4 : at + 4 + length]).decode(), at + 4 + length


class WholeRows:
    """A .db3 file that was cut off.

    Raises:
        sqlite3.DatabaseError: nothing of it can be read.
    """

    def __init__(self, path: Path):
        self._db = sqlite3.connect(f"file:{path}?immutable=1", uri=True)
        self._db.execute("PRAGMA writable_schema = ON")  # else a file shorter than its header says is not looked at
        topics = self._db.execute("SELECT id, name, type FROM topics").fetchall()
        counts: dict[int, int] = {}
        times: list[int] = []
        for topic, received_ns, _ in self._rows():
            counts[topic] = counts.get(topic, 0) + 1
            times = [min([received_ns, *times]), max([received_ns, *times])]
        self.connections = [Stream(i, name, kind, counts.get(i, 0)) for i, name, kind in topics]
        self.start_time, self.end_time = (times[0], times[-1] + 1) if times else (0, 0)

    def messages(self, connections: Collection[Stream]) -> Iterator[tuple[Stream, int, bytes]]:
        wanted = {stream.id: stream for stream in connections}
        for topic, received_ns, data in self._rows():
            if topic in wanted:
                yield wanted[topic], received_ns, data

    def close(self) -> None:
        self._db.close()

    def _rows(self) -> Iterator[tuple[int, int, bytes]]:
        try:
            for row in self._db.execute("SELECT topic_id, timestamp, data FROM messages ORDER BY id"):
                if None in row:  # what SQLite makes of a row whose page is gone
                    return
                yield row
        except sqlite3.DatabaseError:
            return
