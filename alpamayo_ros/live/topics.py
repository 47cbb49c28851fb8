"""What the live world says and hears, and under which names. Another stack's dress is another `Topics` (live/carla.py).

It knows no ROS: what is published is named by its type and handed out as serialized bytes, what is heard comes in as a
message's fields.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from alpamayo_ros.contract import CAMERA_ROLES
from alpamayo_ros.world import wire
from alpamayo_ros.world.episode import START_NS
from alpamayo_ros.world.follower import path_of
from alpamayo_ros.world.state import EgoState

if TYPE_CHECKING:
    from alpamayo_ros.live.drive import LiveDrive

DRIVER = "alpamayo_driver"
Sent = Iterator[tuple[str, bytes]]  # topic, serialized message


@dataclass(frozen=True)
class Said:
    """A topic that is published: `kind` is its type as in "sensor_msgs/msg/Image"; all are reliable."""

    topic: str
    kind: str
    depth: int
    latched: bool = False


@dataclass(frozen=True)
class Heard:
    """A topic that is listened to, and what a message does to the drive (on the executor's thread)."""

    topic: str
    kind: str
    depth: int
    act: Callable[[LiveDrive, Any], None]


class Topics(Protocol):
    """One dress of the world.

    Attributes:
        says, hears: the publishers and the subscriptions.
        images: which of `says` are the cameras' pictures.
        awaits: how many subscribers of which topics a drive waits for.
    """

    says: Sequence[Said]
    hears: Sequence[Heard]
    images: Collection[str]
    awaits: Mapping[str, int]

    def announce(self) -> Sent:
        """What is latched."""

    def instant(self, now_ns: int, ego: EgoState) -> Sent:
        """What goes out at every step of 10 ms."""

    def exposure(self, role: str, stamp_ns: int, rgb: np.ndarray) -> Sent:
        """A camera's (H, W, 3) uint8 picture."""

    def text(self, words: str) -> Sent:
        """The user's words."""


class Plain:
    """The package's own names: four JPEG cameras, odometry at the rear axle (100 Hz), command, TF and /clock.

    Args:
        follows: whether the vehicle follows the driver's path.
    """

    def __init__(self, follows: bool = True) -> None:
        self.images = [f"camera/{role}/image/compressed" for role in CAMERA_ROLES]
        self.awaits = dict.fromkeys([*self.images, "odometry"], 1)
        self.says = [
            Said("/clock", wire.CLOCK, 1),
            Said("/tf", wire.TF, 100),
            Said("/tf_static", wire.TF, 1, latched=True),
            Said("odometry", wire.ODOMETRY, 100),
            Said("command", wire.STRING, 1, latched=True),
            *(Said(topic, wire.COMPRESSED, 20) for topic in self.images),
            *(Said(f"camera/{role}/camera_info", wire.CAMERA_INFO, 20) for role in CAMERA_ROLES),
        ]
        self.hears = [Heard(f"{DRIVER}/path", wire.PATH, 1, follow)] if follows else []

    def announce(self) -> Sent:
        yield "/tf_static", wire.static_transforms(START_NS)

    def instant(self, now_ns: int, ego: EgoState) -> Sent:
        yield "/clock", wire.clock(now_ns)
        yield "odometry", wire.odometry(now_ns, ego)
        yield "/tf", wire.transform(now_ns, ego)

    def exposure(self, role: str, stamp_ns: int, rgb: np.ndarray) -> Sent:
        yield f"camera/{role}/image/compressed", wire.compressed_image(role, stamp_ns, rgb)
        yield f"camera/{role}/camera_info", wire.camera_info(role, stamp_ns, *rgb.shape[:2])

    def text(self, words: str) -> Sent:
        yield "command", wire.text(words)


# name -> the module and the class of a dress; imported when it is wanted, as it may need a stack's messages
DRESSES = {
    "plain": ("alpamayo_ros.live.topics", "Plain"),
    "autoware": ("alpamayo_ros.live.autoware", "Autoware"),
    "carla": ("alpamayo_ros.live.carla", "Carla"),
}


def dress(name: str) -> Topics:
    """The world's topics in a stack's dress.

    Raises:
        ImportError: the stack's message packages are missing.
    """
    module, kind = DRESSES[name]
    return getattr(import_module(module), kind)()


def follow(drive: LiveDrive, message: Any) -> None:
    """A nav_msgs/Path to follow; one in another frame than the world's is no use to the vehicle."""
    drive.heard_frame = message.header.frame_id
    if message.poses and message.header.frame_id == wire.MAP:
        drive.hear(path_of(message))
