"""From noisy actions and flow time to the expert's input, one vector a waypoint (specification section 2.4)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

from alpamayo_ros.vla.config import ActionInputConfig, ActionSpaceConfig
from alpamayo_ros.vla.unicycle import Scale

_EPS = 1e-5


class FourierFeatures(nn.Module):
    """sqrt(2) [sin, cos] of a number at log-spaced frequencies, in float32.

    The frequencies are a buffer in the weights' dtype: a bfloat16 model was trained with rounded ones. R1 stores
    them in its checkpoint (`stored`), 1.5 makes them again.
    """

    def __init__(self, config: ActionInputConfig, dtype: torch.dtype, stored: bool) -> None:
        super().__init__()
        count = config.fourier_features // 2
        freqs = torch.logspace(0, math.log10(config.max_frequency), count, device="cpu")
        self.register_buffer("freqs", freqs[None].to(dtype), persistent=stored)

    def forward(self, number: torch.Tensor) -> torch.Tensor:
        """(...,) float32 -> (..., features) float32."""
        phase = number[..., None].float() * self.freqs * (2 * math.pi)
        return math.sqrt(2) * torch.cat([phase.sin(), phase.cos()], dim=-1)


class RMSNorm(nn.Module):
    """Normalises in float32, returns to the input's dtype, then scales."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        wide = x.float()
        normed = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + _EPS)
        return normed.to(x.dtype) * self.weight


class Encoder(nn.Module):
    """The trunk; its Sequential's indices are the checkpoint's key names."""

    def __init__(self, features: int, hidden: int, layers: int, out: int) -> None:
        super().__init__()
        modules: list[nn.Module] = []
        for width in [features] + [hidden] * (layers - 1):
            modules += [nn.Linear(width, hidden), nn.SiLU(), RMSNorm(hidden)]
        self.trunk = nn.Sequential(*modules, nn.Linear(hidden, out))


class ActionInput(nn.Module):
    """(B, N, 2) noisy actions and (B, 1, 1) times -> (B, N, D) float32 expert inputs."""

    def __init__(self, config: ActionInputConfig, out: int, dtype: torch.dtype, stored: bool) -> None:
        super().__init__()
        self.sinus = nn.ModuleList(FourierFeatures(config, dtype, stored) for _ in range(2))
        self.timestep_fourier_encoder = FourierFeatures(config, dtype, stored)
        self.encoder = Encoder(3 * config.fourier_features, config.hidden_size, config.layers, out)
        self.norm = nn.LayerNorm(out, eps=_EPS)

    def forward(self, actions: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        batch, waypoints, _ = actions.shape
        times = self.timestep_fourier_encoder(time[..., -1]).expand(batch, waypoints, -1)
        features = torch.cat([self.sinus[0](actions[..., 0]), self.sinus[1](actions[..., 1]), times], dim=-1)
        encoded = self.encoder.trunk(features.flatten(0, 1)).unflatten(0, (batch, waypoints))
        # Layer norm is a float32 operation under CUDA autocast but not under CPU autocast; said outright, the expert's
        # residual stream is float32 on both (section 2.5).
        return F.layer_norm(
            encoded.float(), self.norm.normalized_shape, self.norm.weight.float(), self.norm.bias.float(), _EPS
        )


class ActionStatistics(nn.Module):
    """The action space's normalisation as buffers in the weights' dtype; R1 stores them (`stored`)."""

    def __init__(self, config: ActionSpaceConfig, dtype: torch.dtype, stored: bool) -> None:
        super().__init__()
        for name in ("accel_mean", "accel_std", "curvature_mean", "curvature_std"):
            value = torch.tensor(getattr(config, name), dtype=dtype, device="cpu")
            self.register_buffer(name, value, persistent=stored)

    def scale(self) -> Scale:
        return Scale(*(float(getattr(self, name)) for name in Scale.__dataclass_fields__))
