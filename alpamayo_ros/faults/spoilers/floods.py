"""More messages on a camera's topic than the camera has frames, or others."""

from __future__ import annotations

import random
from dataclasses import replace

from alpamayo_ros.contract import CAMERA_ROLES, REFERENCE_ROLE, SECOND_NS
from alpamayo_ros.faults.feed import STEP_NS, Feed, Item, Spoil
from alpamayo_ros.faults.spoilers.streams import in_stream, some_camera


def camera_two_publishers(rng: random.Random, feed: Feed) -> Spoil:
    """A second camera driver sends another camera's pictures on the same topic, between the frames."""
    role = some_camera(rng)
    other = rng.choice([name for name in CAMERA_ROLES if name != role])
    feed.publisher(role, "second")

    def second(item: Item) -> list[Item]:
        shown = feed.camera(other, item.stamp_ns, item.due + 0.05)
        shown = replace(shown, stream=role, stamp_ns=item.stamp_ns + 50_000_000, publisher="second")
        return [item, shown.changed(frame_id=item.values["frame_id"])]

    return replace(in_stream(role, second), stop=lambda: feed.end_publisher(role, "second"))


def camera_flood(rng: random.Random, feed: Feed) -> Spoil:
    """Ten times as many frames, stamped as they are sent."""
    return in_stream(
        some_camera(rng),
        lambda item: [
            feed.camera(item.stream, item.stamp_ns + k * STEP_NS, item.due + k * STEP_NS / SECOND_NS) for k in range(10)
        ],
    )


def cameras_flood(rng: random.Random, feed: Feed) -> Spoil:
    """All four send ten times as much."""

    def flood(item: Item) -> list[Item]:
        if item.stream not in CAMERA_ROLES:
            return [item]
        return [
            feed.camera(item.stream, item.stamp_ns + k * STEP_NS, item.due + k * STEP_NS / SECOND_NS) for k in range(10)
        ]

    return Spoil(flood, REFERENCE_ROLE)


def camera_other_type(rng: random.Random, feed: Feed) -> Spoil:
    """The camera's topic is published with another type; the camera itself is gone."""
    import rclpy
    from std_msgs.msg import String

    role = some_camera(rng, reference=False)
    context = rclpy.Context()  # a participant has one type a topic
    rclpy.init(args=[], context=context)
    node = rclpy.create_node("faults_other_type", context=context, enable_rosout=False)
    publisher = node.create_publisher(String, feed.topic(role), 10)

    def other(item: Item) -> list[Item]:
        publisher.publish(String(data="no image"))
        return []

    def stop() -> None:
        node.destroy_node()
        rclpy.shutdown(context=context)

    return replace(in_stream(role, other), stop=stop)
