"""Each checkpoint exported once, beside the PyTorch model of the same weights with small frames, in float32."""

import pytest
from ort.exported import SOURCES, exported, model
from vla.models import shrunk

from alpamayo_ros import vla


@pytest.fixture(scope="session")
def export_folders(tmp_path_factory):
    """Source -> folder of the checkpoint and its graphs."""
    return {name: exported(name, tmp_path_factory.mktemp(name)) for name in SOURCES}


@pytest.fixture(scope="session")
def pairs(export_folders):
    """Source -> (loaded PyTorch model, graphs)."""
    made = {}
    for name, folder in export_folders.items():
        loaded = shrunk(vla.load(str(folder), dtype="float32"))
        made[name] = (loaded, model(folder, loaded.model))
    return made
