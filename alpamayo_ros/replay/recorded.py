"""What a bag says besides the images: where the vehicle was, and each camera's model and place.

Read once, through the `rosbags` type store; no ROS.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from alpamayo_ros.contract import SECOND_NS
from alpamayo_ros.geometry import Pose
from alpamayo_ros.projection import CameraModel, camera_model
from alpamayo_ros.replay.bag import Bag
from alpamayo_ros.replay.plain import deserialize
from alpamayo_ros.replay.transforms import TF_STATIC, BagTransforms
from alpamayo_ros.rig import COMPRESSED, IMAGE, Rig
from alpamayo_ros.rig_check import info_topic
from alpamayo_ros.tf_buffer import TransformError

CAMERA_INFO = "sensor_msgs/msg/CameraInfo"


def driven(bag: Bag, rig: Rig) -> tuple[np.ndarray, Pose]:
    """(N,) int64 stamps and N poses of odometry's child frame, by rising stamp."""
    rows = {}
    for message in bag.messages([rig.topics["odometry"]]):
        odometry = deserialize(message.data, message.type)
        p, q = odometry.pose.pose.position, odometry.pose.pose.orientation
        stamp = odometry.header.stamp
        rows[stamp.sec * SECOND_NS + stamp.nanosec] = (p.x, p.y, p.z, q.x, q.y, q.z, q.w)
    stamps = np.array(sorted(rows), dtype=np.int64)
    values = np.array([rows[stamp] for stamp in stamps.tolist()], dtype=np.float64).reshape(-1, 7)
    return stamps, Pose(values[:, :3], values[:, 3:])


def static_transforms(bag: Bag) -> BagTransforms:
    """What /tf_static says."""
    transforms = BagTransforms()
    for message in bag.messages([TF_STATIC]):
        transforms.take(message.data, message.type, static=True)
    return transforms


def cameras(bag: Bag, topics: Mapping[str, str], ego_frame: str = "base_link") -> dict[str, CameraModel]:
    """name -> camera, for the image topics by name whose CameraInfo and place the bag has; the others are absent.

    A camera's CameraInfo is the one in its image topic's namespace (image_transport's convention).
    """
    buffer = static_transforms(bag)
    found: dict[str, CameraModel] = {}
    for name, topic in topics.items():
        message = next(bag.messages(info_topics(bag, topic)), None)
        if message is None:
            continue
        info = deserialize(message.data, message.type)
        try:
            pose = buffer.lookup(ego_frame, info.header.frame_id, 0, 0.0)
        except TransformError:
            continue
        camera = camera_model(info.k, info.d, info.distortion_model, (info.height, info.width), pose)
        if camera is not None:
            found[name] = camera
    return found


def image_topics(bag: Bag) -> list[str]:
    return [topic for topic, kind in bag.types.items() if kind in (IMAGE, COMPRESSED)]


def info_topics(bag: Bag, image_topic: str) -> list[str]:
    """The CameraInfo topic that belongs to an image topic, as a list of none or one."""
    wanted = info_topic(image_topic)
    return [topic for topic, kind in bag.types.items() if kind == CAMERA_INFO and topic == wanted]
