"""How much memory a load or a tick takes, and how much there is: so that too much is refused before it is tried."""

from __future__ import annotations

import torch

from alpamayo_ros.vla.config import ModelConfig
from alpamayo_ros.vla.errors import InputError


def free_bytes(device: torch.device) -> int | None:
    """Memory that can still be had on a device; None where it cannot be known."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    try:
        with open("/proc/meminfo") as lines:
            kib = dict(line.split(":", 1) for line in lines)["MemAvailable"]
    except (OSError, KeyError):
        return None
    return int(kib.split()[0]) * 1024


def rollout_bytes(
    config: ModelConfig, patches: int, prompt_tokens: int, new_tokens: int, samples: int, itemsize: int
) -> int:
    """An estimate, on the high side, of what a tick takes beyond the weights.

    Args:
        patches: patches of all images; prompt_tokens, new_tokens: of one row; itemsize: of the weights' dtype.
    """
    text, vision, expert = config.text, config.vision, config.expert_text
    length = prompt_tokens + new_tokens + config.action_space.n_waypoints
    head = text["head_dim"]
    # Keys become float32 in the flow (section 2.5); one layer's are there twice while they grow, and once more
    # repeated to the expert's query heads.
    per_token = text["num_key_value_heads"] * head * (4 + itemsize)
    repeated = expert["num_attention_heads"] * head * (4 + itemsize)
    rows = samples * length * (per_token * (text["num_hidden_layers"] + 1) + repeated)
    reading = prompt_tokens * (3 * text["intermediate_size"] + 8 * text["hidden_size"]) * max(itemsize, 4)
    seeing = patches * (3 * vision["intermediate_size"] + 8 * vision["hidden_size"]) * max(itemsize, 4)
    choosing = 6 * samples * config.vocab_size * 4
    return rows + max(reading, seeing) + choosing


def check_fits(needed: int, device: torch.device, samples: int) -> None:
    """Refuses a tick that the device cannot hold.

    Raises:
        InputError: `samples_memory`.
    """
    free = free_bytes(device)
    if free is not None and needed > free:
        raise InputError(
            "samples_memory",
            f"{samples} samples need about {needed / 1e9:.1f} GB beyond the weights, and {device} has "
            f"{free / 1e9:.1f} GB free; ask for fewer samples or fewer reasoning tokens",
        )
