"""The small model's own tokenizer: byte-level BPE trained on what it reads and says, in the shape of a Qwen one.

Pieces cross spaces, up to three words, so that a sentence of the closed set is a few tokens; a camera label is one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alpamayo_ros.vla import config as vla_config
from alpamayo_ros.vla import prompt, tokens
from alpamayo_ros.world.causes import Decision
from alpamayo_ros.world.scenario import TURN_COMMANDS

from . import small

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SIZE = 256 + 400  # bytes and merges, at most
_PIECE = r"(?:Front [a-z ]*camera: )?frame \d |(?: ?[A-Za-z]+[,.:]?){1,3}|\d|."
SPECIAL = ["endoftext", "im_start", "im_end", "vision_start", "vision_end", "image_pad", "video_pad"]
_WEIGHTS = {"sentence": 8, "command": 8, "label": 12, "prompt": 8}


def corpus() -> list[str]:
    """Every text that the world writes, the more often the more it counts."""
    labels = [f"{name}: frame 0 " for name in prompt.CAMERA_LABELS.values()] + [f"frame {k} " for k in (1, 2, 3)]
    parts = {
        "sentence": [decision.text for decision in Decision],
        "command": list(TURN_COMMANDS.values()),
        "label": labels,
        "prompt": [f"system\n{prompt.SYSTEM}", "\n", "user\n", prompt.INSTRUCTION, "assistant\n"],
    }
    return [text for kind, texts in parts.items() for text in texts for _ in range(_WEIGHTS[kind])]


def train() -> Tokenizer:
    """The base tokenizer, without the tokens that `vla.tokens.extend` adds; the same in every process."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECE), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=SIZE, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=[], show_progress=False
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    tokenizer.add_special_tokens([AddedToken(tokens.token(name), special=True, normalized=False) for name in SPECIAL])
    return tokenizer


def configure(tokenizer: Tokenizer, statistics: dict[str, float]) -> tuple[dict, dict, vla_config.ModelConfig]:
    """(config.json, the base's config.json, what `vla` makes of them) for a trained base tokenizer."""
    count = tokenizer.get_vocab_size(with_added_tokens=True)
    named = ("image_pad", "video_pad", "vision_start", "vision_end")
    base = small.base_config(*(tokenizer.token_to_id(tokens.token(name)) for name in named), count)
    raw = small.raw_config(count, statistics)
    return raw, base, vla_config.parse(raw, base)


def extended(tokenizer: Tokenizer, config: vla_config.ModelConfig) -> tokens.Vocabulary:
    """The model's vocabulary, as the loader makes it; the tokenizer itself is left as it is."""
    from tokenizers import Tokenizer

    return tokens.extend(Tokenizer.from_str(tokenizer.to_str()), config)


def save(tokenizer: Tokenizer, folder: Path) -> None:
    """Writes `tokenizer.json` of the base."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
