"""Compressed frames that hold something else than what the camera sees."""

from __future__ import annotations

import random
from dataclasses import replace

from alpamayo_ros.faults import truth
from alpamayo_ros.faults.feed import STEP_NS, Feed, Item, Spoil
from alpamayo_ros.faults.spoilers.streams import in_stream, some_camera


def cameras_swapped(rng: random.Random, feed: Feed) -> Spoil:
    """Left and right change places: pictures, frame ids and CameraInfo."""
    other = {"cross_left": "cross_right", "cross_right": "cross_left"}

    def swap(item: Item) -> list[Item]:
        if item.stream in other:
            return [replace(feed.camera(other[item.stream], item.stamp_ns, item.due), stream=item.stream)]
        if item.stream.endswith("/info") and item.values["role"] in other:
            return [item.changed(role=other[item.values["role"]])]
        return [item]

    return Spoil(swap, rng.choice(list(other)))


def pixels_swapped(rng: random.Random, feed: Feed) -> Spoil:
    """Left and right change places under their right names."""
    other = {"cross_left": "cross_right", "cross_right": "cross_left"}

    def swap(item: Item) -> list[Item]:
        if item.stream not in other:
            return [item]
        shown = feed.camera(other[item.stream], item.stamp_ns, item.due)
        return [replace(shown, stream=item.stream).changed(frame_id=item.values["frame_id"])]

    return Spoil(swap, "cross_left")


def camera_truncated(rng: random.Random, feed: Feed) -> Spoil:
    share = rng.uniform(0.2, 0.95)
    return in_stream(
        some_camera(rng), lambda item: [item.changed(data=item.values["data"][: int(share * len(item.values["data"]))])]
    )


def camera_garbage(rng: random.Random, feed: Feed) -> Spoil:
    return in_stream(some_camera(rng), lambda item: [item.changed(data=rng.randbytes(len(item.values["data"])))])


def camera_empty(rng: random.Random, feed: Feed) -> Spoil:
    return in_stream(some_camera(rng), lambda item: [item.changed(data=b"")])


def camera_bits_flipped(rng: random.Random, feed: Feed) -> Spoil:
    """A few bits of the entropy-coded data."""

    def flip(item: Item) -> list[Item]:
        data = bytearray(item.values["data"])
        for _ in range(3):
            data[rng.randrange(len(data) // 2, len(data) - 2)] ^= 1 << rng.randrange(8)
        return [item.changed(data=bytes(data))]

    return in_stream(some_camera(rng), flip)


def camera_malformed(rng: random.Random, feed: Feed) -> Spoil:
    """Bytes that are no message at all."""
    return in_stream(some_camera(rng), lambda item: [item.changed(bytes=rng.randbytes(rng.randrange(40)))])


def camera_resized(rng: random.Random, feed: Feed) -> Spoil:
    """Every other frame comes at another size."""
    import cv2
    import numpy as np
    import simplejpeg

    from alpamayo_ros.imaging import decode_jpeg

    def resize(item: Item) -> list[Item]:
        if item.stamp_ns // (10 * STEP_NS) % 2:
            return [item]
        image = cv2.resize(decode_jpeg(item.values["data"]), (truth.WIDTH // 2, truth.HEIGHT // 2))
        return [item.changed(data=simplejpeg.encode_jpeg(np.ascontiguousarray(image), 90, "RGB", "420"))]

    return in_stream(some_camera(rng), resize)


def camera_other_format(rng: random.Random, feed: Feed) -> Spoil:
    """It begins to send H.264 under the same type."""
    return in_stream(
        some_camera(rng), lambda item: [item.changed(format="h264", data=b"\0\0\0\1\x67\x64" + rng.randbytes(4000))]
    )
