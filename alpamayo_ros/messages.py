"""Values to rclpy's messages and back. What they hold is composed in compose.py; nothing is decided here."""

from __future__ import annotations

from types import SimpleNamespace

from builtin_interfaces.msg import Duration, Time
from geometry_msgs.msg import Point, Pose, PoseStamped, Quaternion, Vector3
from nav_msgs.msg import Path
from std_msgs.msg import ColorRGBA, Header, String
from visualization_msgs.msg import Marker, MarkerArray

from alpamayo_ros.compose import Composer, Outgoing, Placed
from alpamayo_ros.contract import SECOND_NS
from alpamayo_ros.msg import DrivingPlan, ImageSlot, PlanSample, StageTiming

_CLASSES = (
    ColorRGBA, DrivingPlan, Duration, Header, ImageSlot, Marker, MarkerArray, Path, PlanSample, Point, Pose,
    PoseStamped, Quaternion, StageTiming, String, Time, Vector3,
)  # fmt: skip
_COMPOSER = Composer(SimpleNamespace(**{kind.__name__: kind for kind in _CLASSES}))


def outgoing(placed: Placed, markers: bool) -> Outgoing:
    """All messages of a tick."""
    return _COMPOSER.outgoing(placed, markers)


def time_msg(stamp_ns: int) -> Time:
    return Time(sec=stamp_ns // SECOND_NS, nanosec=stamp_ns % SECOND_NS)


def stamp_ns(time: Time) -> int:
    return time.sec * SECOND_NS + time.nanosec
