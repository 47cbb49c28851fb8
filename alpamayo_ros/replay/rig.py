"""Which topic of a vehicle or a bag plays which role: from a rig file, or proposed from the topics' names.

A rig file (config/rig_example.yaml is one) names each stream's topic, and the driver's parameters that the rig needs:

    topics:
      cross_left: /sensing/camera/camera3/image_raw/compressed
      front_wide: /sensing/camera/camera1/image_raw/compressed
      cross_right: /sensing/camera/camera2/image_raw/compressed
      front_tele: /sensing/camera/camera0/image_raw/compressed
      odometry: /localization/kinematic_state
    parameters:
      cameras.cross_left.time_offset: -0.055
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from alpamayo_ros.contract import CAMERA_ROLES

IMAGE, COMPRESSED, ODOMETRY = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage", "nav_msgs/msg/Odometry"
STREAMS = (*CAMERA_ROLES, "odometry")
# Where several odometry topics could serve, the first of these that is there.
ODOMETRY_NAMES = ("/localization/kinematic_state", "odometry", "/odom", "odometry/filtered")


class RigError(ValueError):
    """A rig that cannot be used, and what would make it one."""


@dataclass(frozen=True)
class Rig:
    """Topics by stream (the camera roles and "odometry"), and the driver's parameters for this rig."""

    topics: Mapping[str, str]
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def image_transport(self) -> str:
        """The driver's `image_transport` for these topics, by their names as image_transport makes them.

        Raises:
            RigError: some cameras are compressed and some are not.
        """
        compressed = {role: self.topics[role].endswith("/compressed") for role in CAMERA_ROLES}
        if len(set(compressed.values())) == 1:
            return "compressed" if compressed["front_wide"] else "raw"
        raise RigError(f"all four cameras have to be .../compressed, or none: {self.topics}")

    @property
    def remappings(self) -> list[tuple[str, str]]:
        """The driver's topic names -> this rig's."""
        return [(driver_topic(stream, self.image_transport), self.topics[stream]) for stream in STREAMS]


def driver_topic(stream: str, image_transport: str) -> str:
    """The driver's own (relative) name of a stream's topic."""
    if stream == "odometry":
        return "odometry"
    return f"camera/{stream}/image" + ("/compressed" if image_transport == "compressed" else "")


def load_rig(path: str | Path) -> Rig:
    """Reads a rig file.

    Raises:
        RigError: no such file, no YAML, or a stream without a topic.
    """
    path = Path(path)
    try:
        tree = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise RigError(f"rig file {path} does not exist") from None
    except yaml.YAMLError as error:
        raise RigError(f"rig file {path} is no YAML: {error}") from None
    topics = tree.get("topics") if isinstance(tree, dict) else None
    if not isinstance(topics, dict):
        raise RigError(f"rig file {path} has no 'topics:' with a topic for each of {', '.join(STREAMS)}")
    missing = [stream for stream in STREAMS if not isinstance(topics.get(stream), str)]
    unknown = [stream for stream in topics if stream not in STREAMS]
    if missing or unknown:
        raise RigError(f"rig file {path}: no topic for {missing or 'none'}, unknown streams {unknown or 'none'}")
    return Rig(topics, tree.get("parameters") or {})


def propose_rig(types: Mapping[str, str]) -> Rig:
    """Matches topics to roles by their names.

    A camera's topic is the one image topic whose name holds the role ("cross_left"); compressed ones win over raw ones.

    Raises:
        RigError: a role that no topic or more than one could play; it lists the topics there are.
    """
    topics: dict[str, str] = {}
    for role in CAMERA_ROLES:
        found = _named(role, types, COMPRESSED) or _named(role, types, IMAGE)
        if len(found) != 1:
            raise RigError(f"{_count(found)} could be {role}; write a rig file (README, 'Rigs'). {_images(types)}")
        topics[role] = found[0]
    odometries = [topic for topic, kind in types.items() if kind == ODOMETRY]
    preferred = [topic for name in ODOMETRY_NAMES for topic in odometries if topic.endswith(name)]
    if not preferred and len(odometries) != 1:
        raise RigError(f"{_count(odometries)} could be the odometry; write a rig file (README, 'Rigs')")
    topics["odometry"] = (preferred or odometries)[0]
    return Rig(topics)


def _named(role: str, types: Mapping[str, str], kind: str) -> list[str]:
    return [topic for topic, found in types.items() if found == kind and role in topic]


def _count(topics: list[str]) -> str:
    return f"{len(topics)} topics ({', '.join(topics)})" if topics else "no topic"


def _images(types: Mapping[str, str]) -> str:
    images = [topic for topic, kind in types.items() if kind in (IMAGE, COMPRESSED)]
    return f"Image topics: {', '.join(images) or 'none'}."
