"""The consistency guard, the rig check and the watch over the inputs, in the real node over DDS."""

import time
from dataclasses import replace

import pytest
from core.drives import START_NS, drive
from diagnostic_msgs.msg import DiagnosticStatus
from nav_msgs.msg import Odometry
from rclpy.qos import DurabilityPolicy, QoSProfile
from ros import fake_policy
from ros.graph import jpeg
from sensor_msgs.msg import CameraInfo, CompressedImage
from waiting import wait_for

from alpamayo_ros.contract import CAMERA_ROLES
from alpamayo_ros.world import wire

MS = 1_000_000


def lately(graph, name):
    """Whether diagnostics have told this name."""
    return any(name in values.get("refused_lately", "") for values in _values(graph))


def _values(graph):
    for array in list(graph.diagnostics):
        for status in array.status:
            yield {pair.key: pair.value for pair in status.values}


@pytest.mark.parametrize(
    ("words", "level", "said"),
    [
        ("Stop for the red light.", DiagnosticStatus.WARN, "says_stop_path_does_not"),
        ("Keep lane and speed.", DiagnosticStatus.OK, "consistent"),
        ("Ponder.", DiagnosticStatus.OK, "unknown"),
    ],
)
def test_words_against_the_path_are_told_with_every_plan(graph, words, level, said):
    graph.start()
    fake_policy.hook = lambda _, plan: replace(plan, reasoning=(words,))
    graph.play(seconds=2.5)
    wait_for(lambda: graph.status("guard") and graph.status("guard")[:2] == (level, said))
    graph.settle()
    assert graph.plans and all(f"guard={said}" in plan.notes for plan in graph.plans)
    assert int(graph.status("guard")[2][f"plans.{said}"]) > 0


def rig_of(graph, infos):
    """Publishes /tf_static and the CameraInfo of `infos[role]`'s camera for each role."""
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    graph._publishers["/tf_static"].publish(wire.static_transforms(START_NS))
    publishers = {
        role: graph.rig.create_publisher(CameraInfo, f"camera/{role}/camera_info", latched) for role in CAMERA_ROLES
    }
    wait_for(lambda: all(publisher.get_subscription_count() for publisher in publishers.values()))
    time.sleep(0.1)
    for role, publisher in publishers.items():
        publisher.publish(wire.camera_info(infos.get(role, role), START_NS, 1080, 1920))
    wait_for(lambda: graph.status("rig") and "not checked" not in graph.status("rig")[1])


SWAPPED = {"cross_left": "cross_right", "cross_right": "cross_left"}


def test_swapped_cameras_are_found_and_nothing_is_planned(graph):
    graph.start()
    rig_of(graph, SWAPPED)
    level, message, values = graph.status("rig")
    assert level == DiagnosticStatus.ERROR and "cross_left and cross_right look where each other should" in message
    assert float(values["cross_left.yaw"]) == pytest.approx(-60, abs=1)
    wait_for(lambda: lately(graph, "rig_swapped cross_left"))
    graph.play(seconds=2.5)
    graph.settle()
    assert not graph.plans


@pytest.mark.parametrize(("how", "infos"), [("warn", SWAPPED), ("refuse", {})])
def test_a_rig_as_trained_or_only_warned_of_plans(graph, how, infos):
    graph.start(rig_check=how)
    rig_of(graph, infos)
    graph.play(seconds=2.5)
    wait_for(lambda: graph.plans)


def test_the_rig_is_not_looked_at_where_that_is_switched_off(graph):
    graph.start(rig_check="off")
    graph.play(seconds=2.5)
    wait_for(lambda: graph.plans)
    assert graph.status("rig") is None


def test_a_second_publisher_is_named_and_none_of_both_is_planned_on(graph):
    graph.start()
    second = graph.rig.create_publisher(CompressedImage, "camera/cross_left/image/compressed", 10)
    wait_for(lambda: second.get_subscription_count())
    for m in drive(3):
        if m.stream == "odometry":
            graph.odometry(m.stamp_ns, m.pose)
        else:
            graph.image(m.stream, m.stamp_ns, number=m.stamp_ns // MS)
            if m.stream == "cross_left" and m.stamp_ns > START_NS + 2000 * MS:
                message = CompressedImage(format="jpeg", data=jpeg(7))
                message.header.frame_id = "cross_left_optical"
                second.publish(message)
        time.sleep(0.004)
    wait_for(lambda: lately(graph, "several_publishers cross_left"))
    graph.settle()
    assert not [t0 for t0 in graph.t0s() if t0 > START_NS + 2400 * MS]


def test_a_reference_camera_that_falls_silent_is_named_at_once(graph):
    graph.start(diagnostics_period=60.0)
    graph.play(seconds=2.5, speed=2.0)
    wait_for(lambda: lately(graph, "camera_stale front_wide"), timeout=3)


def test_bytes_that_are_no_message_are_named(graph):
    graph.start()
    publisher = graph.rig.create_publisher(Odometry, "odometry", 10)
    wait_for(lambda: publisher.get_subscription_count())
    time.sleep(0.1)
    publisher.publish(b"\0\1\0\0\1\2\3")
    wait_for(lambda: lately(graph, "message_corrupt odometry"))
