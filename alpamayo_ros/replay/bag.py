"""Reads rosbag2 bags (directories or single .mcap and .db3 files) as serialized messages in order of receipt.

No ROS needed. What a message means is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from rosbags.rosbag2 import Reader, ReaderError


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

    Raises:
        BagError: no bag there, or one that cannot be opened.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        if not self.path.exists():
            raise BagError(f"{self.path} does not exist; give a rosbag2 directory, or an .mcap or .db3 file")
        try:
            self._reader = Reader(self.path)
            self._reader.open()
        except (ReaderError, OSError) as error:
            raise BagError(f"{self.path} is no bag that can be read: {error}") from None
        connections = self._reader.connections
        self.types = {c.topic: c.msgtype for c in connections}
        self.counts = {topic: info.msgcount for topic, info in self._reader.topics.items()}
        self.start_ns, self.end_ns = self._reader.start_time, self._reader.end_time

    def messages(self, topics: Collection[str] | None = None) -> Iterator[Recorded]:
        """The messages of these topics (all by default), in order of receipt.

        Raises:
            BagError: damage on the way; what came before it has been given.
        """
        wanted = [c for c in self._reader.connections if topics is None or c.topic in topics]
        if not wanted:
            return
        try:
            for connection, received_ns, data in self._reader.messages(wanted):
                yield Recorded(received_ns, connection.topic, connection.msgtype, data)
        except ReaderError as error:
            raise BagError(f"{self.path} is damaged: {error}") from None

    def __enter__(self) -> Bag:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()
