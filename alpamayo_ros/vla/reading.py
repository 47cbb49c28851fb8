"""What a checkpoint folder says beside its weights: configuration and vocabulary. No torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from alpamayo_ros.vla import config, hub, tokens
from alpamayo_ros.vla.errors import CheckpointError


def settings(
    folder: Path, base: str | None = None, download: bool = False
) -> tuple[config.ModelConfig, tokens.Vocabulary]:
    """A checkpoint's configuration and vocabulary, without its weights; `download` allows to fetch the base's."""
    raw = _read_json(folder / "config.json")
    if "vlm_name_or_path" not in raw and base is None:
        raise CheckpointError(f"{folder / 'config.json'} has no vlm_name_or_path; give the base VLM as `base`")
    base_folder = hub.base_folder(base or raw["vlm_name_or_path"], folder, download)
    parsed = config.parse(raw, _read_json(base_folder / "config.json"))
    return parsed, tokens.read(base_folder, parsed)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text())
    except ValueError as error:
        raise CheckpointError(f"{path} is no valid JSON ({error}); download it again") from error
