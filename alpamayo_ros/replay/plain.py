"""ROS messages without ROS: the `rosbags` library's plain classes and serializer, this package's own messages included.

What `CLASSES` offers takes fields by keyword and gives the others their defaults, as rclpy's classes do, so that
`compose.Composer` fills either. The serializer zeroes its padding: equal messages are equal bytes.
"""

from __future__ import annotations

from functools import cache, partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from alpamayo_ros.compose import Composer
from alpamayo_ros.paths import share

OWN = ("DrivingPlan", "ImageSlot", "PlanSample", "StageTiming")
_PACKAGES = {  # fmt: skip
    "builtin_interfaces": ("Duration", "Time"),
    "geometry_msgs": (
        "Point", "Pose", "PoseStamped", "PoseWithCovariance", "Quaternion", "Transform", "TransformStamped", "Twist",
        "TwistWithCovariance", "Vector3",
    ),
    "nav_msgs": ("Odometry", "Path"),
    "std_msgs": ("ColorRGBA", "Header", "String"),
    "visualization_msgs": ("Marker", "MarkerArray"),
    "diagnostic_msgs": ("DiagnosticArray", "DiagnosticStatus", "KeyValue"),
    "sensor_msgs": ("CameraInfo", "CompressedImage"),
    "tf2_msgs": ("TFMessage",),
    "alpamayo_ros": OWN,
}
FULL_NAME = {name: f"{package}/msg/{name}" for package, names in _PACKAGES.items() for name in names}


@cache
def store() -> Any:
    """The types of common bags by the newest definitions, and this package's own."""
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    types = get_typestore(Stores.ROS2_KILTED)
    own: dict = {}
    for name in OWN:
        own |= get_types_from_msg((share() / "msg" / f"{name}.msg").read_text(), FULL_NAME[name])
    types.register(own)
    return types


def make(name: str, /, **fields: Any) -> Any:
    """A message by its full name ("std_msgs/msg/Header")."""
    kind, defaults, dtypes = _fields(name)
    if len(fields) == len(defaults) and not dtypes:
        return kind(**fields)
    values = {field: default() for field, default in defaults.items() if field not in fields}
    for field, value in fields.items():
        values[field] = np.asarray(value, dtypes[field]) if field in dtypes else value
    return kind(**values)


def serialize(message: Any) -> bytes:
    """CDR, with its encapsulation header."""
    return bytes(store().serialize_cdr(message, message.__msgtype__))


def deserialize(data: bytes, name: str) -> Any:
    """The message in CDR bytes."""
    return store().deserialize_cdr(data, name)


@cache
def classes() -> SimpleNamespace:
    """Constructors by short name: `classes().Header(frame_id="map")`."""

    return SimpleNamespace(**{name: partial(make, full) for name, full in FULL_NAME.items()})


@cache
def composer() -> Composer:
    return Composer(classes())


@cache
def _fields(name: str) -> tuple[type, dict[str, Any], dict[str, str]]:
    """The class, makers of every field's default, and the number type of fields that are arrays of numbers."""
    from rosbags.interfaces import Nodetype

    defaults, dtypes = {}, {}
    for field, (kind, detail) in store().fielddefs[name][1]:
        if kind == Nodetype.NAME:
            defaults[field] = lambda nested=detail: make(nested)
        elif kind == Nodetype.BASE:
            zero = {"string": "", "bool": False}.get(detail[0], 0.0 if detail[0].startswith("float") else 0)
            defaults[field] = lambda value=zero: value
        else:
            (element, element_detail), count = detail
            number = element == Nodetype.BASE and element_detail[0] not in ("string", "wstring")
            if number:
                dtype = dtypes[field] = {"octet": "uint8", "char": "uint8"}.get(element_detail[0], element_detail[0])
                size = count if kind == Nodetype.ARRAY else 0
                defaults[field] = lambda size=size, dtype=dtype: np.zeros(size, dtype)
            else:
                defaults[field] = list
    return store().types[name], defaults, dtypes
