"""The functions of `twins` in Triton, with the shapes' best settings; bfloat16 on CUDA only."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F

from alpamayo_ros.vla.engine.kernels import attention, draw, gemv, rows, stream
from alpamayo_ros.vla.engine.weights import Matrix

# Rows up to which a product is bound by its weights' bytes, so that streaming them beats a library's tiles.
_FEW = 64


@dataclass(frozen=True)
class Tuning:
    """Launch settings of the products, by (rows of the input, columns, rows of the weights)."""

    gemv: dict = field(default_factory=dict)
    stream: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Fused:
    """Attributes:
    pdl: programmatic dependent launch: a kernel's weights are on their way before the kernel before it has ended.
    """

    pdl: bool = True
    tuning: Tuning = field(default_factory=Tuning)

    def norm(self, x, gain, eps):
        return rows.norm(x, gain, eps, self.pdl)

    def add_norm(self, x, delta, gain, eps):
        return rows.add_norm(x, delta, gain, eps, self.pdl)

    def silu_mul(self, x):
        return rows.silu_mul(x)

    def turn_and_keep(self, qkv, q_gain, k_gain, eps, cos, sin, keys, values, first):
        return rows.turn_and_keep(qkv, q_gain, k_gain, eps, cos, sin, keys, values, first)

    def linear(self, x: torch.Tensor, matrix: Matrix) -> torch.Tensor:
        if len(x) == 1:
            return self._gemv(x, matrix)
        if len(x) <= _FEW:
            return self._stream(x, matrix, splits=1)
        if matrix.scale is None:
            return F.linear(x, matrix.weight)
        raise NotImplementedError

    def linear_parts(self, x: torch.Tensor, matrix: Matrix) -> torch.Tensor:
        if 1 < len(x) <= _FEW:
            return self._stream(x, matrix, splits=_splits(*matrix.weight.shape))
        return self.linear(x, matrix)

    def gate_up(self, x: torch.Tensor, matrix: Matrix) -> torch.Tensor:
        if len(x) == 1:
            return self._gemv(x, matrix, gated=True)
        if len(x) <= _FEW:
            return self._stream(x, matrix, gated=True)
        return rows.silu_mul(self.linear(x, matrix))

    def norm_linear(self, x: torch.Tensor, gain: torch.Tensor, eps: float, matrix: Matrix) -> torch.Tensor:
        if len(x) == 1:
            return self._gemv(x, matrix, gain=gain, eps=eps)
        return self.linear(self.norm(x, gain, eps), matrix)

    def norm_gate_up(self, x: torch.Tensor, gain: torch.Tensor, eps: float, matrix: Matrix) -> torch.Tensor:
        if len(x) == 1:
            return self._gemv(x, matrix, gain=gain, eps=eps, gated=True)
        return self.gate_up(self.norm(x, gain, eps), matrix)

    def linear_add(self, x: torch.Tensor, matrix: Matrix, base: torch.Tensor) -> torch.Tensor:
        if len(x) == 1:
            return self._gemv(x, matrix, base=base)
        return base + self.linear(x, matrix)

    def decode_attention(self, *args):
        return attention.decode_attention(*args, pdl=self.pdl)

    def flow_attention(self, *args):
        return attention.flow_attention(*args, pdl=self.pdl)

    draw = staticmethod(draw.draw)
    settle = staticmethod(draw.settle)

    def _gemv(self, x: torch.Tensor, matrix: Matrix, gated: bool = False, **fusions) -> torch.Tensor:
        tuned = self.tuning.gemv.get(tuple(matrix.weight.shape), {})
        return gemv.gemv(x, matrix.weight, matrix.scale, gated=gated, pdl=self.pdl, **fusions, **tuned)

    def _stream(self, x: torch.Tensor, matrix: Matrix, **options) -> torch.Tensor:
        tuned = self.tuning.stream.get((len(x), *matrix.weight.shape), {})
        return stream.stream(x, matrix.weight, matrix.scale, pdl=self.pdl, **(options | tuned))


def _splits(columns: int, size: int) -> int:
    """How many ranges of k make enough programs of 64 columns for 132 multiprocessors."""
    return max(1, min(8, 128 * 64 // columns, size // 512))
