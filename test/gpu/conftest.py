"""These tests need a CUDA device; without one they are skipped."""

import pytest


def pytest_collection_modifyitems(items):
    try:
        import torch

        missing = not torch.cuda.is_available()
    except ImportError:
        missing = True
    for item in items:
        if "gpu" in item.path.parts:
            item.add_marker(pytest.mark.gpu)
            if missing:
                item.add_marker(pytest.mark.skip(reason="no CUDA device"))
