"""What a tick is said to take, against what it takes."""

import pytest
import torch

from alpamayo_ros.vla import config, memory, released
from alpamayo_ros.vla.errors import InputError


@pytest.fixture(scope="module")
def full():
    return config.parse(released.config("1_5"), released.base())


def estimate(settings, samples):
    return memory.rollout_bytes(settings, 16 * 720, 3086, 256, samples, 2)


def test_a_full_size_tick_is_estimated_between_its_stores_and_the_released_figures(full):
    """Keys in float32 and values in bfloat16 alone are 0.77 GB a sample; the release says 24 GB for one, 40 for 16."""
    stores = 36 * 8 * 128 * (4 + 2) * (3086 + 256 + 64)
    assert stores < estimate(full, 1) < 3e9
    assert 16 * stores < estimate(full, 16) < 18e9


def test_each_sample_adds_the_same(full):
    steps = {estimate(full, n + 1) - estimate(full, n) for n in (1, 5, 20)}
    assert len(steps) == 1 and 0.7e9 < steps.pop() < 1.1e9


def test_what_does_not_fit_is_refused_with_the_numbers():
    memory.check_fits(1, torch.device("cpu"), 1)
    with pytest.raises(InputError, match="samples_memory: 7 samples need about 1000000.0 GB.*cpu has"):
        memory.check_fits(10**15, torch.device("cpu"), 7)
