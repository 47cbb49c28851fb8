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

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from alpamayo_ros.contract import CAMERA_ROLES, REFERENCE_ROLE
from alpamayo_ros.rig_check import TRAINED, View

IMAGE, COMPRESSED, ODOMETRY = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage", "nav_msgs/msg/Odometry"
STRING = "std_msgs/msg/String"
STREAMS = (*CAMERA_ROLES, "odometry")
OPTIONAL = ("command",)
KINDS = {**dict.fromkeys(CAMERA_ROLES, (IMAGE, COMPRESSED)), "odometry": (ODOMETRY,), "command": (STRING,)}
# Where several odometry topics could serve, the first of these that is there.
ODOMETRY_NAMES = ("/localization/kinematic_state", "odometry", "/odom", "odometry/filtered")
# What to do where nothing can be proposed.
RIG_FILE = "write a rig file (config/rig_example.yaml is one)"
# Usual names of a role's camera where no topic is called after the role itself; those of the sides come first.
USUAL_NAMES = {
    "cross_left": ("cross_left", "front_left", "left"),
    "cross_right": ("cross_right", "front_right", "right"),
    "front_tele": ("tele", "narrow", "zoom"),
    "front_wide": ("wide", "front", "center", "centre"),
}
# A camera that looks further away from a role's direction than this does not play it by its view (degrees).
FARTHEST_YAW = 40.0


class RigError(ValueError):
    """A rig that cannot be used, and what would make it one."""


@dataclass(frozen=True)
class Rig:
    """Topics by stream (the camera roles, "odometry", perhaps "command"), and the driver's parameters for this rig."""

    topics: Mapping[str, str]
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def image_transport(self) -> str:
        """The driver's `image_transport` for these topics, by their names as image_transport makes them.

        Raises:
            RigError: some cameras are compressed and some are not.
        """
        roles = [role for role in CAMERA_ROLES if role in self.topics]
        compressed = {role: self.topics[role].endswith("/compressed") for role in roles}
        if len(set(compressed.values())) == 1:
            return "compressed" if compressed[REFERENCE_ROLE] else "raw"
        raise RigError(f"all four cameras have to be .../compressed, or none: {self.topics}")

    @property
    def remappings(self) -> list[tuple[str, str]]:
        """The driver's topic names -> this rig's."""
        return [(driver_topic(stream, self.image_transport), self.topics[stream]) for stream in self.topics]

    def check(self, types: Mapping[str, str], where: str) -> Rig:
        """This rig, where its topics are there and of the right types.

        Raises:
            RigError: a topic that is not, or is of another type.
        """
        for stream, topic in self.topics.items():
            if topic not in types:
                known = ", ".join(sorted(types)) or "none"
                raise RigError(f"{where} has no topic {topic} for {stream}; it has {known}")
            if types[topic] not in KINDS[stream]:
                raise RigError(f"{where}: {topic} for {stream} is {types[topic]}, not {' or '.join(KINDS[stream])}")
        return self


def driver_topic(stream: str, image_transport: str) -> str:
    """The driver's own (relative) name of a stream's topic."""
    if stream in ("odometry", "command"):
        return stream
    return f"camera/{stream}/image" + ("/compressed" if image_transport == "compressed" else "")


def load_rig(path: str | Path, drop: Collection[str] = ()) -> Rig:
    """Reads a rig file; the roles of `drop` are left out of it.

    Raises:
        RigError: no such file, no YAML, or a stream without a topic.
    """
    path = Path(path)
    try:
        tree = yaml.safe_load(path.read_text())
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        raise RigError(f"rig file {path} {'does not exist' if missing else f'cannot be read: {error}'}") from None
    except yaml.YAMLError as error:
        raise RigError(f"rig file {path} is no YAML: {error}") from None
    topics = tree.get("topics") if isinstance(tree, dict) else None
    if not isinstance(topics, dict):
        raise RigError(f"rig file {path} has no 'topics:' with a topic for each of {', '.join(STREAMS)}")
    missing = [stream for stream in STREAMS if stream not in drop and not isinstance(topics.get(stream), str)]
    unknown = [stream for stream in topics if stream not in (*STREAMS, *OPTIONAL)]
    if missing or unknown:
        raise RigError(f"rig file {path}: no topic for {missing or 'none'}, unknown streams {unknown or 'none'}")
    order = [stream for stream in (*STREAMS, *OPTIONAL) if stream in topics and stream not in drop]
    return Rig({stream: topics[stream] for stream in order}, tree.get("parameters") or {})


