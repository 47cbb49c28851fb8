"""Flow matching over actions: the field around one set of keys and values, and the Euler steps through it.

Specification sections 2.6 and 2.7.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from alpamayo_ros.vla.kv import KeyValues
from alpamayo_ros.vla.model import Alpamayo

# (B, N, 2) noisy actions and (B, 1, 1) times -> (B, N, 2) velocities.
Velocity = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True, eq=False)
class Field:
    """The velocity that the expert sees after what was said."""

    model: Alpamayo
    kv: KeyValues
    positions: torch.Tensor
    mask: torch.Tensor

    def __call__(self, actions: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        return self.model.velocity(actions, time, self.positions, self.mask, self.kv)


def field(model: Alpamayo, kv: KeyValues, offsets: torch.Tensor, rope_delta: int) -> Field:
    """The field after rows of unequal length.

    Args:
        kv: keys and values of prompt and tokens, padding and surplus included.
        offsets: (rows,) int64 index right after each row's end. Actions take the positions from there, and see
            nothing that `kv` holds from there on; they see each other.
        rope_delta: of the prompt that `kv` begins with.
    """
    waypoints = model.config.action_space.n_waypoints
    steps = torch.arange(waypoints, device=offsets.device)
    positions = (offsets[:, None] + rope_delta + steps).expand(3, -1, -1)
    columns = torch.arange(kv.length + waypoints, device=offsets.device)
    closed = (columns >= offsets[:, None]) & (columns < kv.length)
    mask = torch.zeros(closed.shape, dtype=torch.float32, device=offsets.device)
    mask = mask.masked_fill(closed, torch.finfo(torch.float32).min)
    return Field(model, kv, positions, mask[:, None, None].expand(-1, 1, waypoints, -1))


def row_offsets(length: int, tokens: torch.Tensor, stops: torch.Tensor) -> torch.Tensor:
    """(rows,) index right after each row's stop; after everything for a row without one (section 2.6).

    Args:
        length: of the prompt; tokens: (rows, steps) after it; stops: (rows,) index into them, -1 where there is none.
    """
    return length + torch.where(stops >= 0, stops + 1, tokens.shape[1])


def guided(conditional: Velocity, unconditional: Velocity, weight: float) -> Velocity:
    """Classifier-free guidance: (1 - w) times the unconditional velocity plus w times the conditional one."""
    return lambda x, t: (1 - weight) * unconditional(x, t) + weight * conditional(x, t)


def integrate(
    velocity: Velocity, noise: torch.Tensor, steps: int, path: Sequence[torch.Tensor] = ()
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Euler steps of equal length from noise (t = 0) to actions (t = 1), in float32.

    Args:
        noise: (B, N, 2) float32.
        path: velocities recorded elsewhere; the first steps are taken along them instead of the computed ones.

    Returns:
        (B, N, 2) float32 actions, and the velocity computed at each step.
    """
    times = torch.linspace(0, 1, steps + 1, device=noise.device)
    x, velocities = noise, []
    for step, (start, end) in enumerate(zip(times[:-1], times[1:], strict=True)):
        v = velocity(x, start.expand(len(x), 1, 1))
        velocities.append(v)
        # The step as a (B, 1, 1) tensor makes the product float32 also where the velocity is bfloat16.
        x = x + (end - start).expand(len(x), 1, 1) * (path[step] if step < len(path) else v)
    return x, velocities
