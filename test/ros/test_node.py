"""The driver as its users see it: topics in, topics out."""

import numpy as np
import pytest
from core.drives import START_NS, drive, pose_at
from ros import fake_policy
from waiting import wait_for

from alpamayo_ros.contract import CAMERA_ROLES, PLAN_STEPS
from alpamayo_ros.messages import stamp_ns

MS = 1_000_000


def xyz_of(path):
    return np.array([(p.pose.position.x, p.pose.position.y, p.pose.position.z) for p in path.poses])


def test_a_drive_gives_paths_reasonings_plans_and_markers_of_one_t0(graph):
    graph.start()
    graph.play(seconds=4)
    graph.settle()
    assert len(graph.paths) >= 20
    assert len(graph.paths) == len(graph.reasonings) == len(graph.plans) == len(graph.markers)
    for path, plan, markers in zip(graph.paths, graph.plans, graph.markers, strict=True):
        t0 = stamp_ns(plan.header.stamp)
        assert path.header == plan.header and plan.header.frame_id == "odom"
        assert [stamp_ns(p.header.stamp) - t0 for p in path.poses] == [(k + 1) * 100 * MS for k in range(PLAN_STEPS)]
        assert all(p.header.frame_id == "odom" for p in path.poses)
        assert all(m.header == plan.header for m in markers.markers)
        assert [p.pose for p in path.poses] == list(plan.samples[plan.chosen].poses)


def test_the_path_continues_where_the_vehicle_was_at_t0(graph):
    graph.start()
    graph.play(seconds=3)
    graph.settle()
    for path in graph.paths:
        t0 = (stamp_ns(path.header.stamp) - START_NS) / 1e9
        truth = np.array([pose_at(t0 + 0.1 * (k + 1))[:2] for k in range(10)])
        # The baseline holds speed and curvature (decaying), which this drive does: the next second is nearly right.
        assert np.abs(xyz_of(path)[:10, :2] - truth).max() < 0.2


def test_the_plan_message_tells_everything_about_the_tick(graph):
    graph.start()
    graph.play(seconds=3)
    graph.settle()
    plan = graph.plans[-1]
    assert plan.policy == "fake" and plan.reasoning == plan.samples[0].reasoning != ""
    sample = plan.samples[plan.chosen]
    for series in (sample.speed, sample.acceleration, sample.curvature, sample.yaw_rate, sample.poses):
        assert len(series) == PLAN_STEPS
    assert np.allclose(sample.yaw_rate, np.array(sample.speed) * np.array(sample.curvature), atol=1e-6)
    assert [(s.camera, round(s.slot, 1)) for s in plan.images] == [
        (role, slot) for role in CAMERA_ROLES for slot in (-0.3, -0.2, -0.1, 0.0)
    ]
    assert {"decode", "policy"} <= {timing.stage for timing in plan.timings}
    assert plan.epoch == 1 and plan.worst_offset == 0.0


def test_slot_offsets_and_stand_ins_are_published(graph):
    messages = [m for m in drive(4, phases=(0, 0, 0.02, 0)) if not _lost(m, "cross_left", 2500)]
    graph.start()
    graph.play(messages)
    graph.settle()
    flagged = [s for plan in graph.plans for s in plan.images if s.stand_in]
    assert {s.camera for s in flagged} == {"cross_left"} and all(abs(s.offset) == pytest.approx(0.1) for s in flagged)
    right = [s for s in graph.plans[-1].images if s.camera == "cross_right"]
    assert all(s.offset == pytest.approx(0.02) for s in right)


def _lost(message, role, *stamps_ms):
    return message.stream == role and (message.stamp_ns - START_NS) // MS in stamps_ms


def test_four_cameras_of_four_rates(graph):
    graph.start()
    graph.play(seconds=4, rates=(30, 20, 15, 10), odometry_rate=100, jitter=0.002)
    graph.settle()
    assert len(graph.plans) >= 18
    assert max(abs(plan.worst_offset) for plan in graph.plans) < 0.06


