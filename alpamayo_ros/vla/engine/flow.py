"""The flow over the store: the expert's velocity, and all Euler steps as one piece of work (sections 2.4 and 2.7)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from alpamayo_ros.vla.engine import layers
from alpamayo_ros.vla.engine.cache import Store
from alpamayo_ros.vla.engine.weights import Stack
from alpamayo_ros.vla.model import Alpamayo


class Flow:
    """The expert's steps from noise to actions for a fixed number of rows.

    Attributes:
        noise: (R, N, 2) float32, set before a run; counts, starts: (R,) int32 as in `layers.read_waypoints`.
    """

    def __init__(
        self, model: Alpamayo, stack: Stack, ops: Any, store: Store, tables: layers.Tables, rows: int, steps: int
    ) -> None:
        self._model, self._stack, self._ops, self._store, self._tables = model, stack, ops, store, tables
        device, waypoints = model.device, model.config.action_space.n_waypoints
        self.noise = torch.zeros((rows, waypoints, 2), dtype=torch.float32, device=device)
        self.counts = torch.zeros(rows, dtype=torch.int32, device=device)
        self.starts = torch.zeros(rows, dtype=torch.int32, device=device)
        times = torch.linspace(0, 1, steps + 1, device=device)
        self._lengths = (times[1:] - times[:-1]).tolist()
        # The times' features are the same in every tick.
        self._times = model.action_in_proj.timestep_fourier_encoder(times[:-1]).detach()

    def run(self, path: Sequence[torch.Tensor] = ()) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """(R, N, 2) float32 actions and each step's velocity; the first steps are taken along `path`, if given."""
        x, velocities = self.noise, []
        for step, length in enumerate(self._lengths):
            v = self.velocity(x, step)
            velocities.append(v)
            # Product and sum round one after the other, as on the plain path: the input's features are of frequencies
            # that make a thousand last places of one.
            x = x + length * (path[step] if step < len(path) else v).float()
        return x, velocities

    def velocity(self, actions: torch.Tensor, step: int) -> torch.Tensor:
        """(R, N, 2) in the weights' dtype, at the time of a step."""
        rows, waypoints, _ = actions.shape
        x = self._inputs(actions, self._times[step])
        h = layers.read_waypoints(self._ops, self._stack, x, self._tables, self._store, self.counts, self.starts)
        out = self._model.action_out_proj
        return F.linear(h, out.weight, out.bias).unflatten(0, (rows, waypoints))

    def _inputs(self, actions: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        """(R N, D) float32, as `ActionInput` under autocast."""
        part, flat = self._model.action_in_proj, actions.flatten(0, 1)
        first, second = (sinus.freqs.flatten() for sinus in part.sinus)
        x = self._ops.action_features(flat, first, second, time, self._model.dtype)
        *blocks, last = part.encoder.trunk
        for linear, _, norm in zip(blocks[::3], blocks[1::3], blocks[2::3], strict=True):
            x = self._ops.silu_norm(F.linear(x, linear.weight, linear.bias), norm.weight)
        return self._ops.wide_layer_norm(F.linear(x, last.weight, last.bias), part.norm.weight, part.norm.bias)
