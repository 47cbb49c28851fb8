"""Makes the test folders importable (`from core.drives import drive`) and repeatable."""

import sys
from pathlib import Path

from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

# The same examples on every run: a failure in CI is a failure here.
settings.register_profile("repeatable", derandomize=True, print_blob=True)
settings.load_profile("repeatable")


def pytest_collection_modifyitems(items):
    """Hypothesis first: a thread in which a session of ONNX Runtime was made flushes denormals from then on, where
    hypothesis refuses to draw floats."""
    items.sort(key=lambda item: not getattr(getattr(item, "obj", None), "is_hypothesis_test", False))
