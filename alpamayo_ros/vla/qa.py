"""Questions about the images, answered by the VLM of 1.5 in text. Specification section 3.5."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from alpamayo_ros.vla import decoding, prompt
from alpamayo_ros.vla.inputs import Prompt
from alpamayo_ros.vla.model import Alpamayo
from alpamayo_ros.vla.sampling import Sampler, StopRule
from alpamayo_ros.vla.tokens import Vocabulary


def answer(
    model: Alpamayo,
    vocabulary: Vocabulary,
    given: Prompt,
    patches: torch.Tensor,
    temperature: float = 0.6,
    top_p: float = 0.98,
    max_tokens: int = 256,
    generator: torch.Generator | None = None,
    slice_tokens: int = 8,
) -> Iterator[str]:
    """Decodes an answer in slices, so that a caller can do something more urgent in between.

    The images are read in the first slice, the prompt in the second, then `slice_tokens` tokens a slice.

    Args:
        given: of `inputs.question_prompt`; patches: its images, on the model's device.

    Yields:
        The answer so far, stripped; the last one is the whole answer.
    """
    with torch.inference_mode():
        images = model.encode_images(patches, given.grids)
    yield ""
    with torch.inference_mode():
        state = decoding.prefill(model, given, images)
    yield ""
    ids = vocabulary.ids
    rule = StopRule(1, ids.im_end, ids.pad, None, model.device)
    steps = decoding.decode(model, state, state.kv, Sampler(temperature, top_p, generator=generator), rule, max_tokens)
    tokens: list[int] = []
    while new := _slice(steps, slice_tokens):
        tokens += new
        yield _text(vocabulary, tokens)


def _slice(steps: Iterator[tuple[torch.Tensor, torch.Tensor]], count: int) -> list[int]:
    """Up to `count` further tokens; the inference mode is left between slices, as the caller may be in another."""
    tokens = []
    with torch.inference_mode():
        for column, _ in steps:
            tokens.append(int(column[0]))
            if len(tokens) == count:
                break
    return tokens


def _text(vocabulary: Vocabulary, tokens: list[int]) -> str:
    words = vocabulary.decode(tokens)
    complete = prompt.extract(words, "answer")
    return words.removesuffix("<|im_end|>").strip() if complete is None else complete
