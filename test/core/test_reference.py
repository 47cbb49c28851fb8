"""The documents are those that the code would write."""

from pathlib import Path

from alpamayo_ros.params import table
from alpamayo_ros.reference import markdown

DOCS = Path(__file__).parents[2] / "docs"


def test_the_parameter_reference_is_up_to_date():
    assert (DOCS / "parameters.md").read_text() == markdown(), "python -m alpamayo_ros parameters > docs/parameters.md"


def test_every_parameter_is_described():
    assert [parameter.name for parameter in table() if not parameter.description] == []
    assert all(f"| `{parameter.name}` |" in markdown() for parameter in table())
