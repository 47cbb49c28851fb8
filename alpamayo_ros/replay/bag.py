"""Reads rosbag2 bags (directories or single .mcap and .db3 files) as serialized messages in order of receipt.

No ROS needed. What a message means is decided elsewhere. A bag that lost its end, its index or its metadata.yaml is
read up to the damage, which `Bag.damage` names.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from rosbags.rosbag2 import Reader, ReaderError

from alpamayo_ros.replay.salvage import WholeMessages, WholeRows


class BagError(Exception):
    """A bag that cannot be read: what, where, and what to do."""


class Recorded(NamedTuple):
    """One recorded message."""

    received_ns: int
    topic: str
    type: str  # "sensor_msgs/msg/Image"
    data: bytes  # serialized


class Bag:
    """An open bag; use as a context manager.

    Attributes:
        path: as given.
        types: topic -> message type.
        counts: topic -> number of messages.
        start_ns, end_ns: time of receipt of the first message, and just after the last.
        damage: what is wrong with it ("" for nothing); what comes before the damage can be read.

    Raises:
        BagError: no bag there, or one of which nothing can be read.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        if not self.path.exists():
            raise BagError(f"{self.path} does not exist; give a rosbag2 directory, or an .mcap or .db3 file")
        self.damage = ""
        self._readers = self._open()
        connections = [c for reader in self._readers for c in reader.connections]
        self.types = {c.topic: c.msgtype for c in connections}
        self.counts: dict[str, int] = dict.fromkeys(self.types, 0)
        for connection in connections:
            self.counts[connection.topic] += connection.msgcount
        filled = [reader for reader in self._readers if any(c.msgcount for c in reader.connections)]
        self.start_ns = min((reader.start_time for reader in filled), default=0)
        self.end_ns = max((reader.end_time for reader in filled), default=0)

    def messages(self, topics: Collection[str] | None = None) -> Iterator[Recorded]:
        """The messages of these topics (all by default), in order of receipt.

        Raises:
            BagError: damage on the way; what came before it has been given.
        """
        for reader in self._readers:
            wanted = [c for c in reader.connections if topics is None or c.topic in topics]
            if not wanted:
                continue
            try:
                for connection, received_ns, data in reader.messages(wanted):
                    yield Recorded(received_ns, connection.topic, connection.msgtype, bytes(data))
            except Exception as error:  # whatever a decompressor or a database says of damage
                raise BagError(f"{self.path} is damaged: {type(error).__name__}: {error}") from None

    def __enter__(self) -> Bag:
        return self

    def __exit__(self, *_: object) -> None:
        for reader in self._readers:
            reader.close()

    def _open(self) -> list[Any]:
        """The bag's readers in order: one for all of it, or one a file where that cannot be."""
        try:
            return [_opened(self.path)]
        except PermissionError as error:
            raise BagError(f"{self.path} may not be read ({error.strerror}); change its permissions") from None
        except Exception as error:
            whole = error
        files = sorted(_files(self.path), key=_number)
        readers, lost = [], []
        for file in files:
            reader = _usable(file)
            if reader is None:
                lost.append(file.name)
            else:
                readers.append(reader)
        if not readers:
            raise BagError(f"{self.path} is no bag that can be read: {_sentence(whole)}") from None
        self.damage = f"{self.path}: {_sentence(whole)}; read up to the damage"
        if lost:
            self.damage += f"; nothing could be read of {', '.join(lost)}"
        return readers


def _opened(path: Path) -> Reader:
    reader = Reader(path)
    reader.open()
    return reader


def _usable(file: Path) -> Any | None:
    """A reader for what is left of one storage file, if there is anything."""
    try:
        return _opened(file)
    except Exception:
        pass
    try:
        return WholeRows(file) if file.suffix == ".db3" else WholeMessages(file)
    except Exception:
        return None


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if path.suffix in (".mcap", ".db3") else []
    return [file for file in path.iterdir() if file.suffix in (".mcap", ".db3")]


def _number(path: Path) -> tuple[int, str]:
    """rosbag2 numbers split files: bag_2 comes before bag_10."""
    number = re.search(r"_(\d+)$", path.stem)
    return (int(number.group(1)) if number else 0, path.name)


def _sentence(error: Exception) -> str:
    if isinstance(error, (ReaderError, OSError)):
        return str(error).rstrip(".")
    return f"{type(error).__name__}: {error}"
