"""Attention of many queries: PyTorch's, by the fastest kernel for the shape."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

# cuDNN's is twice as fast as flash attention 2 on Hopper; the others are for what it does not take.
_ORDER = [
    SDPBackend.CUDNN_ATTENTION,
    SDPBackend.FLASH_ATTENTION,
    SDPBackend.EFFICIENT_ATTENTION,
    SDPBackend.MATH,
]


def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, causal: bool = False) -> torch.Tensor:
    """(B, H, L, hd) queries over (B, KV, L, hd) keys and values; KV may be a divisor of H."""
    grouped = {"is_causal": causal, "enable_gqa": q.shape[1] != k.shape[1]}
    if q.device.type != "cuda":
        return F.scaled_dot_product_attention(q, k, v, **grouped)
    with sdpa_kernel(_ORDER, set_priority=True):
        return F.scaled_dot_product_attention(q, k, v, **grouped)
