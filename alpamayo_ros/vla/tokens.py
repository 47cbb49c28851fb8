"""The vocabulary: a base Qwen3-VL tokenizer extended by trajectory and special tokens, and the history tokenizer.

Built with the `tokenizers` library alone (no torch, no transformers), so every runtime of the model shares it. It
knows ids and strings; what a prompt says is `prompt.py`'s. Specification sections 1.5 and 1.7.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from alpamayo_ros.vla.config import HistoryConfig, ModelConfig
from alpamayo_ros.vla.errors import CheckpointError, InputError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# Texts whose ids are kept: prompts of a few commands and questions.
KEPT_TEXTS = 8

# The special tokens in the order in which they get their ids; `image_pad` exists in the base and gets none. The names
# in brackets are unused by the released models; 1.5 calls them `_padding_0` ... `_padding_8`.
_SPECIAL = [
    *("prompt_start", "prompt_end", "image_start", "[image_pre_tkn]", "image_end"),
    *("traj_history_start", "[traj_history_pre_tkn]", "traj_history_end", "cot_start", "cot_end"),
    *("[meta_action_start]", "[meta_action_end]"),
    *("traj_future_start", "[traj_future_pre_tkn]", "traj_future_end", "traj_history", "traj_future", "image_pad"),
    *("[vectorized_wm]", "[vectorized_wm_start]", "[vectorized_wm_end]", "[vectorized_wm_pre_tkn]"),
    *("route_start", "route_pad", "route_end", "question_start", "question_end", "answer_start", "answer_end"),
]

# config.json's names of six of them.
_CONFIG_NAMES = {
    "history": "traj_history",
    "future": "traj_future",
    "history_start": "traj_history_start",
    "future_start": "traj_future_start",
    "history_end": "traj_history_end",
    "future_end": "traj_future_end",
}


def special_names(variant: str) -> list[str]:
    """The special tokens' names in id order, without `<|` and `|>`."""
    names = []
    unused = 0
    for name in _SPECIAL:
        if not name.startswith("["):
            names.append(name)
        elif variant == "1_5":
            names.append(f"_padding_{unused}")
            unused += 1
        else:
            names.append(name[1:-1])
    return names


def token(name: str) -> str:
    """`cot_end` -> `<|cot_end|>`."""
    return f"<|{name}|>"


@dataclass(frozen=True)
class TokenIds:
    """The ids that the model's own code looks at."""

    im_end: int
    pad: int
    history: int
    future_start: int


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """Text to ids and back."""

    tokenizer: Tokenizer
    ids: TokenIds
    _encoded: dict[str, np.ndarray] = field(default_factory=dict, repr=False)

    def encode(self, text: str) -> np.ndarray:
        """Token ids of a rendered prompt, (L,) int64, read-only; special tokens in the text become their ids.

        A drive says the same again and again, and three thousand tokens take ten milliseconds: the last few are kept.
        """
        if text not in self._encoded:
            if len(self._encoded) >= KEPT_TEXTS:
                del self._encoded[next(iter(self._encoded))]
            ids = np.array(self.tokenizer.encode(text, add_special_tokens=False).ids, dtype=np.int64)
            ids.flags.writeable = False
            self._encoded[text] = ids
        return self._encoded[text]

    def decode(self, ids: np.ndarray) -> str:
        """The text of token ids, special tokens spelled out."""
        return self.tokenizer.decode([int(i) for i in ids], skip_special_tokens=False)

    def id(self, name: str) -> int:
        """The id of `<|name|>`."""
        return _id(self.tokenizer, token(name))


