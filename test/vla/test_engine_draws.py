"""The engine's draws: their distribution, what they are a function of, and the nucleus's edge."""

import numpy as np
import pytest
import torch

from alpamayo_ros.vla.engine.kernels import twins
from alpamayo_ros.vla.sampling import Sampler

DRAWS = 20_000
# The statistic of a right sampler is above this once in a thousand tables.
RARE = 3.09


def table(seed=0, size=60):
    return 3 * torch.randn(1, size, generator=torch.Generator().manual_seed(seed))


def drawn(logits, seed, count, temperature, top_p, masked=range(0)):
    """(count,) draws of one step for as many samples."""
    rows = logits.expand(count, -1)
    edge = twins.edge(logits, masked, temperature, top_p).expand(count) if top_p < 1 else None
    words = torch.tensor([seed, 7], dtype=torch.int32)
    return twins.draw(rows, edge, words, torch.tensor([0, seed], dtype=torch.int32), masked, temperature)


@pytest.mark.parametrize(("temperature", "top_p"), [(0.6, 0.98), (1.0, 1.0), (1.5, 0.7)])
def test_draws_have_the_plain_samplers_distribution(temperature, top_p):
    """Chi-square against the probabilities that temperature, nucleus and mask leave."""
    logits, masked = table(), range(10, 20)
    counts = np.bincount(drawn(logits, 3, DRAWS, temperature, top_p, masked).numpy(), minlength=60)
    wide = logits.clone()
    wide[:, 10:20] = -torch.inf
    sampler = Sampler(temperature, top_p, masked, torch.Generator().manual_seed(0))
    seen = np.bincount(sampler(logits.expand(DRAWS, -1), 0).numpy(), minlength=60)
    assert counts[10:20].sum() == 0
    ascending, order = (wide / temperature).sort(-1)
    outside = ascending.softmax(-1).cumsum(-1) <= 1 - top_p
    kept = wide.masked_fill(outside.scatter(-1, order, outside), -torch.inf)
    expected = DRAWS * (kept / temperature).softmax(-1)[0].double().numpy()
    assert counts[expected == 0].sum() == 0
    for found in (counts, seen):
        assert deviations(found, expected) < RARE


def deviations(counts, expected):
    """Chi-square in standard deviations of a normal number (Wilson and Hilferty 1931); rare tokens count together."""
    common = expected >= 10
    pairs = [*zip(counts[common], expected[common], strict=True), (counts[~common].sum(), expected[~common].sum())]
    pairs = [(a, b) for a, b in pairs if b > 0]
    freedom = len(pairs) - 1
    chi = sum((a - b) ** 2 / b for a, b in pairs)
    spread = 2 / (9 * freedom)
    return ((chi / freedom) ** (1 / 3) - (1 - spread)) / spread**0.5


def test_verified_steps_are_the_steps_drawn_one_by_one():
    """A draft's logits are read together; each row's draw is the one that its step would have made."""
    logits = torch.cat([table(k) for k in range(9)])
    seed = torch.tensor([5, 6], dtype=torch.int32)
    edge = twins.edge(logits, range(0), 0.6, 0.9)
    together = twins.draw(logits, edge, seed, torch.tensor([0, 77]), range(0), 0.6, verify=True)
    alone = [
        twins.draw(logits[k : k + 1], edge[k : k + 1], seed, torch.tensor([0, k - 1]), range(0), 0.6) for k in range(9)
    ]
    assert together.tolist() == [int(one) for one in alone]


def test_steps_samples_and_seeds_draw_independently():
    """Pairs of draws from one table agree as often as two independent draws do."""
    logits = table(1)
    share = float(logits.softmax(-1).square().sum())
    first = drawn(logits, 1, DRAWS, 1.0, 1.0)
    for other in (drawn(logits, 2, DRAWS, 1.0, 1.0), first.roll(1)):
        agree = float((first == other).double().mean())
        assert abs(agree - share) < 4 * (share * (1 - share) / DRAWS) ** 0.5


def test_philox_is_the_published_generator():
    """Random123's known answers for ten rounds: counter and key zero, and all ones."""
    zero = torch.zeros(1, dtype=torch.int64)
    assert int(twins._philox(torch.zeros(2, dtype=torch.int32), zero, zero, zero)) == 0x6627E8D5


def test_greedy_takes_the_likeliest_token_outside_the_mask():
    logits = table()
    logits[0, 15] = 100.0
    state, seed = torch.tensor([0, 0]), torch.zeros(2, dtype=torch.int32)
    kept = torch.cat([logits[:, :10], torch.full((1, 10), -torch.inf), logits[:, 20:]], dim=1)
    assert int(twins.draw(logits, None, seed, state, range(10, 20), 0.0)) == int(kept.argmax())
