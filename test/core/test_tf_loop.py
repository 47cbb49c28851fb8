import pytest

from alpamayo_ros.geometry import IDENTITY
from alpamayo_ros.tf_buffer import TransformBuffer, TransformError

MS = 1_000_000


def filled(frames, stamps_ms):
    buffer = TransformBuffer()
    for stamp in stamps_ms:
        for parent, child in frames:
            buffer.set_transform(parent, child, stamp * MS, IDENTITY)
    return buffer


def test_a_loop_is_an_error_as_in_tf2():
    buffer = filled([("map", "odom"), ("odom", "map")], (1000, 1100))
    with pytest.raises(TransformError, match="loop: odom -> map -> odom") as error:
        buffer.lookup("map", "odom", 1050 * MS)
    assert error.value.kind == "LookupException"


def test_a_loop_of_static_transforms_is_an_error():
    buffer = TransformBuffer()
    for parent, child in (("a", "b"), ("b", "c"), ("c", "a")):
        buffer.set_transform(parent, child, 0, IDENTITY, static=True)
    with pytest.raises(TransformError, match="loop"):
        buffer.lookup("a", "c", 0)


def test_a_loop_is_over_when_one_of_its_transforms_is_sent_no_more():
    buffer = filled([("map", "odom"), ("odom", "map")], (1000, 1100))
    for stamp in (1200, 1500, 1700):
        buffer.set_transform("map", "odom", stamp * MS, IDENTITY)
    assert buffer.lookup("map", "odom", 1600 * MS)[1] == 1600 * MS
    assert buffer.lookup("odom", "map", 1600 * MS)[1] == 1600 * MS
