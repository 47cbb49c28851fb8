"""Loads and writes checkpoints in the released layout: config.json and safetensors shards.

`load` checks everything it can before memory is taken: the configuration, the files, every key and shape, the room on
the device. Specification section 4.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from alpamayo_ros.vla import backbone, headers, hub, memory, quantise, reading, shards, tokens
from alpamayo_ros.vla.errors import CheckpointError
from alpamayo_ros.vla.model import Alpamayo, build

_log = logging.getLogger(__name__)

_SHOWN = 6


class Loaded(NamedTuple):
    """A model with its weights, in eval mode, and the vocabulary that belongs to it."""

    model: Alpamayo
    vocabulary: tokens.Vocabulary


def load(
    path_or_hub_id: str,
    device: str = "cpu",
    dtype: str | None = None,
    attention: str = "sdpa",
    base: str | None = None,
    weights: str | None = None,
    download: bool = False,
) -> Loaded:
    """Loads Alpamayo R1 or 1.5.

    Args:
        path_or_hub_id: a checkpoint folder, or "owner/name" on the Hugging Face hub.
        dtype: "bfloat16" or "float32"; None is the checkpoint's own.
        attention: of the VLM: "sdpa", "eager", or "flash_attention_2" where flash-attn is installed.
        base: folder or hub id of the base VLM's config and tokenizer, instead of the one config.json names
            (nvidia/Cosmos-Reason2-8B and Qwen/Qwen3-VL-8B-Instruct are interchangeable).
        weights: "fp8" or "int8" holds the layers' linears so (`quantise`), each quantised as it is read.
        download: whether what is not here may be fetched from the hub.

    Raises:
        CheckpointError: with what to do about it.
    """
    folder = hub.checkpoint_folder(path_or_hub_id, download)
    settings, vocabulary = reading.settings(folder, base, download)
    found = headers.entries(folder)
    target = torch.device(device)
    model = build(settings, dtype or settings.dtype, attention)
    check_tensors(model.state_dict(), found, folder)
    if weights:
        quantise.shrink(model, weights)
    _check_room(model, target, folder)
    _log.info("loading %s (%s, %d tensors) to %s as %s", folder, settings.variant, len(found), target, model.dtype)
    backbone.materialise(model, target)
    shards.stream(found, model.state_dict(), {f"{name}.weight": one for name, one in quantise.linears(model)})
    return Loaded(model.eval(), vocabulary)


def check_tensors(expected: Mapping[str, torch.Tensor], found: Mapping[str, headers.Entry], folder: Path) -> None:
    """Refuses a checkpoint whose keys or shapes are not exactly the model's."""
    problems = [
        *_listed("missing", sorted(set(expected) - set(found))),
        *_listed("unexpected", sorted(set(found) - set(expected))),
        *_listed(
            "of another shape",
            [
                f"{key} (checkpoint {list(found[key].shape)}, model {list(expected[key].shape)})"
                for key in sorted(set(expected) & set(found))
                if found[key].shape != tuple(expected[key].shape)
            ],
        ),
    ]
    if problems:
        raise CheckpointError(
            f"{folder} does not fit its config.json ({len(expected)} tensors expected, {len(found)} found):\n"
            + "\n".join(problems)
        )


def write(
    model: Alpamayo, folder: Path, raw: Mapping[str, Any], base: Mapping[str, Any], max_shard_bytes: int = 5 << 30
) -> None:
    """Writes a model in the released layout; `load` reads it once the tokenizer lies in the base's folder.

    One shard at a time is brought to the host.

    Args:
        raw: config.json; its `vlm_name_or_path` is where `base` is written, relative to `folder`.
        base: the base VLM's config.json.
    """
    from safetensors.torch import save_file

    base_folder = folder / raw["vlm_name_or_path"]
    for place, content in ((folder, raw), (base_folder, base)):
        place.mkdir(parents=True, exist_ok=True)
        (place / "config.json").write_text(json.dumps(content, indent=1))
    groups = _grouped(model.state_dict(), max_shard_bytes)
    weight_map = {}
    for number, group in enumerate(groups, 1):
        name = f"model-{number:05d}-of-{len(groups):05d}.safetensors"
        tensors = {key: tensor.detach().cpu().contiguous() for key, tensor in group.items()}
        save_file(tensors, folder / name, metadata={"format": "pt"})
        weight_map.update(dict.fromkeys(group, name))
        _log.info("wrote %s", folder / name)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))


def _listed(what: str, items: list[str]) -> list[str]:
    """A heading and the items; keys that differ in layer numbers alone are one line with their count."""
    families: dict[str, list[str]] = {}
    for item in items:
        families.setdefault(re.sub(r"\d+", "*", item.split(" (")[0]), []).append(item)
    lines = [
        f"  {members[0]}" + (f"  [{len(members)} like {family}]" if len(members) > 1 else "")
        for family, members in families.items()
    ]
    if len(lines) > _SHOWN:
        lines = [*lines[:_SHOWN], f"  ... and {len(lines) - _SHOWN} more kinds"]
    return [f"{len(items)} {what}:", *lines] if items else []


def _check_room(model: Alpamayo, device: torch.device, folder: Path) -> None:
    needed = sum(
        parameter.numel() * (1 if quantise.is_quantised(parameter) else model.dtype.itemsize)
        for parameter in model.parameters()
    )
    free = memory.free_bytes(device)
    if free is not None and needed > free:
        raise CheckpointError(
            f"{folder} takes {needed / 1e9:.1f} GB as {model.dtype}, and {device} has {free / 1e9:.1f} GB free; "
            "close other programs on it, or use a larger one (the 10B models want 24 GB in bfloat16)"
        )


def _grouped(tensors: Mapping[str, torch.Tensor], limit: int) -> list[dict[str, torch.Tensor]]:
    groups: list[dict[str, torch.Tensor]] = [{}]
    size = 0
    for key, tensor in tensors.items():
        if groups[-1] and size + tensor.nbytes > limit:
            groups.append({})
            size = 0
        groups[-1][key] = tensor
        size += tensor.nbytes
    return groups
