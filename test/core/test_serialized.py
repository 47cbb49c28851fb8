import math

import numpy as np
import pytest
from core.bags import odometry as odometry_bytes

from alpamayo_ros import serialized
from alpamayo_ros.cdr import CdrError, header
from alpamayo_ros.world import wire
from alpamayo_ros.world.rig import RIG
from alpamayo_ros.world.state import EgoState

STAMP = 1_234_567_890_123_456_789
EGO = EgoState(1.5, -2.5, 0.4, 9.0, 0.0, 0.1)


@pytest.mark.parametrize("frames", [("map", "base_link"), ("", ""), ("a/b/c", "x" * 33)])
def test_odometry(frames):
    pose = (1.0, -2.0, 3.0, 0.0, 0.6, 0.0, 0.8)
    got = serialized.odometry(odometry_bytes(STAMP, pose, *frames))
    assert (got.stamp_ns, got.sample, got.frame_id, got.child_frame_id) == (STAMP, pose, *frames)
    assert serialized.odometry(wire.odometry(STAMP, EGO)).speed == 9.0


def test_transforms():
    found = serialized.transforms(wire.static_transforms(STAMP))
    assert [(each.parent, each.child) for each in found] == [("base_link", f"{role}_optical") for role in RIG]
    for each, camera in zip(found, RIG.values(), strict=True):
        assert each.stamp_ns == STAMP and np.allclose(each.pose.xyz, camera.xyz)
        assert np.allclose(each.pose.quaternion, camera.quaternion)


def test_camera_info():
    got = serialized.camera_info(wire.camera_info("front_tele", STAMP, 1080, 1920))
    assert (got.frame_id, got.height, got.width, got.model) == ("front_tele_optical", 1080, 1920, "plumb_bob")
    assert math.isclose(got.k[0], RIG["front_tele"].focal_length(1920)) and got.distortion == (0.0,) * 5


def test_text_and_header():
    assert serialized.text(wire.text("turn left, Grüße")) == "turn left, Grüße"
    assert header(wire.camera_info("front_wide", STAMP, 8, 8)) == (STAMP, "front_wide_optical")


@pytest.mark.parametrize("read", [serialized.odometry, serialized.transforms, serialized.camera_info, serialized.text])
def test_what_is_no_such_message_is_an_error_of_its_own(read):
    good = {
        serialized.odometry: wire.odometry(STAMP, EGO), serialized.transforms: wire.transform(STAMP, EGO),
        serialized.camera_info: wire.camera_info("front_wide", STAMP, 8, 8), serialized.text: wire.text("go"),
    }[read]  # fmt: skip
    third = good[: len(good) // 3]
    for data in (b"", b"\0\1", b"\xff\xff\0\0" + good[4:], third, good[:9], good[:4] + b"\xff" * (len(good) - 4)):
        with pytest.raises(CdrError):
            read(data)
