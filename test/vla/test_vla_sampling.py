"""The choice of tokens and the end of a batch, against the rules and against transformers' own processors."""

import pytest
import torch

from alpamayo_ros.vla.sampling import Sampler, StopRule, replay

CPU = torch.device("cpu")
END, PAD, STOP = 1, 0, 9


def logits(rows=4, vocabulary=50, seed=0):
    return 3 * torch.randn(rows, vocabulary, generator=torch.Generator().manual_seed(seed))


def test_temperature_zero_takes_the_likeliest_token_outside_the_mask():
    given = logits()
    masked = range(10, 40)
    given[:, 15] = 100.0
    chosen = Sampler(0.0, 0.98, masked)(given, 0)
    kept = torch.cat([given[:, :10], torch.full((4, 30), -torch.inf), given[:, 40:]], dim=1)
    assert torch.equal(chosen, kept.argmax(-1)) and given[0, 15] == 100.0


def test_masked_tokens_are_never_drawn():
    given = logits(rows=500)
    given[:, 5:45] += 10
    chosen = Sampler(1.0, 1.0, range(5, 45), torch.Generator().manual_seed(0))(given, 0)
    assert not ((chosen >= 5) & (chosen < 45)).any() and len(chosen.unique()) > 3


@pytest.mark.parametrize(("temperature", "top_p"), [(0.6, 0.98), (1.0, 0.5), (2.0, 1.0), (0.6, 0.01), (1.0, 0.0)])
def test_draws_are_those_of_transformers_processors(temperature, top_p):
    from transformers import TemperatureLogitsWarper, TopPLogitsWarper

    given = logits(rows=64)
    scores = TemperatureLogitsWarper(temperature)(None, given)
    if top_p < 1:
        scores = TopPLogitsWarper(top_p)(None, scores)
    expected = torch.multinomial(scores.softmax(-1), 1, generator=torch.Generator().manual_seed(7))[:, 0]
    assert torch.equal(Sampler(temperature, top_p, generator=torch.Generator().manual_seed(7))(given, 0), expected)


def test_replay_gives_the_columns():
    tokens = torch.tensor([[3, 4], [5, 6]])
    assert replay(tokens)(logits(2), 1).tolist() == [4, 6]


def speak(rows, limit=20):
    """Runs a stop rule over rows of tokens; the tokens that come out, step by step."""
    rule, out = StopRule(len(rows), END, PAD, STOP, CPU), []
    for step in range(limit):
        tokens = rule.padded(torch.tensor([row[step] for row in rows]))
        out.append(tokens.tolist())
        if rule.finished(tokens):
            break
    return [list(row) for row in zip(*out, strict=True)]


def test_exactly_one_token_follows_the_last_rows_stop():
    assert speak([[5, STOP, 6, 7, 8, 8], [5, 5, 5, STOP, 6, 6]]) == [[5, STOP, 6, 7, 8], [5, 5, 5, STOP, 6]]


def test_a_stop_repeated_by_one_row_does_not_stand_for_the_other():
    assert speak([[STOP, STOP, STOP, 5], [5, 5, STOP, 6]]) == [[STOP, STOP, STOP, 5], [5, 5, STOP, 6]]


def test_a_row_that_ends_is_padded_and_keeps_the_others_going_to_the_limit():
    assert speak([[5, END, 7, 7, 7], [STOP, 6, 6, 6, 6]], limit=5) == [[5, END, PAD, PAD, PAD], [STOP, 6, 6, 6, 6]]


def test_the_batch_ends_when_every_row_has_ended():
    assert speak([[END, 5, 5], [5, END, 5]]) == [[END, PAD], [5, END]]
