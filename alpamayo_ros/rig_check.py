"""Where cameras look: yaw and horizontal field of view, from CameraInfo and /tf_static, against the model's own.

For a bag before its replay, and for a vehicle when the driver starts: two cameras of which each looks where the other
should have changed places, and no plan is to be trusted; one that is merely mounted otherwise is worth a warning.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from alpamayo_ros.cdr import CdrError
from alpamayo_ros.contract import CAMERA_ROLES, NotReady, Reason
from alpamayo_ros.geometry import quaternion_to_matrix
from alpamayo_ros.projection import CameraModel, camera_model
from alpamayo_ros.serialized import CameraInfoIn, camera_info, transforms
from alpamayo_ros.tf_buffer import TransformBuffer, TransformError

# Further from what the model was trained with than this, a camera is worth a warning.
WARN_YAW, WARN_FOV = 15.0, 0.25


@dataclass(frozen=True)
class View:
    """Degrees: yaw counter-clockwise from straight ahead, horizontal field of view."""

    yaw: float
    fov: float

    def turned(self, other: View) -> float:
        """How far this one looks to the left of the other."""
        return (self.yaw - other.yaw + 180.0) % 360.0 - 180.0

    def distance(self, other: View) -> float:
        """How unlike two views are; 30 degrees of yaw count as much as a field of view twice as wide."""
        return abs(self.turned(other)) / 30.0 + abs(math.log2(self.fov / other.fov))


# What the model was trained with: NVIDIA's names say the fields of view.
TRAINED = {
    "cross_left": View(60.0, 120.0),
    "front_wide": View(0.0, 120.0),
    "cross_right": View(-60.0, 120.0),
    "front_tele": View(0.0, 30.0),
}


def view(camera: CameraModel) -> View:
    """Where a camera looks and how much it sees, on a level with its axis."""
    axis = quaternion_to_matrix(camera.pose.quaternion)[:, 2]
    angles = np.radians(np.linspace(-89.0, 89.0, 1781))
    rays = np.stack([np.sin(angles), np.zeros_like(angles), np.cos(angles)], axis=-1)
    pixels = camera.pixels(rays)
    inside = (np.abs(angles) < camera.widest) & (pixels[:, 0] >= 0) & (pixels[:, 0] < camera.size[1])
    return View(math.degrees(math.atan2(axis[1], axis[0])), float(np.degrees(np.ptp(angles[inside]))))


def warnings(views: Mapping[str, View]) -> list[str]:
    """A sentence for each pair of cameras that have changed places, and each camera that is far from the model's."""
    said = [f"{one} and {other} look where each other should: they are swapped" for one, other in swapped(views)]
    for role, seen in views.items():
        trained = TRAINED[role]
        if abs(seen.turned(trained)) > WARN_YAW:
            said.append(f"{role} looks at {seen.yaw:+.0f} degrees; the model was trained with {trained.yaw:+.0f}")
        if abs(seen.fov / trained.fov - 1.0) > WARN_FOV:
            said.append(f"{role} sees {seen.fov:.0f} degrees; the model was trained with {trained.fov:.0f}")
    return said


def swapped(views: Mapping[str, View]) -> list[tuple[str, str]]:
    """Pairs of roles whose cameras have changed places: each is far from its own view and near to the other's."""
    return [
        (one, other)
        for one, other in combinations(views, 2)
        if _astray(views[one], one, other) and _astray(views[other], other, one)
    ]


def _astray(seen: View, role: str, other: str) -> bool:
    """Whether a camera is like another role's, and by far less like its own."""
    return seen.distance(TRAINED[other]) < min(0.5 * seen.distance(TRAINED[role]), 1.0)


def info_topic(image_topic: str) -> str:
    """The CameraInfo topic that belongs to an image topic, by image_transport's convention: in its namespace."""
    return image_topic.removesuffix("/compressed").rpartition("/")[0] + "/camera_info"


class RigCheck:
    """Takes each camera's CameraInfo and /tf_static as they come, and says what they add up to.

    Args:
        ego_frame: the vehicle's frame, in which yaws are measured.
    """

    def __init__(self, ego_frame: str):
        self._ego = ego_frame
        self._infos: dict[str, CameraInfoIn] = {}
        self._places = TransformBuffer()
        self.views: dict[str, View] = {}

    def take_info(self, role: str, data: bytes) -> None:
        """A serialized CameraInfo; one that cannot be read is none."""
        try:
            self._infos[role] = camera_info(data)
        except CdrError:
            return
        self._look()

    def take_places(self, data: bytes) -> None:
        """A serialized message of /tf_static; transforms that are none are left out."""
        try:
            found = transforms(data)
        except CdrError:
            return
        for each in found:
            try:
                self._places.set_transform(each.parent, each.child, each.stamp_ns, each.pose, static=True)
            except ValueError:
                continue
        self._look()

    @property
    def complete(self) -> bool:
        """Whether all four cameras' views are known."""
        return len(self.views) == len(CAMERA_ROLES)

    def swaps(self) -> list[NotReady]:
        """A refusal for each camera that stands in another's place."""
        found = []
        for one, other in swapped(self.views):
            for role, place in ((one, other), (other, one)):
                seen = self.views[role]
                detail = f"it looks where {place} should: check the remapping, or the mounting in TF"
                found.append(NotReady(Reason.RIG_SWAPPED, role, detail, {"yaw": seen.yaw, "fov": seen.fov}))
        return found

    def remarks(self) -> list[str]:
        """What is worth a warning: cameras that are not as the model's, and those of which nothing is known."""
        said = warnings(self.views)
        unknown = [role for role in CAMERA_ROLES if role not in self.views]
        if unknown:
            said.append(f"not checked, for want of CameraInfo or TF: {', '.join(unknown)}")
        return said

    def _look(self) -> None:
        for role, info in self._infos.items():
            try:
                place, _ = self._places.lookup(self._ego, info.frame_id, 0)
            except TransformError:
                continue
            camera = camera_model(info.k, info.distortion, info.model, (info.height, info.width), place)
            if camera is not None:
                self.views[role] = view(camera)
