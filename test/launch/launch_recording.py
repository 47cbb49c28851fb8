"""A recording stand-in for the part of the launch API that our launch files use (PyPI has no launch packages).

It keeps what the files say and resolves LaunchConfiguration; it starts nothing. The files themselves were run with
the real launch, launch_ros and ros2cli.
"""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any


class LaunchContext:
    def __init__(self, configurations: dict[str, str]):
        self.launch_configurations = configurations


class LaunchDescription:
    def __init__(self, entities):
        self.entities = list(entities)


@dataclass
class DeclareLaunchArgument:
    name: str
    default_value: str | None = None
    description: str | None = None
    choices: list[str] | None = None


@dataclass
class SetEnvironmentVariable:
    name: str
    value: str


@dataclass
class OpaqueFunction:
    function: Any


@dataclass
class Shutdown:
    reason: str = ""


@dataclass
class LaunchConfiguration:
    name: str

    def perform(self, context: LaunchContext) -> str:
        return context.launch_configurations[self.name]


@dataclass
class ParameterValue:
    value: Any
    value_type: type


@dataclass
class Node:
    package: str
    executable: str
    name: str = ""
    namespace: Any = ""
    parameters: list = field(default_factory=list)
    remappings: list = field(default_factory=list)
    arguments: list = field(default_factory=list)
    output: str = "log"
    condition: Any = None
    on_exit: Any = None


@dataclass
class ExecuteProcess:
    cmd: list
    output: str = "log"
    condition: Any = None
    on_exit: Any = None


@dataclass
class Launched:
    """What a launch file would start with given arguments."""

    arguments: dict[str, DeclareLaunchArgument]
    environment: dict[str, str]
    nodes: list[Node]
    processes: list[ExecuteProcess]
    context: LaunchContext

    def value(self, substitution):
        """A substitution's value; lists are joined as launch does."""
        if isinstance(substitution, LaunchConfiguration):
            return substitution.perform(self.context)
        if isinstance(substitution, ParameterValue):
            text = self.value(substitution.value)
            return text == "true" if substitution.value_type is bool else substitution.value_type(text)
        return substitution


def _modules() -> dict[str, ModuleType]:
    contents = {
        "launch": (LaunchContext, LaunchDescription),
        "launch.actions": (
            DeclareLaunchArgument, ExecuteProcess, OpaqueFunction, SetEnvironmentVariable, Shutdown,
        ),  # fmt: skip
        "launch.substitutions": (LaunchConfiguration,),
        "launch_ros": (),
        "launch_ros.actions": (Node,),
        "launch_ros.parameter_descriptions": (ParameterValue,),
    }
    modules = {}
    for name, classes in contents.items():
        modules[name] = ModuleType(name)
        for cls in classes:
            setattr(modules[name], cls.__name__, cls)
    return modules


def run(path: Path, monkeypatch, **arguments: str) -> Launched:
    """Executes a launch file with these arguments; its defaults for the others."""
    for name, module in _modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    spec = importlib.util.spec_from_file_location("launch_file", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    entities = module.generate_launch_description().entities
    declared = {e.name: e for e in entities if isinstance(e, DeclareLaunchArgument)}
    unknown = set(arguments) - set(declared)
    assert not unknown, f"{path.name} declares no {unknown}"
    context = LaunchContext({name: arg.default_value for name, arg in declared.items()} | arguments)
    started = []
    for entity in entities:
        started += entity.function(context) if isinstance(entity, OpaqueFunction) else [entity]
    return Launched(
        declared,
        {e.name: e.value for e in started if isinstance(e, SetEnvironmentVariable)},
        [e for e in started if isinstance(e, Node)],
        [e for e in started if isinstance(e, ExecuteProcess)],
        context,
    )
