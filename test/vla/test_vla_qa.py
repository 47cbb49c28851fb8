"""Answers to questions, in slices."""

import pytest
import torch
from vla.models import prepared

from alpamayo_ros.contract import make_example
from alpamayo_ros.vla import inputs, pixels, qa
from alpamayo_ros.vla.rollout import Forced, Settings, rollout


def asked(loaded, text="What is ahead?"):
    observation = make_example()
    prompt = inputs.question_prompt(loaded.model.config, loaded.vocabulary, observation, text)
    return prompt, pixels.preprocess(inputs.frames(observation), loaded.model.config, "cpu")


def pieces(loaded, **options):
    generator = torch.Generator().manual_seed(0)
    return list(qa.answer(*loaded, *asked(loaded), generator=generator, **options))


def test_slices_grow_into_the_answer(small):
    slices = pieces(small["1_5"], max_tokens=20, slice_tokens=6)
    assert slices[:2] == ["", ""] and len(slices) > 3
    assert slices[-1] == pieces(small["1_5"], max_tokens=20, slice_tokens=20)[-1] != ""


def test_the_size_of_slices_does_not_change_the_answer(small):
    answers = {pieces(small["1_5"], max_tokens=12, slice_tokens=size)[-1] for size in (1, 5, 12, 100)}
    assert len(answers) == 1


def test_trajectory_tokens_are_not_masked_here(small):
    """Only driving masks them (3.5); with these random weights the likeliest token is one."""
    answer = pieces(small["1_5"], max_tokens=4, temperature=0.0)[-1]
    assert "<i" in answer


def test_a_tick_between_slices_changes_neither(small):
    loaded = small["1_5"]
    steps = qa.answer(
        *loaded, *asked(loaded), generator=torch.Generator().manual_seed(0), max_tokens=12, slice_tokens=4
    )
    settings, out = Settings(max_tokens=4), []
    given = prepared(loaded)
    ticks = set()
    for piece in steps:
        out.append(piece)
        result = rollout(*loaded, *given, settings, torch.Generator().manual_seed(1), Forced())
        ticks.add(result.action.tobytes())
    assert out == pieces(loaded, max_tokens=12, slice_tokens=4) and len(ticks) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [("A car.<|answer_end|>x<|im_end|>", "A car."), (" A car.<|im_end|>", "A car."), ("A ca", "A ca")],
)
def test_the_answer_is_what_stands_before_its_end(text, expected, loaded):
    vocabulary = loaded["1_5"].vocabulary
    assert qa._text(vocabulary, vocabulary.encode(text).tolist()) == expected
