"""What is minimised: the answer's cross-entropy, the flow-matching error, and the errors about what was seen.

Flow matching (Lipman et al. 2023; pi0's law of times, model specification section 2.7): at x_t = t a + (1 - t) noise
the expert says a - noise. Its squared error is measured in actions, and, as (1 - t) times it is the error of the
actions that it implies, also in the speeds, headings and places that those lead to: a path is a double integral, and
errors that add up along it should weigh what they cost. Those parts grow only linearly beyond their units, so that a
mistaken decision does not drown the rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from alpamayo_ros.vla.config import ActionSpaceConfig
from alpamayo_ros.vla.model import Alpamayo

from . import forward
from .layout import IGNORED, Layout
from .store import Rows

DRAWS = 4  # noises and times a row
SPEED, HEADING, PLACE, ASIDE = 0.5, 0.03, 1.0, 0.3  # m/s, rad, m along, m aside: where errors begin to be large
WORDS, SEEN = 0.5, 0.3  # weights of the other parts


@dataclass(frozen=True, eq=False)
class Tables:
    """The layout's tables on the device."""

    ids: torch.Tensor
    targets: torch.Tensor
    prompts: torch.Tensor
    ends: torch.Tensor
    history: torch.Tensor
    tail: int

    @staticmethod
    def of(layout: Layout, device: torch.device | str) -> Tables:
        columns = (layout.ids, layout.targets, layout.prompts, layout.ends, layout.history)
        return Tables(*(torch.from_numpy(column).to(device) for column in columns), layout.tail)


class Notes(nn.Module):
    """Says what was seen from the last hidden state of the prompt; it is trained along and then left behind."""

    def __init__(self, width: int, facts: int, numbers: int) -> None:
        super().__init__()
        self.facts, self.numbers = nn.Linear(width, facts), nn.Linear(width, numbers)


class Objective(nn.Module):
    """The whole loss as one module, which can be compiled."""

    def __init__(self, model: Alpamayo, notes: Notes, fixed: forward.Fixed, tables: Tables) -> None:
        super().__init__()
        self.model, self.notes = model, notes
        self._fixed, self._tables = fixed, tables

    def forward(self, rows: Rows, noise: torch.Tensor, times: torch.Tensor) -> dict[str, torch.Tensor]:
        """Scalar parts of the loss, and their sum as `total`; `noise` (B, M, N, 2), `times` (B, M)."""
        model, tables, count = self.model, self._tables, len(rows.frames)
        merged, taps = forward.see(model, self._fixed, rows.frames.flatten(0, 1))
        images, taps = merged.reshape(count, -1, merged.shape[-1]), [t.reshape(count, -1, t.shape[-1]) for t in taps]
        ids = tables.ids[rows.command, rows.decision].index_copy(1, tables.history, rows.history)
        kept = forward.Causal()
        hidden = forward.read(model, self._fixed, ids, images, taps, kept)
        targets = tables.targets[rows.command, rows.decision][:, tables.tail :]
        logits = model.vlm.lm_head(hidden[:, tables.tail :]).float()
        words = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="sum") / count
        ends = tables.ends[rows.command, rows.decision]
        flow = self._flow(rows, kept, ends, noise, times)
        last = hidden[torch.arange(count, device=hidden.device), tables.prompts[rows.command] - 1]
        facts = F.binary_cross_entropy_with_logits(self.notes.facts(last).float(), rows.facts, reduction="none").sum(-1)
        off = F.smooth_l1_loss(self.notes.numbers(last).float(), rows.numbers, reduction="none", beta=0.1)
        seen = (facts + (off * rows.known).sum(-1)).mean()
        correct = ((logits.argmax(-1) == targets) | (targets == IGNORED)).all(1).float().mean()
        return {
            "total": flow["flow"] + WORDS * words + SEEN * seen,
            "words": words,
            "seen": seen,
            "said": correct,
            **flow,
        }

    def _flow(
        self, rows: Rows, kept: forward.Causal, ends: torch.Tensor, noise: torch.Tensor, times: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        space = self.model.config.action_space
        actions = normalised(rows.future, space)[:, None]
        t = times[..., None, None]
        said = forward.velocities(
            self.model, self._fixed, kept.keys, kept.values, ends, t * actions + (1.0 - t) * noise, times
        ).float()
        error = said - (actions - noise)
        plain = error.square().mean()
        implied = (1.0 - t) * error * error.new_tensor([space.accel_std, space.curvature_std])
        speed = (rows.speed[:, None] + space.dt * rows.future[..., 0].cumsum(1)).clamp(min=0.0)[:, None]
        faster = space.dt * implied[..., 0].cumsum(-1)
        heading = space.dt * (implied[..., 1] * speed + rows.future[:, None, :, 1] * faster).cumsum(-1)
        ahead, aside = space.dt * faster.cumsum(-1), space.dt * (heading * speed).cumsum(-1)
        parts = {"speed": faster / SPEED, "heading": heading / HEADING, "place": ahead / PLACE, "aside": aside / ASIDE}
        grown = {name: (torch.sqrt(1.0 + part.square()) - 1.0).mean() for name, part in parts.items()}
        return {"flow": plain + sum(grown.values()), "plain": plain, **grown}


def normalised(future: torch.Tensor, space: ActionSpaceConfig) -> torch.Tensor:
    """Actions in m/s^2 and 1/m -> as the model has them."""
    mean = future.new_tensor([space.accel_mean, space.curvature_mean])
    return (future - mean) / future.new_tensor([space.accel_std, space.curvature_std])


def flow_times(rows: int, generator: torch.Generator) -> torch.Tensor:
    """(rows, DRAWS) times t = 0.999 (1 - u), u ~ Beta(1.5, 1), by inversion: its distribution function is u^1.5."""
    uniform = torch.rand((rows, DRAWS), device=generator.device, generator=generator)
    return 0.999 * (1.0 - uniform ** (1.0 / 1.5))
