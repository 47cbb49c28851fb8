"""The resize rule, and three ways of the same preprocessing that must give the same bits."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies

from alpamayo_ros.vla import pixels, resize
from alpamayo_ros.vla.errors import InputError

RELEASED = {"factor": 32, "min_pixels": 163840, "max_pixels": 196608}


@pytest.mark.parametrize(
    ("size", "expected"),
    [((1080, 1920), (320, 576)), ((270, 480), (320, 544)), ((1000, 1000), (416, 416)), ((320, 576), (320, 576))],
)
def test_target_sizes(size, expected):
    assert resize.target_size(*size, **RELEASED) == expected


@pytest.mark.parametrize("size", [(0, 10), (10, 0), (3, 601)])
def test_frames_that_cannot_be_resized_are_refused(size):
    with pytest.raises(InputError, match="frame_size"):
        resize.target_size(*size, **RELEASED)


@settings(max_examples=30, deadline=None)
@given(strategies.tuples(*[strategies.integers(5, 300)] * 4), strategies.integers(0, 9))
def test_numpy_and_matrix_products_give_pytorchs_bits(sizes, seed):
    height, width, rows, columns = sizes
    frames = np.random.default_rng(seed).integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    expected = pixels.resized(torch.from_numpy(frames), rows, columns)
    channels_first = torch.from_numpy(frames).permute(0, 3, 1, 2)
    assert np.array_equal(resize.resize(frames, rows, columns), expected.permute(0, 2, 3, 1).numpy())
    # Beyond an eightfold shrink float32 cannot hold the sums exactly; one grey level is what is promised there.
    allowed = 0 if max(height / rows, width / columns) < 8 else 1
    products = pixels.resized_by_products(channels_first, rows, columns)
    assert (products.int() - expected.int()).abs().max() <= allowed


def test_edges_of_black_and_white_do_not_wrap_around():
    frames = np.zeros((1, 64, 64, 3), dtype=np.uint8)
    frames[:, ::7, 1::5] = 255
    exact = pixels.resized(torch.from_numpy(frames), 48, 40)
    assert np.array_equal(resize.resize(frames, 48, 40), exact.permute(0, 2, 3, 1).numpy())
    assert torch.equal(pixels.resized_by_products(torch.from_numpy(frames).permute(0, 3, 1, 2), 48, 40), exact)


def test_patches_of_numpy_and_torch_are_the_same_bits(loaded):
    settings_ = loaded["r1"].model.config
    frames = np.random.default_rng(0).integers(0, 256, (3, 270, 480, 3), dtype=np.uint8)
    ours = pixels.preprocess(list(frames), settings_, "cpu").numpy()
    assert np.array_equal(resize.patches(resize.resize(frames, 320, 544), settings_), ours)


def test_frames_of_two_sizes_keep_their_order(loaded):
    settings_ = loaded["r1"].model.config
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, size, dtype=np.uint8) for size in [(270, 480, 3), (90, 90, 3), (270, 480, 3)]]
    together = pixels.preprocess(frames, settings_, "cpu")
    apart = torch.cat([pixels.preprocess([frame], settings_, "cpu") for frame in frames])
    assert torch.equal(together, apart)


def test_levels_run_from_minus_one_to_one():
    levels = resize.normalised_levels()
    assert levels[0] == -1 and levels[255] == 1 and levels.dtype == np.float32
