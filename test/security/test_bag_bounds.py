"""A damaged or hostile bag cannot make its reader hold more than a bound."""

import struct

import pytest

from alpamayo_ros.replay import salvage


def compressor():
    try:
        from compression import zstd
    except ImportError:
        from backports import zstd
    return zstd


def chunk(data, name=b"zstd"):
    """The body of an MCAP chunk record: times, size, checksum, compression, records."""
    return bytes(28) + struct.pack("<I", len(name)) + name + struct.pack("<Q", len(data)) + data


def test_a_small_chunk_that_grows_is_cut_at_the_bound(monkeypatch):
    monkeypatch.setattr(salvage, "_LARGEST", 1 << 20)
    bomb = compressor().compress(bytes(64 << 20))
    assert len(bomb) < 1 << 14
    assert len(salvage._uncompressed(chunk(bomb))) == 1 << 20
    assert salvage._uncompressed(chunk(compressor().compress(b"abc"))) == b"abc"


@pytest.mark.parametrize("length", [(1 << 30) + 1, (1 << 63) - 1, (1 << 64) - 1])
def test_a_record_that_claims_to_be_enormous_ends_the_reading(tmp_path, length):
    path = tmp_path / "bag.mcap"
    path.write_bytes(b"\x89MCAP0\r\n" + b"\x06" + struct.pack("<Q", length) + bytes(1000))
    assert salvage.WholeMessages(path).connections == []
