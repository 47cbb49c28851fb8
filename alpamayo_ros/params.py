"""The driver's parameters: each declared, described and ranged in one place, and turned into plain configurations.

The table feeds rclpy, the tests of every YAML file, and the README's reference. A policy's own parameters come from
the fields of its configuration class, under the policy's name (`vla.checkpoint`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from alpamayo_ros import policies
from alpamayo_ros.contract import CAMERA_ROLES, SECOND_NS
from alpamayo_ros.history import OdometryLimits
from alpamayo_ros.imaging import Limits
from alpamayo_ros.observer import ObserverConfig
from alpamayo_ros.slots import PICKS, SlotRule

if TYPE_CHECKING:
    from rclpy.node import Node

Value = bool | int | float | str


@dataclass(frozen=True)
class Parameter:
    """One parameter: its default's type is its type; `range` is inclusive."""

    name: str
    default: Value
    description: str
    range: tuple[float, float] | None = None
    choices: tuple[str, ...] = ()
    read_only: bool = False  # never after start; the others may change while the node is unconfigured


DRIVER = (
    Parameter("autostart", True, "Configure and activate without a lifecycle manager.", read_only=True),
    Parameter("policy", "onnx", "What plans.", choices=tuple(policies.names())),
    Parameter("ego_frame", "base_link", "The vehicle's frame: centre of the rear axle on the ground (REP-105)."),
    Parameter("output_frame", "odometry", "Frame of the plans: 'odometry' (its header.frame_id), or any frame of TF."),
    Parameter(
        "image_transport", "compressed", "Camera topics: CompressedImage or Image.", choices=("compressed", "raw")
    ),
    Parameter(
        "rig_check", "refuse",
        "Cameras that stand in each other's places, by CameraInfo and /tf_static: no plans, a warning, or no look.",
        choices=("refuse", "warn", "off"),
    ),  # fmt: skip
    Parameter("plan_period", 0.1, "Seconds between ticks at least (less half a frame).", (0.05, 10.0)),
    Parameter("pick", "nearest", "Which frame fills a slot.", choices=PICKS),
    Parameter("tolerance", 0.1, "How far a frame may be from its slot, s.", (0.0, 0.15)),
    Parameter("max_skew", 0.1, "How far the cameras may be apart within one slot, s.", (0.0, 0.3)),
    Parameter("max_repeats", 1, "Slots a camera and window that may repeat a neighbour's frame; 0 is strict.", (0, 3)),
    Parameter("max_wait", 0.1, "How long a tick waits for late streams, s of their stamps.", (0.0, 0.5)),
    Parameter("max_odometry_gap", 0.25, "Widest gap of odometry to interpolate over, s.", (0.01, 1.0)),
    Parameter("max_speed", 80.0, "Odometry that moves faster than this has jumped, m/s.", (1.0, 200.0)),
    Parameter("max_plan_age", 2.0, "A plan older than this when it is ready is not published, s.", (0.05, 60.0)),
    Parameter("policy_timeout", 10.0, "A policy call longer than this is given up, s.", (0.1, 600.0)),
    Parameter("tf_timeout", 0.1, "How long the worker waits for a transform, s.", (0.0, 1.0)),
    Parameter("decode_threads", 4, "Threads that decode images.", (1, 16)),
    Parameter("max_image_width", 8192, "A wider image is refused, pixels.", (16, 16384)),
    Parameter("max_image_height", 8192, "A higher image is refused, pixels.", (16, 16384)),
    Parameter("max_image_bytes", 1 << 27, "A larger image message is refused, bytes.", (1024, 1 << 30)),
    Parameter("max_command_length", 500, "A longer command is refused, characters.", (1, 10000)),
    Parameter("markers", True, "Publish ~/markers."),
    Parameter("diagnostics_period", 1.0, "Seconds between diagnostics.", (0.1, 60.0)),
    *(
        Parameter(f"cameras.{role}.time_offset", 0.0, f"Added to every stamp of {role}, s.", (-1.0, 1.0))
        for role in CAMERA_ROLES
    ),
)


def policy_parameters(names: Iterable[str] | None = None) -> tuple[Parameter, ...]:
    """The parameters of the named policies (all by default), from the fields of their configuration classes."""
    return tuple(
        Parameter(
            f"{name}.{entry.name}",
            entry.default,
            entry.metadata.get("description", ""),
            entry.metadata.get("range"),
            tuple(entry.metadata.get("choices", ())),
        )
        for name in (names if names is not None else policies.names())
        for entry in fields(policies.config_type(name))
    )


def table() -> tuple[Parameter, ...]:
    """Every parameter of the node."""
    return DRIVER + policy_parameters()


def check(parameter: Parameter, value: Value) -> str | None:
    """Why a value is no good, or None. rclpy checks types and ranges; this adds what it has no words for."""
    if parameter.choices and value not in parameter.choices:
        return f"{parameter.name} is {value!r}; use one of {', '.join(parameter.choices)}"
    if parameter.range and not parameter.range[0] <= value <= parameter.range[1]:
        return f"{parameter.name} is {value!r}; it goes from {parameter.range[0]} to {parameter.range[1]}"
    return None


def declare(node: Node, parameters: Iterable[Parameter] | None = None) -> None:
    """Declares parameters on a node, described and ranged: the driver's whole table by default."""
    from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor

    for parameter in table() if parameters is None else parameters:
        description = parameter.description
        if parameter.choices:
            description += f" One of: {', '.join(parameter.choices)}."
        descriptor = ParameterDescriptor(description=description, read_only=parameter.read_only)
        if parameter.range and isinstance(parameter.default, float):
            low, high = map(float, parameter.range)
            descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
        elif parameter.range:
            low, high = map(int, parameter.range)
            descriptor.integer_range = [IntegerRange(from_value=low, to_value=high, step=1)]
        node.declare_parameter(parameter.name, parameter.default, descriptor)


def read(node: Node, parameters: Iterable[Parameter] | None = None) -> dict[str, Value]:
    """Their present values: of the driver's whole table by default."""
    named = table() if parameters is None else parameters
    return {parameter.name: node.get_parameter(parameter.name).value for parameter in named}


def observer_config(values: Mapping[str, Value]) -> ObserverConfig:
    """The time base's part of the parameters."""
    return ObserverConfig(
        plan_period_ns=_ns(values["plan_period"]),
        slots=SlotRule(str(values["pick"]), _ns(values["tolerance"]), int(values["max_repeats"])),
        max_skew_ns=_ns(values["max_skew"]),
        max_wait_ns=_ns(values["max_wait"]),
        time_offset_ns={role: _ns(values[f"cameras.{role}.time_offset"]) for role in CAMERA_ROLES},
        odometry=OdometryLimits(_ns(values["max_odometry_gap"]), float(values["max_speed"])),
    )


def image_limits(values: Mapping[str, Value]) -> Limits:
    """What a camera's frame may be at most."""
    return Limits(*(int(values[f"max_image_{name}"]) for name in ("width", "height", "bytes")))


def policy_options(values: Mapping[str, Value]) -> dict[str, Any]:
    """The chosen policy's own options."""
    prefix = f"{values['policy']}."
    return {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}


def defaults() -> dict[str, Value]:
    """Every parameter's default."""
    return {parameter.name: parameter.default for parameter in table()}


def _ns(seconds: Value) -> int:
    return round(float(seconds) * SECOND_NS)
