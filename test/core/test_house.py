"""What the house promises about its imports: ROS and torch in few rooms, and one way between all of them."""

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "alpamayo_ros"
# The only files that need ROS to be imported; what else speaks to it asks for it where it does.
ROS = {
    "buffers", "clock_jump", "diagnostics", "intake", "messages", "node", "rig_listener", "session", "spinning",
    "tf_listener", "watch", "bench/ingest_receivers", "bench/ingest_rig", "bridges/autoware",
    "bridges/autoware_messages", "bridges/carla", "bridges/carla_odometry", "bridges/run",
}  # fmt: skip
TORCH = ("vla/", "training/", "bench/engine_")
# A replay writes a report, which shows a replay's records: two floors of one room.
TOGETHER = {"report": "replay"}


# What ROS 2 brings, and our own messages, which are made for it.
OF_ROS = {
    "ament_index_python", "builtin_interfaces", "launch", "launch_ros", "rcl_interfaces", "rclpy", "rosidl_runtime_py",
    "std_srvs", "tf2_ros", "unique_identifier_msgs",
}  # fmt: skip
OF_TORCH = {"torch", "transformers", "triton"}


def files() -> list[str]:
    return sorted(path.relative_to(PACKAGE).with_suffix("").as_posix() for path in PACKAGE.rglob("*.py"))


def on_import(tree: ast.AST) -> Iterator[ast.AST]:
    """What runs when a module is imported: not its functions, and not what is there for type checkers."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            continue
        yield node
        yield from on_import(node)


@cache
def imported(name: str) -> frozenset[str]:
    """Full names of the modules, or of things in them, that a file imports when it is imported."""
    names = set()
    for node in on_import(ast.parse((PACKAGE / f"{name}.py").read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = ["alpamayo_ros", *name.split("/")][: -node.level or None] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            names |= {f"{module}.{alias.name}" for alias in node.names}
    return frozenset(names)


def ours(full: str) -> str | None:
    """The file of this package that an imported name is in, if any."""
    package, _, inside = full.partition(".")
    parts = inside.split(".")
    if package != "alpamayo_ros":
        return None
    for name in ("/".join(parts), "/".join(parts[:-1]), "/".join([*parts, "__init__"])):
        if name and (PACKAGE / f"{name}.py").is_file():
            return name
    return None


def reached(name: str) -> set[str]:
    """All names that a file imports, and the files that these come from, and so on."""
    names, waiting, seen = set(), [name], {name}
    while waiting:
        found = imported(waiting.pop())
        names |= found
        further = {file for file in map(ours, found) if file} - seen
        seen |= further
        waiting += further
    return names


def tops(names: Iterable[str]) -> set[str]:
    found = {full.partition(".")[0] for full in names}
    if any(full.startswith("alpamayo_ros.msg.") for full in names):
        found.add("rclpy")
    return {"rclpy" if top in OF_ROS or top.endswith("_msgs") else "torch" if top in OF_TORCH else top for top in found}


def test_only_these_files_need_ros():
    assert {name for name in files() if "rclpy" in tops(imported(name))} == ROS


def test_only_these_rooms_need_torch():
    assert not [name for name in files() if "torch" in tops(reached(name)) and not name.startswith(TORCH)]


@pytest.mark.parametrize(
    "name", ["contract", "geometry", "timeline", "slots", "window", "history", "observer", "worker", "checks"]
)
def test_the_time_base_needs_numpy_alone(name):
    foreign = tops(reached(name)) - {"alpamayo_ros", "numpy", "__future__"} - sys.stdlib_module_names
    assert not foreign


def test_imports_go_one_way():
    rooms: dict[str, set[str]] = {}
    for name in files():
        for file in map(ours, imported(name)):
            if file is not None and _room(file) != _room(name):
                rooms.setdefault(_room(name), set()).add(_room(file))
    try:
        order = list(TopologicalSorter(rooms).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))
    assert order.index("contract") < order.index("observer") < order.index("session") < order.index("node")


def test_every_room_is_on_the_plan():
    plan = (PACKAGE.parent / "docs" / "design.md").read_text()
    rooms = {name.partition("/")[0] for name in files()} - {"__init__", "__main__"}
    assert not {room for room in rooms if not re.search(rf"[` ]{room}[`/ .]", plan)}


def _room(file: str) -> str:
    room = file.partition("/")[0]
    return TOGETHER.get(room, room)
