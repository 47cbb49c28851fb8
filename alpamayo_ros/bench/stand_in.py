"""A model of the released form that needs no download: random weights, and a tokenizer with the released ids.

For benches and for tests of what does not depend on the weights' values. It speaks noise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from alpamayo_ros.vla import config, released, tokens

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from alpamayo_ros.vla.checkpoint import Loaded

# Qwen3-VL's added tokens in id order, from 151643 to 151668.
_NATIVE = [
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>"),
    *("<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>"),
    *("<|image_pad|>", "<|video_pad|>", "<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>"),
    *("<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>", "<tool_response>", "</tool_response>"),
    *("<think>", "</think>"),
]
_WORDS = 151643


def tokenizer() -> Tokenizer:
    """Bytes as words, fillers up to Qwen3-VL's number of words, then its added tokens at their own ids."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = alphabet + [f"filler{k}" for k in range(_WORDS - len(alphabet))]
    made = Tokenizer(models.BPE({word: k for k, word in enumerate(words)}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(_NATIVE)
    return made


def make(variant: str, tiny: bool, device: str, dtype: str, seed: int = 0, weights: str | None = None) -> Loaded:
    """A model with random weights, made on the device; `weights` as of `vla.load`."""
    from alpamayo_ros.vla.checkpoint import Loaded
    from alpamayo_ros.vla.model import create

    settings = config.parse(released.config(variant, tiny), released.base(tiny))
    vocabulary = tokens.extend(tokenizer(), settings)
    return Loaded(create(settings, device, dtype, seed, weights), vocabulary)
