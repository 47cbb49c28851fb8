"""One short closed-loop drive through DDS: the world and its follower in one process, the driver in another."""

import os
import subprocess
import sys

import cv2

from alpamayo_ros.cdr import header_stamp_ns
from alpamayo_ros.world import wire


def make_drive(*arguments):
    command = [sys.executable, "-m", "alpamayo_ros", "demo", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=200, env=dict(os.environ))


def test_the_nodes_own_policy_drives_the_world(tmp_path):
    done = make_drive("--scenario", "lead_steady", "--seconds", "6", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    rows = {line[:13].strip(): line[13:] for line in done.stdout.splitlines()}
    assert int(rows["plans"].split(",")[0]) >= 10
    assert "decode" in rows["stages"] and "m in" in rows["driven"]
    lines = [line for line in done.stdout.splitlines() if " km/h  light " in line]
    assert "(the rule driver drives until the first plan)" in lines[0] and len(lines) >= 5
    video = cv2.VideoCapture(str(tmp_path / "drive.mp4"))
    assert video.isOpened() and video.get(cv2.CAP_PROP_FRAME_COUNT) >= 50


def test_a_driver_that_cannot_start_ends_the_drive_with_its_reason(tmp_path):
    done = make_drive("--policy", "vla", "--checkpoint", tmp_path, "--out", tmp_path)
    assert done.returncode == 1 and "cannot configure" in done.stderr


def test_every_message_of_the_world_is_read_by_rclpy():
    from nav_msgs.msg import Odometry
    from rclpy.serialization import deserialize_message
    from rosgraph_msgs.msg import Clock
    from sensor_msgs.msg import CameraInfo
    from tf2_msgs.msg import TFMessage

    from alpamayo_ros.world.state import EgoState

    ego = EgoState(1.0, 2.0, 0.5, 3.0)
    odometry = deserialize_message(wire.odometry(1_500_000_000, ego), Odometry)
    assert (odometry.header.frame_id, odometry.child_frame_id) == ("map", "base_link")
    assert odometry.pose.pose.position.y == 2.0 and odometry.twist.twist.linear.x == 3.0
    assert header_stamp_ns(wire.odometry(1_500_000_000, ego)) == 1_500_000_000
    assert deserialize_message(wire.clock(1_500_000_000), Clock).clock.nanosec == 500_000_000
    assert deserialize_message(wire.camera_info("front_tele", 1, 192, 384), CameraInfo).width == 384
    assert len(deserialize_message(wire.static_transforms(1), TFMessage).transforms) == 4
