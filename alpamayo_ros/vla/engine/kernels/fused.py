"""The functions of `twins` in Triton, with the shapes' best settings; bfloat16 on CUDA only."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F

from alpamayo_ros.vla.engine.kernels import action, attention, gemv, nucleus, patches, rows, stream
from alpamayo_ros.vla.engine.kernels import draw as drawing
from alpamayo_ros.vla.engine.weights import FEW, Matrix


def _gemv(block_n: int, warps: int, block_k: int = 4096) -> dict:
    return {"block_n": block_n, "warps": warps, "block_k": block_k}


def _stream(block_n: int, block_k: int, stages: int, splits: int = 1) -> dict:
    return {"block_n": block_n, "block_k": block_k, "stages": stages, "splits": splits}


# Measured on an H200 by `bench engine_kernels`, for the released sizes; other shapes take the kernels' defaults.
# One token's products, by the weights' (N, K).
_GEMV = {
    (6144, 4096): _gemv(4, 4),
    (4096, 4096): _gemv(8, 8, 2048),
    (24576, 4096): _gemv(2, 4),
    (4096, 12288): _gemv(1, 4),
    (155697, 4096): _gemv(4, 4),
}
# Few rows' products, by (M, N, K); None is the library's.
_STREAM = {
    (64, 4096, 2048): None,
    (64, 2048, 2048): _stream(64, 64, 6, 4),
    (64, 16512, 2048): _stream(64, 64, 6),
    (64, 2048, 8256): _stream(64, 64, 6, 4),
    (6, 6144, 4096): None,
    (6, 4096, 4096): _stream(64, 64, 6, 4),
    (6, 24576, 4096): _stream(64, 64, 4),
    (6, 4096, 12288): _stream(64, 128, 3, 4),
}
# The flow's products that gain by the ring, by (M, N, K); its first one did not.
_RING = {
    (64, 2048, 2048): {"block_n": 64, "splits": 4, "stages": 6, "late": True},
    (64, 16512, 2048): {"block_n": 64, "splits": 1, "stages": 5, "late": False},
    (64, 2048, 8256): {"block_n": 128, "splits": 8, "stages": 5, "late": True},
}
# The flow attention's packed heads, splits and warps, for one sample and for more.
_FLOW_OF_ONE = ((1, 7, 4), (2, 12, 8))
_FLOW_OF_MORE = ((1, 2, 4), (2, 5, 8))


@dataclass(frozen=True)
class Fused:
    """Attributes:
    pdl: programmatic dependent launch: a kernel's weights are on their way before the kernel before it has ended.
    rings: the device could run `ring`: its compute capability is 9.x.
    ring: products of 64 rows go through it, where it is tuned for their shape.
    packed, splits, warps: of `attention.flow_attention`.
    taller: times as many rows of weights a program where they are quantised, for as many bytes on their way.
    as_loaded: multiplies with the weights that the model was loaded with, not with the engine's quantised copies.
    """

    pdl: bool = True
    rings: bool = True
    ring: bool = False
    packed: int = 1
    splits: int = 7
    warps: int = 4
    taller: int = 1
    as_loaded: bool = False

    def ways(self, work: str, rows: int, quantised: bool = False, copies: bool = False) -> list[Fused]:
        """Arrangements for the work of `rows` samples, one of which is the quickest on a device.

        They compute the same; where they split keys or sums differently these round differently.

        Args:
            quantised: whether the weights are; copies: whether they also are there as they were loaded.
        """
        if copies:
            return [*self.ways(work, rows, True), *replace(self, as_loaded=True).ways(work, rows)]
        if work == "decode":
            launches = (True, False) if self.pdl else (False,)
            return [replace(self, taller=t, pdl=pdl) for t in ((2, 1) if quantised else (1,)) for pdl in launches]
        shapes = _FLOW_OF_ONE if rows == 1 else _FLOW_OF_MORE
        found = [replace(self, packed=packed, splits=splits, warps=warps) for packed, splits, warps in shapes]
        return found + [replace(found[0], ring=True)] * (rows == 1 and self.pdl and self.rings and not quantised)

    def norm(self, x, gain, eps):
        return rows.norm(x, gain, eps, self.pdl)

    def add_norm(self, x, delta, gain, eps):
        return rows.add_norm(x, delta, gain, eps, self.pdl)

    def silu_mul(self, x):
        return rows.silu_mul(x)

    def turn_and_keep(self, qkv, q_gain, k_gain, eps, cos, sin, keys, values, first):
        return rows.turn_and_keep(qkv, q_gain, k_gain, eps, cos, sin, keys, values, first)

    def linear(self, x: torch.Tensor | rows.Small, matrix: Matrix) -> torch.Tensor:
        if isinstance(x, rows.Small):
            return self._small_product(x, matrix)
        if len(x) == 1:
            return self._gemv(x, matrix)
        if len(x) <= FEW:
            return self._stream(x, matrix)
        if matrix.scale is None:
            return F.linear(x, matrix.weight)
        if matrix.weight.dtype == torch.int8:
            wide = torch.empty_like(matrix.weight, dtype=x.dtype)
            return F.linear(x, torch.mul(matrix.weight, matrix.scale[:, None], out=wide))
        return self._small_product(rows.quantise(x), matrix)

    def linear_parts(self, x: torch.Tensor | rows.Small, matrix: Matrix) -> torch.Tensor:
        if not isinstance(x, rows.Small) and 1 < len(x) <= FEW:
            return self._stream(x, matrix, parts=True)
        return self.linear(x, matrix)

    def gate_up(self, x: torch.Tensor, matrix: Matrix) -> torch.Tensor | rows.Small:
        if len(x) == 1:
            return self._gemv(x, matrix, gated=True)
        if len(x) <= FEW:
            return self._stream(x, matrix, gated=True)
        if matrix.weight.dtype == torch.float8_e4m3fn:  # what it is multiplied with is quantised as well
            return rows.silu_mul_small(self.linear(x, matrix))
        return rows.silu_mul(self.linear(x, matrix))

    def norm_linear(self, x: torch.Tensor, gain: torch.Tensor, eps: float, matrix: Matrix) -> torch.Tensor:
        if len(x) == 1:
            return self._gemv(x, matrix, gain=gain, eps=eps)
        return self.linear(self.norm(x, gain, eps), matrix)

    def norm_gate_up(
        self, x: torch.Tensor, gain: torch.Tensor, eps: float, matrix: Matrix
    ) -> torch.Tensor | rows.Small:
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
        return attention.flow_attention(*args, pdl=self.pdl, packed=self.packed, splits=self.splits, warps=self.warps)

    def linear_gelu(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        return torch._addmm_activation(bias, x, weight.t(), use_gelu=True)  # one kernel of cuBLASLt

    action_features = staticmethod(action.action_features)
    silu_norm = staticmethod(action.silu_norm)
    wide_layer_norm = staticmethod(action.wide_layer_norm)
    add_layer_norm = staticmethod(patches.add_layer_norm)
    turn_patches = staticmethod(patches.turn_patches)
    edge = staticmethod(nucleus.edge)
    draw = staticmethod(drawing.draw)
    settle = staticmethod(drawing.settle)

    def _gemv(self, x: torch.Tensor, matrix: Matrix, gated: bool = False, **fusions) -> torch.Tensor:
        tuned = dict(_GEMV.get(tuple(matrix.weight.shape), {"block_n": 4}))
        if matrix.scale is not None:
            tuned["block_n"] *= self.taller
        return gemv.gemv(x, matrix.weight, matrix.scale, gated=gated, pdl=self.pdl, **fusions, **tuned)

    def _small_product(self, x: rows.Small, matrix: Matrix) -> torch.Tensor:
        scales = x.scale[:, None], matrix.scale[None]
        return torch._scaled_mm(x.rows, matrix.weight.t(), *scales, out_dtype=torch.bfloat16, use_fast_accum=True)

    def _stream(self, x: torch.Tensor, matrix: Matrix, parts: bool = False, gated: bool = False) -> torch.Tensor:
        shape, whole = (len(x), *matrix.weight.shape), {} if parts else {"splits": 1}
        if self.ring and matrix.scale is None and shape in _RING:
            # Here, as Gluon is not in every Triton whose other kernels run.
            from alpamayo_ros.vla.engine.kernels.ring import ring

            return ring(x, matrix.weight, gated=gated, pdl=self.pdl, **_RING[shape] | whole)
        tuned = _STREAM.get(shape, {"splits": _splits(*shape[1:])})
        if tuned is None and matrix.scale is None:
            return F.linear(x, matrix.weight)
        options = (tuned or {}) | whole
        if matrix.scale is not None and shape[2] % 128 == 0:
            options |= {"block_k": 128, "stages": 4}
        return stream.stream(x, matrix.weight, matrix.scale, gated=gated, **options)


def _splits(columns: int, size: int) -> int:
    """How many ranges of k make enough programs of 64 columns for 132 multiprocessors."""
    return max(1, min(8, 128 * 64 // columns, size // 512))
