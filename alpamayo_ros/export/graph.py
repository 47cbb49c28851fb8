"""Builds one ONNX graph, operator by operator. It knows no model.

Standard operators of opset 23 only. A weight is an initialiser whose data lies in a safetensors file of the
checkpoint; what is computed from weights alone (casts, transposes, joined projections) the runtime folds when it loads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from alpamayo_ros.vla.headers import Entry

OPSET, IR_VERSION = 23, 11
_DTYPES = {
    "F64": TensorProto.DOUBLE,
    "F32": TensorProto.FLOAT,
    "F16": TensorProto.FLOAT16,
    "BF16": TensorProto.BFLOAT16,
}
_FLOAT, _INT = TensorProto.FLOAT, TensorProto.INT64

Shape = Sequence[int | str]


class Graph:
    """A graph under construction. Values are named by strings.

    Calling it adds a node: `g("MatMul", x, w)` gives the name of the product. Integers, floats and arrays among the
    inputs become constants; None is an optional input left out.
    """

    def __init__(self, name: str, weights: Mapping[str, Entry]) -> None:
        self._name, self._weights = name, weights
        self._nodes: list[onnx.NodeProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._initialisers: dict[str, onnx.TensorProto] = {}
        self._cast: dict[str, str] = {}

    def __call__(self, operator: str, *inputs: str | np.ndarray | float | None, outputs: int = 1, **attributes: Any):
        """Adds a node; its output's name, or the names where there are several."""
        number = len(self._nodes)
        names = [f"{operator}_{number}" + (f"_{k}" if outputs > 1 else "") for k in range(outputs)]
        words = [self._input_name(value) for value in inputs]
        self._nodes.append(helper.make_node(operator, words, names, name=f"{operator}_{number}", **attributes))
        return names[0] if outputs == 1 else tuple(names)

    def weight(self, name: str) -> str:
        """A tensor of the checkpoint, as float32."""
        if name not in self._cast:
            entry = self._weights[name]
            self._initialisers[name] = _external(name, entry)
            self._cast[name] = name if entry.dtype == "F32" else self("Cast", name, to=_FLOAT)
        return self._cast[name]

    def has(self, name: str) -> bool:
        """Whether the checkpoint holds a tensor of this name."""
        return name in self._weights

    def input(self, name: str, shape: Shape, integer: bool = False) -> str:
        self._inputs.append(helper.make_tensor_value_info(name, _INT if integer else _FLOAT, shape))
        return name

    def output(self, name: str, value: str, shape: Shape) -> None:
        """Gives a node's value out under this name (an Identity node would copy it at every run)."""
        for node in self._nodes:
            for words in (node.input, node.output):
                words[:] = [name if word == value else word for word in words]
        self._outputs.append(helper.make_tensor_value_info(name, _FLOAT, shape))

    def save(self, path: Path, metadata: Mapping[str, str]) -> None:
        """Writes the graph beside the checkpoint's files that its weights are in."""
        graph = helper.make_graph(
            self._nodes, self._name, self._inputs, self._outputs, list(self._initialisers.values())
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="alpamayo_ros"
        )
        helper.set_model_props(model, dict(metadata))
        path.write_bytes(model.SerializeToString())

    def _input_name(self, value: str | np.ndarray | float | None) -> str:
        if value is None:
            return ""
        if isinstance(value, str):
            return value
        array = np.asarray(value)
        array = array.astype(np.int64 if array.dtype.kind == "i" else np.float32)
        key = f"constant_{array.dtype}_{array.shape}_{array.tobytes().hex()}"
        if key not in self._initialisers:
            self._initialisers[key] = numpy_helper.from_array(array, f"constant_{len(self._initialisers)}")
        return self._initialisers[key].name


def _external(name: str, entry: Entry) -> onnx.TensorProto:
    kind, elsewhere = _DTYPES[entry.dtype], TensorProto.EXTERNAL
    tensor = TensorProto(name=name, dims=entry.shape, data_type=kind, data_location=elsewhere)
    place = {"location": entry.file.name, "offset": str(entry.start), "length": str(entry.end - entry.start)}
    for key, value in place.items():
        tensor.external_data.add(key=key, value=value)
    return tensor
