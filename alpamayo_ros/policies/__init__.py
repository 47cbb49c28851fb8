"""The policies by name. A new one is a new module here and a line in the table.

A policy's module offers `Config`, a frozen dataclass whose fields carry `metadata={"description", "range",
"choices"}`, and `create(config) -> Policy`. It imports its model's libraries inside `create`, so that a parameter
table can be made on a machine that has none of them.
"""

from __future__ import annotations

from importlib import import_module

from alpamayo_ros.contract import Policy

_MODULES = {
    "baseline": "alpamayo_ros.policies.baseline",
    "onnx": "alpamayo_ros.policies.onnx",
    "vla": "alpamayo_ros.policies.vla",
}


def names() -> tuple[str, ...]:
    """The names that `load` knows."""
    return tuple(_MODULES)


def config_type(name: str) -> type:
    """The policy's configuration dataclass.

    Raises:
        ValueError: an unknown name.
    """
    return _module(name).Config


def load(name: str, **options) -> Policy:
    """Makes a policy, loading whatever it needs.

    Args:
        name: one of `names()`.
        options: fields of its configuration; the others keep their defaults.

    Raises:
        ValueError: an unknown name or option.
    """
    module = _module(name)
    try:
        config = module.Config(**options)
    except TypeError as error:
        known = ", ".join(module.Config.__dataclass_fields__)
        raise ValueError(f"policy {name!r}: {error}; its options are {known}") from None
    return module.create(config)


def register(name: str, module: str) -> None:
    """Adds a policy that is not one of the package's own, before a node's parameters are declared."""
    _MODULES[name] = module


def _module(name: str):
    if name not in _MODULES:
        raise ValueError(f"no policy is called {name!r}; there are {', '.join(_MODULES)}")
    return import_module(_MODULES[name])
