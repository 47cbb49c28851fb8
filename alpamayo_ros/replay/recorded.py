"""What a bag says besides the images: where the vehicle was, and each camera's model and place.

Read once, through the `rosbags` type store; no ROS.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from alpamayo_ros.contract import CAMERA_ROLES, SECOND_NS
from alpamayo_ros.geometry import Pose
from alpamayo_ros.replay.bag import Bag
from alpamayo_ros.replay.projection import MODELS, CameraModel
from alpamayo_ros.replay.rig import Rig
from alpamayo_ros.tf_buffer import TransformBuffer, TransformError

CAMERA_INFO = "sensor_msgs/msg/CameraInfo"


@cache
def store():
    """Every message of common bags, by the newest definitions."""
    from rosbags.typesys import Stores, get_typestore

    return get_typestore(Stores.ROS2_KILTED)


def stamp_ns(header) -> int:
    return header.stamp.sec * SECOND_NS + header.stamp.nanosec


def driven(bag: Bag, rig: Rig) -> tuple[np.ndarray, Pose]:
    """(N,) int64 stamps and N poses of odometry's child frame, by rising stamp."""
    rows = {}
    for message in bag.messages([rig.topics["odometry"]]):
        odometry = store().deserialize_cdr(message.data, message.type)
        p, q = odometry.pose.pose.position, odometry.pose.pose.orientation
        rows[stamp_ns(odometry.header)] = (p.x, p.y, p.z, q.x, q.y, q.z, q.w)
    stamps = np.array(sorted(rows), dtype=np.int64)
    values = np.array([rows[stamp] for stamp in stamps.tolist()], dtype=np.float64).reshape(-1, 7)
    return stamps, Pose(values[:, :3], values[:, 3:])


def static_transforms(bag: Bag) -> TransformBuffer:
    """What /tf_static says."""
    buffer = TransformBuffer()
    for message in bag.messages(["/tf_static"]):
        for t in store().deserialize_cdr(message.data, message.type).transforms:
            translation, rotation = t.transform.translation, t.transform.rotation
            pose = Pose(
                np.array([translation.x, translation.y, translation.z]),
                np.array([rotation.x, rotation.y, rotation.z, rotation.w]),
            )
            buffer.set_transform(t.header.frame_id, t.child_frame_id, 0, pose, static=True)
    return buffer


def cameras(bag: Bag, rig: Rig, ego_frame: str = "base_link") -> dict[str, CameraModel]:
    """The cameras whose CameraInfo and place the bag has; the others are absent.

    A camera's CameraInfo is the one in its image topic's namespace (image_transport's convention).
    """
    buffer = static_transforms(bag)
    found: dict[str, CameraModel] = {}
    for role in CAMERA_ROLES:
        message = next(bag.messages(info_topics(bag, rig.topics[role])), None)
        if message is None:
            continue
        info = store().deserialize_cdr(message.data, message.type)
        try:
            pose, _ = buffer.lookup(ego_frame, info.header.frame_id, 0)
        except TransformError:
            continue
        if info.distortion_model in ("", *MODELS) and info.k[0] > 0:
            k = np.array(info.k, dtype=np.float64).reshape(3, 3)
            distortion = np.array(info.d if len(info.d) else np.zeros(5), dtype=np.float64)
            found[role] = CameraModel(k, distortion, info.distortion_model, (info.height, info.width), pose)
    return found


def info_topics(bag: Bag, image_topic: str) -> list[str]:
    """The CameraInfo topic that belongs to an image topic, as a list of none or one."""
    base = image_topic.removesuffix("/compressed").rpartition("/")[0]
    return [topic for topic, kind in bag.types.items() if kind == CAMERA_INFO and topic == f"{base}/camera_info"]
