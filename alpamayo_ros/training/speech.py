"""The model asked by many drives at once: greedy words and several actions for each, in few passes.

Same numbers as a rollout of each by itself at temperature 0 with the same noise, up to the order of additions; a
test compares them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from alpamayo_ros.vla import flow
from alpamayo_ros.vla.model import Alpamayo
from alpamayo_ros.vla.prompt import extract
from alpamayo_ros.vla.tokens import Vocabulary

from . import forward
from .layout import Layout

MOST_WORDS = 24


@dataclass(frozen=True, eq=False)
class Answer:
    """For one drive: the sentence, and (S, N, 2) actions in m/s^2 and 1/m."""

    text: str
    actions: np.ndarray


class Speaker:
    """A model, its vocabulary and layout, ready for batches."""

    def __init__(self, model: Alpamayo, vocabulary: Vocabulary, layout: Layout) -> None:
        self.model, self._vocabulary, self._layout = model, vocabulary, layout
        self._fixed = forward.fix(model.config, layout, model.device)
        space = model.config.action_space
        self._mean = np.array([space.accel_mean, space.curvature_mean])
        self._std = np.array([space.accel_std, space.curvature_std])

    @torch.inference_mode()
    def __call__(
        self, frames: torch.Tensor, history: torch.Tensor, commands: np.ndarray, noise: torch.Tensor
    ) -> list[Answer]:
        """Answers B drives.

        Args:
            frames: (B, 16, H, W, 3) uint8 in the prompt's order; history: (B, 48) token ids; both on the device.
            commands: (B,) indices of `layout.COMMANDS`.
            noise: (B, S, N, 2).
        """
        model, layout = self.model, self._layout
        rows, device = len(frames), model.device
        merged, taps = forward.see(model, self._fixed, frames.flatten(0, 1))
        images, taps = merged.reshape(rows, -1, merged.shape[-1]), [t.reshape(rows, -1, t.shape[-1]) for t in taps]
        ids = torch.from_numpy(layout.ids[commands, 0]).to(device)
        ids[:, torch.from_numpy(layout.history).to(device)] = history
        # The longest prompt's length for all; what lies behind a row's own prompt is written over, or never seen.
        length = int(layout.prompts.max())
        kept = forward.Causal()
        hidden = forward.read(model, self._fixed, ids[:, :length], images, taps, kept)
        lengths = torch.from_numpy(layout.prompts[commands]).to(device)
        words, ends, keys, values = self._speak(hidden[torch.arange(rows, device=device), lengths - 1], lengths, kept)

        def velocity(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            draws, times = x.view(noise.shape), t.view(noise.shape[:2])
            return forward.velocities(model, self._fixed, keys, values, ends, draws, times).flatten(0, 1)

        actions, _ = flow.integrate(velocity, noise.flatten(0, 1), model.config.flow_steps)
        physical = actions.view(noise.shape).cpu().numpy() * self._std + self._mean
        return [Answer(self._text(row), action) for row, action in zip(words.cpu().numpy(), physical, strict=True)]

    def _speak(
        self, hidden: torch.Tensor, lengths: torch.Tensor, kept: forward.Causal
    ) -> tuple[torch.Tensor, torch.Tensor, list[torch.Tensor], list[torch.Tensor]]:
        """(B, W) tokens, (B,) places right after the stop, and keys and values with room for the words."""
        model, ids = self.model, self._vocabulary.ids
        rows, device = len(hidden), hidden.device
        keys, values = ([F.pad(part, (0, 0, 0, MOST_WORDS + 1)) for part in each] for each in (kept.keys, kept.values))
        columns, row = torch.arange(keys[0].shape[2], device=device), torch.arange(rows, device=device)
        start, config = model.config.trajectory_start, model.config
        said, stopped = [], torch.zeros(rows, dtype=torch.bool, device=device)
        ends = lengths + MOST_WORDS
        for step in range(MOST_WORDS):
            logits = model.vlm.lm_head(hidden).float()
            logits[:, start : start + config.trajectory_tokens] = -torch.inf
            chosen = logits.argmax(-1)
            said.append(torch.where(stopped, ids.pad, chosen))
            place = lengths + step
            mask = (columns <= place[:, None])[:, None, None]
            x = model.vlm.model.language_model.embed_tokens(chosen)[:, None].float()
            attend = _Writing(keys, values, row, place, mask)
            hidden = forward.walk(
                model.vlm.model.language_model, x, forward.positions_at(self._fixed, place[:, None]), attend
            )[:, 0]
            now = ~stopped & (chosen == ids.future_start)
            ends = torch.where(now, place + 1, ends)
            stopped |= now
            if bool(stopped.all()):
                break
        return torch.stack(said, dim=1), ends, keys, values

    def _text(self, words: np.ndarray) -> str:
        text = self._vocabulary.decode(words)
        return extract(text, "cot") or text


class _Writing:
    """Attention of one token a row that is written to its row's own place."""

    def __init__(
        self, keys: list[torch.Tensor], values: list[torch.Tensor], row: torch.Tensor, place: torch.Tensor,
        mask: torch.Tensor,
    ) -> None:  # fmt: skip
        self._keys, self._values, self._row, self._place, self._mask = keys, values, row, place, mask

    def __call__(self, layer: int, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        keys, values = self._keys[layer], self._values[layer]
        keys[self._row, :, self._place] = k[:, :, 0].to(keys.dtype)
        values[self._row, :, self._place] = v[:, :, 0].to(values.dtype)
        groups = q.shape[1] // keys.shape[1]
        return F.scaled_dot_product_attention(
            q, keys.repeat_interleave(groups, dim=1).to(q.dtype), values.repeat_interleave(groups, dim=1).to(q.dtype),
            attn_mask=self._mask,
        )  # fmt: skip
