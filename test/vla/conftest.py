"""The two recorded checkpoints, loaded once, and the same models with small frames."""

import pytest
from vla.models import FOLDERS, shrunk

from alpamayo_ros import vla


@pytest.fixture(scope="session")
def folders():
    return FOLDERS


@pytest.fixture(scope="session")
def loaded():
    """Variant -> the recorded model and vocabulary, float32 on the CPU."""
    return {variant: vla.load(str(folder / "checkpoint")) for variant, folder in FOLDERS.items()}


@pytest.fixture(scope="session")
def small(loaded):
    """Variant -> model with small frames, float32."""
    return {variant: shrunk(one) for variant, one in loaded.items()}


@pytest.fixture(scope="session")
def half():
    """Variant -> model with small frames, bfloat16."""
    folders = FOLDERS.items()
    return {variant: shrunk(vla.load(str(folder / "checkpoint"), dtype="bfloat16")) for variant, folder in folders}
