"""What the house promises about its imports: ROS and torch in few rooms, and one way between all of them."""

import ast
from collections.abc import Iterator
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


def imported(name: str) -> set[str]:
    """Full names of the modules, or of things in them, that a file imports when it is imported."""
    names = set()
    for node in on_import(ast.parse((PACKAGE / f"{name}.py").read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def needs(name: str, *roots: str) -> bool:
    tops = {full.partition(".")[0] for full in imported(name)}
    return any(top in roots or ("_msgs" in roots and top.endswith("_msgs")) for top in tops)


def test_only_these_files_need_ros():
    assert {name for name in files() if needs(name, "rclpy", "_msgs")} == ROS


def test_only_these_rooms_need_torch():
    assert not [name for name in files() if needs(name, "torch", "transformers") and not name.startswith(TORCH)]


@pytest.mark.parametrize("name", ["contract", "geometry", "slots", "timeline", "observer", "window", "worker"])
def test_the_time_base_needs_numpy_and_itself(name):
    roots = {full.partition(".")[0] for full in imported(name)}
    assert roots.isdisjoint({"cv2", "rosbags", "simplejpeg", "yaml", "onnxruntime", "tokenizers", "rclpy", "torch"})


def test_imports_go_one_way():
    rooms: dict[str, set[str]] = {}
    for name in files():
        room = _room(name.replace("/", "."))
        for full in imported(name):
            package, _, inside = full.partition(".")
            if package == "alpamayo_ros" and inside and _room(inside) != room:
                rooms.setdefault(room, set()).add(_room(inside))
    try:
        order = list(TopologicalSorter(rooms).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))
    assert order.index("contract") < order.index("observer") < order.index("session") < order.index("node")


def _room(inside: str) -> str:
    room = inside.partition(".")[0]
    return TOGETHER.get(room, room)
