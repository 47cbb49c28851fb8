"""Memory for images that is used again, once nobody looks at it."""

import numpy as np

from alpamayo_ros.spare import SIZES, SPARE, SpareArrays


def at(array: np.ndarray) -> int:
    return array.ctypes.data


def test_memory_is_used_again_and_not_before():
    spare = SpareArrays()
    array = spare(10_000)
    first, view = at(array), array[7:9]
    view[:] = 3
    del array
    other = spare(10_000)
    assert at(other) != first, "a view still looks at it"
    assert (view == 3).all()
    del view
    assert at(spare(10_000)) == first


def test_an_array_has_the_size_that_was_asked_for():
    spare = SpareArrays()
    for size in (5, 6, 5):
        array = spare(size)
        assert array.shape == (size,) and array.dtype == np.uint8 and array.flags.writeable


def test_a_burst_and_many_sizes_leave_little_behind():
    spare = SpareArrays()
    burst = [spare(100) for _ in range(3 * SPARE)]
    del burst
    assert len(spare._spare[100]) == SPARE
    for size in range(1, 5 * SIZES):
        spare(size)
    assert len(spare._spare) <= SIZES
