import pytest

from alpamayo_ros.world.causes import Decision, parse


@pytest.mark.parametrize("decision", Decision)
def test_every_sentence_is_read_back(decision):
    assert parse(decision.text) is decision
    assert parse("  " + decision.text.upper().rstrip(".") + " !") is decision


def test_sentences_are_short_and_all_different():
    assert len({decision.text for decision in Decision}) == len(Decision)
    # A word and its punctuation are at most two tokens of a tokenizer trained on these sentences.
    assert all(len(decision.text.split()) <= 11 for decision in Decision)


@pytest.mark.parametrize(
    "text", ["", "Stop.", "Stop for the red light ahead. Stop.", "Baseline, no model: hold 3 m/s."]
)
def test_anything_else_is_outside_the_set(text):
    assert parse(text) is None
