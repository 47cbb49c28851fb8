"""What runs without torch must not import it: the ONNX runtime of the model uses these parts."""

import subprocess
import sys

import pytest

TORCH_FREE = [
    *("config", "errors", "headers", "hub", "inputs", "outcome", "positions", "prompt", "reading", "released"),
    *("resize", "tokens", "unicycle"),
]


@pytest.mark.parametrize(
    "modules", [[f"alpamayo_ros.vla.{name}" for name in TORCH_FREE], ["alpamayo_ros.policies.vla"]]
)
def test_torch_and_transformers_stay_out(modules):
    code = f"import sys, {', '.join(modules)}; print({{'torch', 'transformers'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "set()"
