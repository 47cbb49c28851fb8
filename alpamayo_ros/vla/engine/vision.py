"""The vision encoder for groups of images of one grid, attention packed over the images (specification section 2.1).

Which images share a group does not matter to any of them; what an image's features are does not depend on when it
came. The weights are the model's own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from alpamayo_ros.vla import rotary
from alpamayo_ros.vla.config import ModelConfig
from alpamayo_ros.vla.engine.attend import attend
from alpamayo_ros.vla.engine.graph import Captured


class Vision:
    """Encodes `group` images of one grid at a time.

    Attributes:
        patches: (group x P, 3 t p p) float32, the next images'.
        tokens: of one image, after merging.
    """

    def __init__(
        self,
        visual: nn.Module,
        config: ModelConfig,
        grid: tuple[int, int],
        group: int,
        ops: Any,
        capture: bool,
        pool: object = None,
    ) -> None:
        self._visual, self._ops, self._group = visual, ops, group
        self._heads = config.vision["num_heads"]
        self._taps = list(config.vision["deepstack_visual_indexes"])
        weight = visual.patch_embed.proj.weight
        places = rotary.patch_places(*grid, config.merge_size, config.vision)
        self._cos, self._sin = (torch.from_numpy(part).to(weight.device) for part in (places.cos, places.sin))
        self._places = _position_rows(visual.pos_embed.weight, places.index, places.weight)
        self.tokens = len(places.index) // config.merge_size**2
        self.patches = torch.zeros(
            (group * len(places.index), weight[0].numel()), dtype=torch.float32, device=weight.device
        )
        self._run = Captured(self._encode, capture, pool=pool)

    def encode(self) -> torch.Tensor:
        """(1 + taps, group, T, D) features of the images in `patches`; they are there until the next call."""
        return self._run()

    def _encode(self) -> torch.Tensor:
        visual, ops, heads = self._visual, self._ops, self._heads
        embed, blocks = visual.patch_embed.proj, visual.blocks
        x = F.linear(self.patches.to(embed.weight.dtype), embed.weight.flatten(1), embed.bias)
        x = x + self._places.repeat(self._group, 1)
        tapped, delta = [], None
        for index, block in enumerate(blocks):
            x, h = ops.add_layer_norm(x, delta, block.norm1.weight, block.norm1.bias, block.norm1.eps)
            if index - 1 in self._taps:
                tapped.append(self._merge(visual.deepstack_merger_list[len(tapped)], x))
            qkv = ops.turn_patches(F.linear(h, block.attn.qkv.weight, block.attn.qkv.bias), self._cos, self._sin, heads)
            q, k, v = qkv.unflatten(0, (self._group, -1)).permute(2, 0, 3, 1, 4)
            seen = attend(q, k, v).transpose(1, 2).reshape(len(x), -1)
            delta = F.linear(seen, block.attn.proj.weight, block.attn.proj.bias)
            x, h = ops.add_layer_norm(x, delta, block.norm2.weight, block.norm2.bias, block.norm2.eps)
            up, down = block.mlp.linear_fc1, block.mlp.linear_fc2
            delta = F.linear(ops.linear_gelu(h, up.weight, up.bias), down.weight, down.bias)
        x = x + delta
        if len(blocks) - 1 in self._taps:
            tapped.append(self._merge(visual.deepstack_merger_list[len(tapped)], x))
        features = torch.stack([self._merge(visual.merger, x), *tapped])
        return features.unflatten(1, (self._group, self.tokens))

    @staticmethod
    def _merge(merger: nn.Module, x: torch.Tensor) -> torch.Tensor:
        norm, up, down = merger.norm, merger.linear_fc1, merger.linear_fc2
        x = x.view(-1, norm.normalized_shape[0])
        h = F.layer_norm(x, norm.normalized_shape, norm.weight, norm.bias, norm.eps).view(-1, up.in_features)
        return F.linear(F.gelu(F.linear(h, up.weight, up.bias)), down.weight, down.bias)


def _position_rows(table: torch.Tensor, index: np.ndarray, share: np.ndarray) -> torch.Tensor:
    """(P, D) position embeddings, interpolated in float32."""
    rows = table.detach()[torch.from_numpy(index).to(table.device)]
    return (rows * torch.from_numpy(share).to(table.device, torch.float32)).sum(1).to(table.dtype)
