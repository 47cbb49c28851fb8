"""From an observation to what the model reads: the checked, tokenised prompt. No torch.

Every refusal here comes before the device is touched, as an `InputError` with a name. Pixels are `pixels.py`'s.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from alpamayo_ros.checks import check_observation
from alpamayo_ros.contract import Observation
from alpamayo_ros.vla import positions, prompt, resize
from alpamayo_ros.vla.config import ModelConfig
from alpamayo_ros.vla.errors import InputError
from alpamayo_ros.vla.tokens import Vocabulary, fuse_history


@dataclass(frozen=True, eq=False)
class Prompt:
    """A prompt in tokens.

    Attributes:
        unfused_ids: (L,) ids of the rendered text.
        ids: (L,) the same with the history tokens put in.
        positions: (3, L) mRoPE positions.
        rope_delta: the token at index i >= L has position i + rope_delta.
        grids: (N, 3) patches of each image as (t, rows, columns).
    """

    unfused_ids: np.ndarray
    ids: np.ndarray
    positions: np.ndarray
    rope_delta: int
    grids: np.ndarray


def driving_text(config: ModelConfig, observation: Observation, command: str = "") -> str:
    """The rendered prompt of a driving tick, placeholders expanded."""
    return prompt.driving(config, _image_tokens(config, observation), command)


def driving_prompt(config: ModelConfig, vocabulary: Vocabulary, observation: Observation, command: str = "") -> Prompt:
    """The prompt of a driving tick. Call `check` on the observation first."""
    text = driving_text(config, observation, command)
    return assemble(config, vocabulary, text, _grids(config, observation), observation.history_xyz)


def question_prompt(config: ModelConfig, vocabulary: Vocabulary, observation: Observation, text: str) -> Prompt:
    """The prompt of a question about the observation's images."""
    rendered = prompt.question(config, _image_tokens(config, observation), text)
    return assemble(config, vocabulary, rendered, _grids(config, observation), None)


def assemble(
    config: ModelConfig, vocabulary: Vocabulary, text: str, grids: np.ndarray, history_xyz: np.ndarray | None
) -> Prompt:
    """Tokenises a rendered prompt as a whole, puts the history in and lays out the positions."""
    unfused = vocabulary.encode(text)
    ids = unfused.copy() if history_xyz is None else fuse_history(unfused, history_xyz, config, vocabulary.ids.history)
    places, delta = positions.mrope(ids, grids, config.image_token, config.merge_size)
    return Prompt(unfused, ids, places, delta, grids)


def with_history(given: Prompt, config: ModelConfig, vocabulary: Vocabulary, history_xyz: np.ndarray) -> Prompt:
    """The same prompt with another history."""
    return replace(given, ids=fuse_history(given.unfused_ids, history_xyz, config, vocabulary.ids.history))


def frames(observation: Observation) -> list[np.ndarray]:
    """The images in the prompt's order: camera by camera, oldest first."""
    return [image for images in observation.images for image in images]


def check(observation: Observation, config: ModelConfig) -> None:
    """Refuses an observation that is broken, or that the model was not made for.

    Raises:
        InputError: `cameras`, or the name of the broken invariant (`images`, `history`).
    """
    if tuple(observation.cameras) != config.cameras:
        raise InputError("cameras", f"got {tuple(observation.cameras)}, the model takes {config.cameras} in this order")
    broken = check_observation(observation)
    if broken is not None:
        raise InputError(*broken.split(": ", 1))


def check_length(given: Prompt, config: ModelConfig, new_tokens: int, limit: int) -> None:
    """Refuses a prompt that is over `limit` tokens, or leaves no room for `new_tokens` and the actions.

    Raises:
        InputError: `prompt_too_long`.
    """
    length, room = len(given.ids), config.text["max_position_embeddings"]
    if length > limit:
        raise InputError("prompt_too_long", f"{length} tokens, at most {limit}; shorten the text or use smaller frames")
    if length + new_tokens + config.action_space.n_waypoints > room:
        raise InputError("prompt_too_long", f"{length} tokens and {new_tokens} to come exceed the model's {room}")


def _grids(config: ModelConfig, observation: Observation) -> np.ndarray:
    return np.stack([resize.grid(*image.shape[:2], config) for image in frames(observation)])


def _image_tokens(config: ModelConfig, observation: Observation) -> list[list[int]]:
    merge = config.merge_size
    return [
        [positions.image_tokens(resize.grid(*image.shape[:2], config), merge) for image in images]
        for images in observation.images
    ]
