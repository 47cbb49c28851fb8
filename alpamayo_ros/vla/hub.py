"""Where a checkpoint's files are: a local folder, or the Hugging Face hub's cache. No torch.

The network is used only where `download` says so, and then as `HF_HUB_OFFLINE` and the hub client's other variables
allow. Whatever fails says what to do.
"""

from __future__ import annotations

import re
from pathlib import Path

from alpamayo_ros.vla import trust
from alpamayo_ros.vla.errors import CheckpointError

LICENCE_NOTE = (
    "Alpamayo's weights are NVIDIA's, under a non-commercial licence: read and accept it on the model's page at "
    "huggingface.co, then run `hf auth login`."
)
_WEIGHTS = ("config.json", "*.safetensors", "*.safetensors.index.json")
_BASE = ("config.json", "tokenizer.json")
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def checkpoint_folder(path_or_hub_id: str, download: bool = False) -> Path:
    """The folder that holds config.json and the weights; its files are checked (`trust`).

    Args:
        download: whether what is neither a folder nor in the hub's cache may be fetched.

    Raises:
        CheckpointError: neither a folder nor a hub id, not here, files that cannot be trusted, or the hub refuses.
    """
    folder = _folder(path_or_hub_id, _WEIGHTS, download)
    if not (folder / "config.json").is_file():
        raise CheckpointError(
            f"{folder} holds no config.json; give the folder of a checkpoint, or its hub id. {LICENCE_NOTE}"
        )
    trust.check(folder)
    return folder


def base_folder(name: str, checkpoint: Path, download: bool = False) -> Path:
    """The folder that holds the base VLM's config.json and tokenizer.json.

    Args:
        name: a path, absolute or relative to the checkpoint, or a hub id.
    """
    local = checkpoint / name
    folder = local if local.is_dir() else _folder(name, _BASE, download)
    if not (folder / "config.json").is_file():
        raise CheckpointError(f"{folder} holds no config.json of the base VLM; set `base` to a folder or hub id of it")
    return folder


def _folder(name: str, patterns: tuple[str, ...], download: bool) -> Path:
    path = Path(name).expanduser()
    if name and path.is_dir():
        return path
    if not _HUB_ID.fullmatch(name) or name.startswith((".", "~")):
        raise CheckpointError(f"there is no folder '{name}', and it is no hub id (owner/name)")
    return _of_the_hub(name, patterns, download)


def _of_the_hub(hub_id: str, patterns: tuple[str, ...], download: bool) -> Path:
    try:
        from huggingface_hub import errors, snapshot_download
    except ImportError as error:
        raise CheckpointError(
            f"'{hub_id}' is no local folder, and huggingface_hub is not installed to find it"
        ) from error
    try:
        return Path(snapshot_download(hub_id, allow_patterns=list(patterns), local_files_only=not download))
    except errors.GatedRepoError as error:
        raise CheckpointError(f"the hub refuses '{hub_id}' without consent. {LICENCE_NOTE}") from error
    except errors.RepositoryNotFoundError as error:
        raise CheckpointError(
            f"the hub knows no model '{hub_id}', or it is private; check the name, and `hf auth login`"
        ) from error
    except errors.LocalEntryNotFoundError as error:
        if download:
            raise _unreachable(hub_id, error) from error
        raise CheckpointError(
            f"'{hub_id}' is neither a folder nor in the local hub cache, and nothing is fetched unasked: run "
            f"`hf download {hub_id}`, or set the policy's parameter `download` to true. {LICENCE_NOTE}"
        ) from error
    except (errors.OfflineModeIsEnabled, errors.HfHubHTTPError, OSError) as error:
        raise _unreachable(hub_id, error) from error


def _unreachable(hub_id: str, error: Exception) -> CheckpointError:
    return CheckpointError(
        f"'{hub_id}' is not in the local hub cache and cannot be fetched ({type(error).__name__}: {error}). "
        f"With a network, unset HF_HUB_OFFLINE and run `hf download {hub_id}`; or give a local folder."
    )
