"""How weights move: Muon for the matrices inside, AdamW for everything else, and a slow average of all.

Muon: momentum whose singular values are brought near one by a Newton-Schulz iteration (Jordan 2024), scaled to the
size of AdamW's steps (Liu et al. 2025), so that one rate serves both.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn

RATE, WEIGHT_DECAY, MOMENTUM = 2e-3, 0.05, 0.95
WARM_UP_STEPS = 150
AVERAGE = 0.998  # of the average that is kept at a step
_OUTSIDE = ("embed_tokens", "lm_head", "pos_embed", "patch_embed", "action_out_proj", "notes")


class Muon(torch.optim.Optimizer):
    """Steps the matrices of one shape together."""

    def __init__(self, matrices: Iterable[nn.Parameter], lr: float) -> None:
        super().__init__(list(matrices), {"lr": lr})

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            shapes: dict[torch.Size, list[nn.Parameter]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    shapes.setdefault(parameter.shape, []).append(parameter)
            for shape, members in shapes.items():
                self._move(shape, members, group["lr"])

    def _move(self, shape: torch.Size, members: list[nn.Parameter], lr: float) -> None:
        gradients = [parameter.grad for parameter in members]
        momenta = [self.state[p].setdefault("momentum", torch.zeros_like(p)) for p in members]
        torch._foreach_lerp_(momenta, gradients, 1.0 - MOMENTUM)
        ahead = torch._foreach_lerp(gradients, momenta, MOMENTUM)
        turned = orthogonal(torch.stack(ahead)).float() * (0.2 * math.sqrt(max(shape)))
        torch._foreach_mul_(members, 1.0 - lr * WEIGHT_DECAY)
        torch._foreach_add_(members, list(turned.unbind()), alpha=-lr)


def orthogonal(matrices: torch.Tensor) -> torch.Tensor:
    """(K, m, n) -> the same with singular values near one, in bfloat16 on a GPU; a CPU is faster in float32."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrices.bfloat16() if matrices.is_cuda else matrices.float()
    tall = x.shape[1] > x.shape[2]
    x = x.mT if tall else x
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(5):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x


def optimisers(modules: Iterable[nn.Module], fused: bool) -> list[torch.optim.Optimizer]:
    """Muon and AdamW over all parameters of the modules."""
    inside, outside, plain = [], [], []
    for module in modules:
        for name, parameter in module.named_parameters():
            if parameter.dim() < 2:
                plain.append(parameter)
            elif parameter.dim() == 2 and not any(part in name for part in _OUTSIDE) and min(parameter.shape) > 32:
                inside.append(parameter)
            else:
                outside.append(parameter)
    groups = [{"params": outside, "weight_decay": 0.01}, {"params": plain, "weight_decay": 0.0}]
    return [Muon(inside, RATE), torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.97), fused=fused)]


def rate_at(done: float, step: int) -> float:
    """The rate after a share of the planned time, at a step of this run: warm-up, level, then down to nothing."""
    warm = min(1.0, (step + 1) / WARM_UP_STEPS)
    return RATE * warm * min(1.0, max(1.0 - done, 0.0) / 0.7) ** 1.0


@torch.no_grad()
def initialise(model: nn.Module, seed: int) -> None:
    """Weights to begin with: normal, of a deviation that keeps sizes; what adds to the residual stream starts small."""
    generator = torch.Generator(next(model.parameters()).device).manual_seed(seed)
    for name, parameter in model.named_parameters():
        if parameter.dim() < 2:
            parameter.fill_(0.0 if name.endswith("bias") else 1.0)
            continue
        deviation = 0.05 if "embed" in name and "patch" not in name else 0.7 / math.sqrt(parameter[0].numel())
        adds = name.endswith(("o_proj.weight", "down_proj.weight", "attn.proj.weight", "mlp.linear_fc2.weight"))
        small = adds or "lm_head" in name or "action_out_proj" in name
        parameter.normal_(0.0, deviation * (0.3 if small else 1.0), generator=generator)


class Average:
    """A slow average of a module's parameters."""

    def __init__(self, module: nn.Module) -> None:
        self._live = list(module.parameters())
        self.values = [parameter.detach().clone() for parameter in self._live]

    @torch.no_grad()
    def take(self, step: int) -> None:
        keep = min(AVERAGE, (1 + step) / (10 + step))
        torch._foreach_lerp_(self.values, [parameter.detach() for parameter in self._live], 1.0 - keep)

    @torch.no_grad()
    def swap(self) -> None:
        """Exchanges the average with the live weights; called twice, nothing has happened."""
        for value, parameter in zip(self.values, self._live, strict=True):
            kept = parameter.detach().clone()
            parameter.copy_(value)
            value.copy_(kept)
