"""mRoPE positions of prompts with images."""

import numpy as np
import pytest

from alpamayo_ros.vla import positions
from alpamayo_ros.vla.errors import InputError

PAD = 7


def test_text_alone_counts_on_all_axes():
    places, delta = positions.mrope(np.arange(5), np.zeros((0, 3), dtype=int), PAD, 2)
    assert places.tolist() == 3 * [[0, 1, 2, 3, 4]] and delta == 0


def test_an_image_stands_in_time_and_counts_rows_and_columns():
    ids = np.array([1, 2] + 6 * [PAD] + [3, 4])
    places, delta = positions.mrope(ids, np.array([[1, 4, 6]]), PAD, 2)
    assert places[0].tolist() == [0, 1, 2, 2, 2, 2, 2, 2, 5, 6]
    assert places[1].tolist() == [0, 1, 2, 2, 2, 3, 3, 3, 5, 6]
    assert places[2].tolist() == [0, 1, 2, 3, 4, 2, 3, 4, 5, 6]
    assert delta == 7 - 10


def test_sixteen_full_size_images_are_2592_ahead():
    image = [1] + 180 * [PAD] + [2]
    _, delta = positions.mrope(np.array(16 * image), np.tile([1, 20, 36], (16, 1)), PAD, 2)
    assert delta == -2592


@pytest.mark.parametrize(
    ("ids", "grids"),
    [
        ([1] + 5 * [PAD] + [2], [[1, 4, 6]]),
        ([1] + 7 * [PAD] + [2], [[1, 4, 6]]),
        ([1] + 6 * [PAD] + [2], [[1, 4, 6], [1, 4, 6]]),
        ([1] + 5 * [PAD], [[1, 4, 6]]),
    ],
)
def test_placeholders_that_do_not_fit_the_images_are_refused(ids, grids):
    with pytest.raises(InputError, match="image_tokens"):
        positions.mrope(np.array(ids), np.array(grids), PAD, 2)