def extend(base: Tokenizer, config: ModelConfig) -> Vocabulary:
    """The base tokenizer with the trajectory and the special tokens added; the base object is changed.

    Raises:
        CheckpointError: the ids that come out are not those of `config.json`.
    """
    from tokenizers import AddedToken

    length = base.get_vocab_size(with_added_tokens=True)
    if length != config.trajectory_start:
        raise CheckpointError(
            f"the base tokenizer has {length} entries, but config.json puts <i0> at {config.trajectory_start}; "
            f"it must be the tokenizer of '{config.base_name}'"
        )
    base.add_tokens([AddedToken(f"<i{k}>", normalized=True) for k in range(config.trajectory_tokens)])
    base.add_special_tokens([token(name) for name in special_names(config.variant)])
    _check(base, config)
    return Vocabulary(base, _token_ids(base))


def read(folder: Path, config: ModelConfig) -> Vocabulary:
    """Reads `tokenizer.json` of the base VLM in `folder`, and extends it."""
    from tokenizers import Tokenizer

    path = folder / "tokenizer.json"
    if not path.is_file():
        raise CheckpointError(f"{path} is missing; the tokenizer of the base VLM '{config.base_name}' is needed")
    return extend(Tokenizer.from_file(str(path)), config)


def _id(tokenizer: Tokenizer, text: str) -> int:
    found = tokenizer.token_to_id(text)
    if found is None:
        raise CheckpointError(f"the base tokenizer has no token '{text}'; it must be a Qwen3-VL tokenizer")
    return found


def _token_ids(tokenizer: Tokenizer) -> TokenIds:
    return TokenIds(
        im_end=_id(tokenizer, "<|im_end|>"),
        pad=_id(tokenizer, "<|endoftext|>"),
        history=_id(tokenizer, "<|traj_history|>"),
        future_start=_id(tokenizer, "<|traj_future_start|>"),
    )


def _check(tokenizer: Tokenizer, config: ModelConfig) -> None:
    wrong = []
    length = tokenizer.get_vocab_size(with_added_tokens=True)
    if length != config.vocab_size:
        wrong.append(f"vocab_size: tokenizer {length}, config.json {config.vocab_size}")
    for name, expected in config.trajectory_ids.items():
        found = _id(tokenizer, token(_CONFIG_NAMES[name])) if name in _CONFIG_NAMES else None
        if found != expected:
            wrong.append(f"traj_token_ids.{name}: tokenizer {found}, config.json {expected}")
    image_pad = _id(tokenizer, "<|image_pad|>")
    if image_pad != config.image_token:
        wrong.append(f"image_token_id: tokenizer {image_pad}, base config.json {config.image_token}")
    if wrong:
        raise CheckpointError("the extended tokenizer does not fit config.json: " + "; ".join(wrong))


def history_bins(xyz: np.ndarray, config: HistoryConfig) -> np.ndarray:
    """Positions -> bins of their steps, step-major and axis-minor (section 1.5).

    Args:
        xyz: (K, 3) metres, ego frame of t0, oldest first.

    Returns:
        (3 K,) int64 in [0, bins). The first step is the oldest position itself, measured from zero.
    """
    # float32 as in training: a step on the edge between two bins must fall on the same side.
    points = np.concatenate([np.zeros((1, 3), np.float32), np.asarray(xyz, dtype=np.float32)])
    low, high = np.asarray(config.low, dtype=np.float32), np.asarray(config.high, dtype=np.float32)
    scaled = (np.diff(points, axis=0) - low) / (high - low) * np.float32(config.bins - 1)
    return np.clip(np.rint(scaled), 0, config.bins - 1).astype(np.int64).reshape(-1)


def fuse_history(ids: np.ndarray, xyz: np.ndarray, config: ModelConfig, placeholder: int) -> np.ndarray:
    """Puts the history's tokens in the place of the placeholders of a prompt, in order; a new (L,) array."""
    tokens = history_bins(xyz, config.history) + config.history_start
    places = np.flatnonzero(ids == placeholder)
    if len(places) != len(tokens):
        raise InputError("history_tokens", f"the prompt has {len(places)} places for {len(tokens)} history tokens")
    fused = ids.copy()
    fused[places] = tokens
    return fused
