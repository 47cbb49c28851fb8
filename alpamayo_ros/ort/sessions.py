"""The four graphs of a checkpoint folder as sessions of ONNX Runtime, and their inputs and outputs by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from alpamayo_ros.vla.errors import CheckpointError
from alpamayo_ros.vla.onnx_files import check_seal, graph_file

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, OrtValue

# 1.23, the last one for Python 3.10, refuses an Attention that gives its keys and takes none.
_OLDEST = (1, 24)
_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


class Graph:
    """One graph. Calling it takes arrays or values of an earlier call, and leaves its outputs on the device."""

    def __init__(self, session: InferenceSession, device: str) -> None:
        self._session, self._device = session, device
        self.inputs = tuple(value.name for value in session.get_inputs())
        self.outputs = tuple(value.name for value in session.get_outputs())

    def __call__(self, feeds: Mapping[str, np.ndarray | OrtValue]) -> dict[str, OrtValue]:
        binding = self._session.io_binding()
        for name, value in feeds.items():
            if isinstance(value, np.ndarray):
                binding.bind_cpu_input(name, value)
            else:
                binding.bind_ortvalue_input(name, value)
        for name in self.outputs:
            binding.bind_output(name, self._device)
        self._session.run_with_iobinding(binding)
        return dict(zip(self.outputs, binding.get_outputs(), strict=True))


class Sessions:
    """The graphs by name: `vision`, `prefill`, `decode`, `expert`."""

    def __init__(self, folder: Path, device: str, threads: int) -> None:
        """Loads them.

        Args:
            device: "cpu" or "cuda".
            threads: within one operator of the vision and prefill graphs, on the CPU. The steps run on one: sharing
                work of microseconds costs more than it saves, most of all where the other cores are busy.

        Raises:
            CheckpointError: a graph is missing, or was made for other weights.
            ValueError: this installation of ONNX Runtime has no such device.
            RuntimeError: it is too old.
        """
        import onnxruntime

        if tuple(map(int, onnxruntime.__version__.split(".")[:2])) < _OLDEST:
            raise RuntimeError(
                f"onnxruntime {onnxruntime.__version__} cannot run the model: install {_OLDEST[0]}.{_OLDEST[1]} "
                "or later, which needs Python 3.11 or later; policies baseline and vla run without it"
            )
        provider = _PROVIDERS[device]
        if provider not in onnxruntime.get_available_providers():
            raise ValueError(
                f"device '{device}' needs ONNX Runtime's {provider}, and this installation has "
                f"{', '.join(onnxruntime.get_available_providers())}: "
                "pip uninstall onnxruntime && pip install onnxruntime-gpu"
            )
        self.vision, self.prefill = (_load(folder, name, device, threads) for name in ("vision", "prefill"))
        self.decode, self.expert = (_load(folder, name, device, 1) for name in ("decode", "expert"))


def _load(folder: Path, name: str, device: str, threads: int) -> Graph:
    import onnxruntime

    path = graph_file(folder, name)
    if not path.is_file():
        raise CheckpointError(f"{path} is missing: run scripts/export_onnx {folder}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # Idle threads sleep: the cores belong to the cameras and to DDS between two operators.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Masked attention makes denormal numbers, which are a hundred times slower than zeros.
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    providers = [_PROVIDERS[device], *([_PROVIDERS["cpu"]] if device != "cpu" else [])]
    session = onnxruntime.InferenceSession(str(path), options, providers=providers)
    if session.get_providers()[0] != _PROVIDERS[device]:
        raise ValueError(f"ONNX Runtime could not start {_PROVIDERS[device]}; its log above says why")
    check_seal(folder, session.get_modelmeta().custom_metadata_map, path)
    return Graph(session, device)
