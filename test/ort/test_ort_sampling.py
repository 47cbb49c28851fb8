"""The numpy rules of drawing and of stopping against those of the PyTorch path."""

import numpy as np
import torch
from hypothesis import given, settings, strategies

from alpamayo_ros.ort.sampling import Sampler, StopRule
from alpamayo_ros.vla import sampling as theirs

END, PAD, STOP = 1, 2, 3


def test_zero_temperature_takes_the_likeliest():
    logits = np.random.default_rng(0).standard_normal((4, 50)).astype(np.float32)
    assert np.array_equal(Sampler(0.0, 0.5, np.random.default_rng())(logits), logits.argmax(-1))


@settings(max_examples=40, deadline=None)
@given(strategies.integers(0, 10_000), strategies.floats(0.05, 1.0))
def test_exactly_the_nucleus_is_drawn_from(seed, top_p):
    rng = np.random.default_rng(seed)
    logits = rng.standard_normal((1, 8)).astype(np.float32) * 2
    inside = set(torch.isfinite(theirs._nucleus(torch.from_numpy(logits), top_p))[0].nonzero()[:, 0].tolist())
    drawn = Sampler(1.0, top_p, rng)(np.repeat(logits, 3000, axis=0))
    assert set(drawn.tolist()) <= inside
    share = np.exp(logits[0]) / sum(np.exp(logits[0, k]) for k in inside)
    for token in inside:
        assert abs((drawn == token).mean() - share[token]) < 0.05


@settings(max_examples=200, deadline=None)
@given(strategies.lists(strategies.lists(strategies.integers(0, 5), min_size=3, max_size=3), min_size=1, max_size=12))
def test_rows_and_batch_end_at_the_same_step(columns):
    ours = StopRule(3, END, PAD, STOP)
    reference = theirs.StopRule(3, END, PAD, STOP, torch.device("cpu"))
    for column in columns:
        found, expected = ours.padded(np.array(column)), reference.padded(torch.tensor(column))
        assert found.tolist() == expected.tolist()
        ended = ours.finished(found)
        assert ended == reference.finished(expected)
        if ended:
            return