def test_nine_ticks_in_ten_plan_at_five_percent_loss(graph):
    graph.start()
    messages = drive(10, loss=0.05, seed=1)
    ticks = sum(m.stream == "front_wide" and m.stamp_ns > START_NS + 2e9 for m in messages)
    graph.play(messages)
    graph.settle()
    assert len([t for t in graph.t0s() if t > START_NS + 2e9]) >= 0.9 * ticks


def test_the_policy_sees_the_images_of_its_slots(graph):
    graph.start()
    graph.play(seconds=3, image=lambda m, n: _numbered(m))
    graph.settle()
    assert len(fake_policy.seen) >= 8
    for observation in fake_policy.seen:
        for role, images, stamps in zip(CAMERA_ROLES, observation.images, observation.stamps_ns, strict=True):
            for image, stamp in zip(images, stamps, strict=True):
                assert abs(int(image[8, 8, 0]) - _grey(role, stamp)) <= 2


def _grey(role, stamp):
    return 40 * CAMERA_ROLES.index(role) + ((stamp - START_NS) // (100 * MS)) % 32


def _numbered(message):
    import cv2
    from sensor_msgs.msg import CompressedImage

    picture = np.full((16, 24, 3), _grey(message.stream, message.stamp_ns), np.uint8)
    return CompressedImage(format="jpeg", data=cv2.imencode(".png", picture)[1].tobytes())


@pytest.mark.parametrize("durability", ["volatile", "transient_local"])
def test_a_command_reaches_the_plan_from_a_latched_and_from_a_volatile_publisher(graph, durability):
    from rclpy.qos import DurabilityPolicy, QoSProfile
    from std_msgs.msg import String

    publisher = graph.rig.create_publisher(
        String, "command", QoSProfile(depth=1, durability=DurabilityPolicy[durability.upper()])
    )
    if durability == "transient_local":
        publisher.publish(String(data="turn left"))
    graph.start()
    wait_for(lambda: publisher.get_subscription_count() >= 1)
    if durability == "volatile":
        publisher.publish(String(data="turn left"))
    wait_for(lambda: graph.driver._session.observer.command == "turn left")
    graph.play(seconds=2.5)
    graph.settle()
    assert {plan.command for plan in graph.plans} == {"turn left"}


def test_a_command_that_is_too_long_is_refused_and_the_old_one_stays(graph):
    from std_msgs.msg import String

    graph.start(max_command_length=20)
    publisher = graph.rig.create_publisher(String, "command", 1)
    wait_for(lambda: publisher.get_subscription_count() >= 1)
    publisher.publish(String(data="x" * 21))
    wait_for(lambda: graph.status() and "refused.command_too_long" in graph.status()[2])
    assert graph.driver._session.observer.command == ""


def test_markers_can_be_turned_off(graph):
    graph.start(markers=False)
    graph.play(seconds=2.5)
    graph.settle()
    assert graph.plans and not graph.markers


def test_the_newest_window_wins_over_those_that_waited(graph):
    import time

    def slow(_, plan):
        time.sleep(0.25)
        return plan

    fake_policy.hook = slow
    graph.start()
    graph.play(seconds=4, speed=2.0)
    wait_for(lambda: graph.t0s() and graph.t0s()[-1] >= START_NS + 3800 * MS)
    assert len(graph.plans) < 10
    assert int(graph.driver._session._worker.counts.replaced) > 5


def test_a_question_is_answered_between_ticks(graph):
    from std_msgs.msg import String

    answers = []
    graph.start()
    graph.rig.create_subscription(String, "/alpamayo_driver/answer", lambda m: answers.append(m.data), 10)
    asking = graph.rig.create_publisher(String, "/alpamayo_driver/question", 1)
    wait_for(lambda: asking.get_subscription_count() and graph.driver._out_answer.get_subscription_count())
    asking.publish(String(data="What is ahead?"))
    wait_for(lambda: answers)
    assert "nothing has been seen" in answers[0]
    messages = drive(3.5)
    graph.play(messages[: len(messages) * 3 // 4])
    asking.publish(String(data="What is ahead?"))
    wait_for(lambda: len(answers) == 2)
    assert answers[1] == "You asked: What is ahead?"
    graph.play(messages[len(messages) * 3 // 4 :])
    graph.settle()
    assert len(graph.plans) > 15
