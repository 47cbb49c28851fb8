"""The words of the prompt, to the character, and the reading of what the model answers.

It writes the ChatML text of R1 and 1.5 with the image and history placeholders already expanded. Token ids are
`tokens.py`'s, image sizes `resize.py`'s. No torch. Specification sections 1.8, 3.2 (8) and 3.5.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from alpamayo_ros.vla.config import ModelConfig
from alpamayo_ros.vla.errors import InputError
from alpamayo_ros.vla.tokens import token

SYSTEM = "You are a driving assistant that generates safe and accurate actions."
INSTRUCTION = "output the chain-of-thought reasoning of the driving process, then output the future trajectory."

CAMERA_LABELS = {
    "cross_left": "Front left camera",
    "front_wide": "Front camera",
    "cross_right": "Front right camera",
    "front_tele": "Front telephoto camera",
}


def escape(text: str) -> str:
    """A user's text on one line, in which no token of the vocabulary is a control token any more.

    Every added token of a Qwen3-VL or Alpamayo vocabulary starts with `<` and a character that is no space; a space
    put between them leaves plain words.
    """
    return re.sub(r"<(?=\S)", "< ", " ".join(text.split()))


def driving(config: ModelConfig, image_tokens: Sequence[Sequence[int]], command: str = "") -> str:
    """The prompt of a driving tick.

    Args:
        image_tokens: `image_tokens[c][k]`: how many tokens image k of camera c takes.
        command: navigation text, e.g. "Turn left in 40m"; "" or blanks for none. Only 1.5 has a place for it.

    Raises:
        InputError: `command_not_supported` for a model that takes none.
    """
    history = token("traj_history_start") + config.history.tokens * token("traj_history") + token("traj_history_end")
    return _chat(_images(config, image_tokens) + history + _route(config, command) + INSTRUCTION, token("cot_start"))


def question(config: ModelConfig, image_tokens: Sequence[Sequence[int]], text: str) -> str:
    """The prompt of a question about the images (1.5 only): no history, no instruction.

    Raises:
        InputError: `question_not_supported`, `question_empty`.
    """
    if not config.takes_command:
        raise InputError("question_not_supported", "Alpamayo R1 answers no questions; use a 1.5 checkpoint")
    words = escape(text)
    if not words:
        raise InputError("question_empty", "the question holds no text")
    asked = token("question_start") + words + token("question_end")
    return _chat(_images(config, image_tokens) + asked, token("answer_start"))


def extract(text: str, name: str) -> str | None:
    """What a generated text says between `<|name_start|>` and `<|name_end|>`, stripped; None without an end.

    The start may be absent (it was the end of the prompt); of several starts the last one before the end counts.
    """
    before, found, _ = text.partition(token(f"{name}_end"))
    return before.rpartition(token(f"{name}_start"))[2].strip() if found else None


def _images(config: ModelConfig, image_tokens: Sequence[Sequence[int]]) -> str:
    return "".join(
        _label(config, role, frame) + token("vision_start") + count * token("image_pad") + token("vision_end")
        for role, counts in zip(config.cameras, image_tokens, strict=True)
        for frame, count in enumerate(counts)
    )


def _label(config: ModelConfig, role: str, frame: int) -> str:
    if config.variant == "r1":
        return ""
    return (f"{CAMERA_LABELS[role]}: " if frame == 0 else "") + f"frame {frame} "


def _route(config: ModelConfig, command: str) -> str:
    words = escape(command)
    if not words:
        return ""
    if not config.takes_command:
        raise InputError(
            "command_not_supported", "Alpamayo R1 was trained without navigation text; it takes no command"
        )
    return token("route_start") + words + token("route_end")


def _chat(user: str, prefix: str) -> str:
    """System, user and the beginning of the assistant's turn; it ends exactly at `prefix`."""
    start, end = token("im_start"), token("im_end")
    return f"{start}system\n{SYSTEM}{end}\n{start}user\n{user}{end}\n{start}assistant\n{prefix}"