def propose_rig(
    types: Mapping[str, str], views: Mapping[str, View] | None = None, drop: Collection[str] = ()
) -> Rig:
    """Matches topics to roles: by the role in the topic's name, else by where the camera looks, else by usual names.

    Compressed topics win over raw ones.

    Args:
        types: topic -> message type.
        views: topic -> where its camera looks, as far as that is known.
        drop: roles that are not wanted.

    Raises:
        RigError: a role that no topic or more than one could play; it lists the topics there are.
    """
    wanted = [role for role in CAMERA_ROLES if role not in drop]
    topics = _by_name({role: (role,) for role in wanted}, types, ())
    topics |= _by_view([role for role in wanted if role not in topics], views or {}, topics)
    topics |= _by_usual_name([role for role in wanted if role not in topics], types, topics)
    missing = [role for role in wanted if role not in topics]
    if missing:
        raise RigError(f"no topic could be {', '.join(missing)}; {RIG_FILE}, or drop it. {_images(types)}")
    odometries = [topic for topic, kind in types.items() if kind == ODOMETRY]
    preferred = [topic for name in ODOMETRY_NAMES for topic in odometries if topic.endswith(name)]
    if not preferred and len(odometries) != 1:
        raise RigError(f"{_count(odometries)} could be the odometry; {RIG_FILE}")
    topics["odometry"] = (preferred or odometries)[0]
    commands = [topic for topic, kind in types.items() if kind == STRING and topic.rpartition("/")[2] == "command"]
    if len(commands) == 1:
        topics["command"] = commands[0]
    return Rig({stream: topics[stream] for stream in (*STREAMS, *OPTIONAL) if stream in topics})


def _by_name(words: Mapping[str, Collection[str]], types: Mapping[str, str], taken: Collection[str]) -> dict[str, str]:
    """role -> the one topic that has one of the role's words in its name."""
    topics = {}
    for role, names in words.items():
        found: list[str] = []
        for kind in (COMPRESSED, IMAGE):
            found = found or [
                topic for topic, its in types.items()
                if its == kind and topic not in taken and any(name in topic.lower() for name in names)
            ]  # fmt: skip
        if len(found) > 1:
            raise RigError(f"{_count(found)} could be {role}; {RIG_FILE}. {_images(types)}")
        if found:
            topics[role] = found[0]
    return topics


def _by_usual_name(roles: Collection[str], types: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    ahead = {t: k for t, k in types.items() if not any(word in t.lower() for word in ("rear", "back"))}
    found: dict[str, str] = {}
    for role in sorted(roles, key=list(USUAL_NAMES).index):  # sides before the plain "front"
        for name in USUAL_NAMES[role]:
            try:
                match = _by_name({role: (name,)}, ahead, {*known.values(), *found.values()})
            except RigError:
                continue
            if match:
                found |= match
                break
    return found


def _by_view(roles: Collection[str], views: Mapping[str, View], known: Mapping[str, str]) -> dict[str, str]:
    """The assignment of cameras to roles that is nearest to what the model was trained with."""
    free = [topic for topic in views if topic not in known.values()]
    pairs = sorted(
        (views[topic].distance(TRAINED[role]), role, topic)
        for role in roles
        for topic in free
        if abs(views[topic].turned(TRAINED[role])) <= FARTHEST_YAW
    )
    found: dict[str, str] = {}
    for _, role, topic in pairs:
        if role not in found and topic not in found.values():
            found[role] = topic
    return found


def _count(topics: list[str]) -> str:
    return f"{len(topics)} topics ({', '.join(topics)})" if topics else "no topic"


def _images(types: Mapping[str, str]) -> str:
    images = [topic for topic, kind in types.items() if kind in (IMAGE, COMPRESSED)]
    return f"Image topics: {', '.join(images) or 'none'}."
