"""Reads the fields it is asked for out of a serialized ROS 2 message (XCDR1, as every ROS 2 RMW sends it).

So that a 6 MB image is never turned into a message object: the payload comes back as a view into the bytes.
Formats: OMG CDR (formal/02-06-51 15.3), alignment counted from behind the four bytes of encapsulation.
"""

from __future__ import annotations

import struct


class CdrError(ValueError):
    """The bytes are no message of the expected type."""


class CdrReader:
    """A cursor over one serialized message.

    Raises:
        CdrError: from every method, where the bytes end early or a length cannot be.
    """

    def __init__(self, data: bytes | bytearray | memoryview):
        self._view = memoryview(data)
        if len(self._view) < 4:
            raise CdrError(f"{len(self._view)} bytes are no serialized message")
        if self._view[0] != 0 or self._view[1] > 1:
            raise CdrError(f"encapsulation {self._view[0]:#04x} {self._view[1]:#04x} is not plain CDR")
        self._order = "<" if self._view[1] == 1 else ">"
        self._at = 4

    def _take(self, code: str, size: int) -> int:
        self._at += -(self._at - 4) % size
        try:
            (value,) = struct.unpack_from(self._order + code, self._view, self._at)
        except struct.error:
            raise CdrError(f"the message ends at byte {len(self._view)}, a field begins at {self._at}") from None
        self._at += size
        return value

    def uint8(self) -> int:
        return self._take("B", 1)

    def int32(self) -> int:
        return self._take("i", 4)

    def uint32(self) -> int:
        return self._take("I", 4)

    def doubles(self, count: int) -> tuple[float, ...]:
        """`count` doubles in a row."""
        if not count:
            return ()
        self._at += -(self._at - 4) % 8
        try:
            values = struct.unpack_from(f"{self._order}{count}d", self._view, self._at)
        except struct.error:
            raise CdrError(f"the message ends at byte {len(self._view)} within {count} doubles") from None
        self._at += 8 * count
        return values

    def bytes(self) -> memoryview:
        """A sequence of octets, as a view (no copy)."""
        length = self.uint32()
        start = self._at
        if length > len(self._view) - start:
            raise CdrError(f"a field of {length} bytes does not fit in the {len(self._view) - start} that are left")
        self._at = start + length
        return self._view[start : self._at]

    def string(self) -> str:
        raw = bytes(self.bytes())
        if not raw.endswith(b"\0"):
            raise CdrError("a string has no terminating zero")
        return raw[:-1].decode("utf-8", errors="replace")

    def time_ns(self) -> int:
        """builtin_interfaces/Time as int nanoseconds."""
        seconds = self.int32()
        return seconds * 1_000_000_000 + self.uint32()


def header_stamp_ns(data: bytes | bytearray | memoryview) -> int:
    """The stamp of a message that begins with std_msgs/Header, without reading further."""
    return CdrReader(data).time_ns()


def header(data: bytes | bytearray | memoryview) -> tuple[int, str]:
    """Stamp (ns) and frame_id of a message that begins with std_msgs/Header, without reading further."""
    reader = CdrReader(data)
    return reader.time_ns(), reader.string()
