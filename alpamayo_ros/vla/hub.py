"""Where a checkpoint's files are: a local folder, or the Hugging Face hub's cache. No torch.

`HF_HUB_OFFLINE` and the hub's other variables are the hub client's own. Whatever fails says what to do.
"""

from __future__ import annotations

import re
from pathlib import Path

from alpamayo_ros.vla.errors import CheckpointError

LICENCE_NOTE = (
    "Alpamayo's weights are NVIDIA's, under a non-commercial licence: read and accept it on the model's page at "
    "huggingface.co, then run `hf auth login`."
)
_WEIGHTS = ("config.json", "*.safetensors", "*.safetensors.index.json")
_BASE = ("config.json", "tokenizer.json")
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def checkpoint_folder(path_or_hub_id: str) -> Path:
    """The folder that holds config.json and the weights, downloaded where needed.

    Raises:
        CheckpointError: neither a folder nor a hub id, or the hub refuses.
    """
    folder = _folder(path_or_hub_id, _WEIGHTS)
    if not (folder / "config.json").is_file():
        raise CheckpointError(
            f"{folder} holds no config.json; give the folder of a checkpoint, or its hub id. {LICENCE_NOTE}"
        )
    return folder


def base_folder(name: str, checkpoint: Path) -> Path:
    """The folder that holds the base VLM's config.json and tokenizer.json.

    Args:
        name: a path, absolute or relative to the checkpoint, or a hub id.
    """
    local = checkpoint / name
    folder = local if local.is_dir() else _folder(name, _BASE)
    if not (folder / "config.json").is_file():
        raise CheckpointError(f"{folder} holds no config.json of the base VLM; set `base` to a folder or hub id of it")
    return folder


def _folder(name: str, patterns: tuple[str, ...]) -> Path:
    path = Path(name).expanduser()
    if name and path.is_dir():
        return path
    if not _HUB_ID.fullmatch(name) or name.startswith((".", "~")):
        raise CheckpointError(f"there is no folder '{name}', and it is no hub id (owner/name)")
    return _download(name, patterns)


def _download(hub_id: str, patterns: tuple[str, ...]) -> Path:
    try:
        from huggingface_hub import errors, snapshot_download
    except ImportError as error:
        raise CheckpointError(
            f"'{hub_id}' is no local folder, and huggingface_hub is not installed to fetch it"
        ) from error
    try:
        return Path(snapshot_download(hub_id, allow_patterns=list(patterns)))
    except errors.GatedRepoError as error:
        raise CheckpointError(f"the hub refuses '{hub_id}' without consent. {LICENCE_NOTE}") from error
    except errors.RepositoryNotFoundError as error:
        raise CheckpointError(
            f"the hub knows no model '{hub_id}', or it is private; check the name, and `hf auth login`"
        ) from error
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled, errors.HfHubHTTPError, OSError) as error:
        raise CheckpointError(
            f"'{hub_id}' is not in the local hub cache and cannot be fetched ({type(error).__name__}: {error}). "
            f"With a network, unset HF_HUB_OFFLINE and run `hf download {hub_id}`; or give a local folder."
        ) from error
