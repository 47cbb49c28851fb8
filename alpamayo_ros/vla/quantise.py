"""Weights in eight bits: one scale a row, the row's largest magnitude at the format's end.

    W[n, k] ~ scale[n] Q[n, k],    scale[n] = max_k |W[n, k]| / largest       Q in float8 e4m3 or int8

What is quantised are the linears of the language model's and the expert's layers; embedding, heads, norms and the
vision encoder stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import nn

FORMATS = {"fp8": torch.float8_e4m3fn, "int8": torch.int8}
_LARGEST = {torch.float8_e4m3fn: 448.0, torch.int8: 127.0}


def rows(x: torch.Tensor, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """(N, K) -> the same in eight bits and (N,) float32 scales; a row of zeros stays one."""
    largest = _LARGEST[dtype]
    scale = x.abs().amax(1).float().clamp(min=1e-12) / largest
    scaled = x.float() / scale[:, None]
    if dtype == torch.int8:
        scaled = scaled.round_()
    return scaled.clamp_(-largest, largest).to(dtype), scale


def is_quantised(tensor: torch.Tensor) -> bool:
    return tensor.dtype in _LARGEST


class QuantisedLinear(nn.Module):
    """A linear without bias whose weights are held in eight bits alone.

    Attributes:
        weight: (N, K) in eight bits; scale: (N,) float32.
    """

    def __init__(self, shape: torch.Size, kind: str, dtype: torch.dtype, device: torch.device | str) -> None:
        super().__init__()
        self._dtype = dtype
        weight = torch.empty(shape, dtype=FORMATS[kind], device=device)
        scale = torch.empty(shape[0], dtype=torch.float32, device=device)
        self.weight, self.scale = (nn.Parameter(part, requires_grad=False) for part in (weight, scale))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.linear(x, self.weight.to(self._dtype))
        return (y * self.scale).to(y.dtype)

    @torch.no_grad()
    def take(self, weight: torch.Tensor) -> None:
        """Quantises (N, K) weights into its own."""
        quantised, scale = rows(weight, self.weight.dtype)
        self.weight.copy_(quantised)
        self.scale.copy_(scale)


def shrink(model: nn.Module, kind: str) -> None:
    """Lets an `Alpamayo` on the meta device hold its layers' linears quantised."""
    for stack in (model.vlm.model.language_model, model.expert):
        for layer in stack.layers:
            for parent in (layer.self_attn, layer.mlp):
                for name, child in list(parent.named_children()):
                    if isinstance(child, nn.Linear):
                        setattr(parent, name, QuantisedLinear(child.weight.shape, kind, model.dtype, "meta"))


def linears(model: nn.Module) -> Iterator[tuple[str, QuantisedLinear]]:
    """Name and module of what is held quantised."""
    return ((name, module) for name, module in model.named_modules() if isinstance(module, QuantisedLinear))
