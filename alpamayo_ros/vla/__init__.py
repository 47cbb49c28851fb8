"""The Alpamayo model (R1 and 1.5) in PyTorch, and its torch-free parts.

`load` is the way in. Files that are numpy only (config, headers, reading, tokens, prompt, positions, resize, unicycle,
inputs, outcome) may be imported where there is no torch; nothing outside this folder imports the others at module
level. It knows nothing of ROS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alpamayo_ros.vla.checkpoint import Loaded


def load(
    path_or_hub_id: str,
    device: str = "cpu",
    dtype: str | None = None,
    attention: str = "sdpa",
    base: str | None = None,
    weights: str | None = None,
    download: bool = False,
) -> Loaded:
    """Loads a released checkpoint; see `alpamayo_ros.vla.checkpoint.load`."""
    from alpamayo_ros.vla import checkpoint

    return checkpoint.load(path_or_hub_id, device, dtype, attention, base, weights, download)
