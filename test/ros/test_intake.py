"""The thread that takes cameras and odometry, and the buffers it takes them into."""

import ctypes
import threading
import time

import pytest
import rclpy
from rclpy.serialization import serialize_message
from std_msgs.msg import String
from waiting import wait_for

from alpamayo_ros.buffers import Buffers, take_bytes, taker
from alpamayo_ros.contract import CAMERA_ROLES
from alpamayo_ros.intake import Intake
from alpamayo_ros.serialized import text


@pytest.fixture
def pair():
    """A node, its subscription to a topic and a publisher on it; no executor."""
    rclpy.init()
    node = rclpy.create_node("intake_test")
    subscription = node.create_subscription(String, "text", lambda data: None, 20, raw=True)
    publisher = node.create_publisher(String, "text", 20)
    wait_for(lambda: publisher.get_subscription_count())
    yield node, subscription, publisher
    node.destroy_node()
    rclpy.try_shutdown()


@pytest.mark.parametrize("make", [Buffers, lambda: take_bytes])
def test_messages_come_whole_and_in_order_with_their_publisher(pair, make):
    _, subscription, publisher = pair
    take, sent = make(), [letter * length for letter, length in (("a", 5), ("b", 50_000), ("c", 1), ("d", 0))]
    assert take(subscription) is None
    for word in sent:
        publisher.publish(String(data=word))
    got = [wait_for(lambda: take(subscription)) for _ in sent]
    assert [bytes(data) for data, _ in got] == [serialize_message(String(data=word)) for word in sent]
    assert len({gid for _, gid in got}) == 1 and len(got[0][1]) == 16 and any(got[0][1])


def test_both_ways_name_a_publisher_alike(pair):
    _, subscription, publisher = pair
    gids = []
    for take in (Buffers(), take_bytes):
        publisher.publish(String(data="x"))
        gids.append(wait_for(lambda take=take: take(subscription))[1])
    assert gids[0] == gids[1]


def test_a_buffer_is_used_again_once_nobody_looks(pair):
    _, subscription, publisher = pair
    take = Buffers()

    def taken(word):
        publisher.publish(String(data=word))
        return wait_for(lambda: take(subscription))[0]

    first, second = taken("first"), taken("second")
    view = first[4:]
    del first
    third = taken("third")
    assert [text(data) for data in (second, third)] == ["second", "third"]
    assert bytes(view).startswith(b"\6\0\0\0first"), "it is still looked at"
    used = len(take._spare)
    del view
    assert len(take._spare) == used + 1
    assert text(taken("fourth")) == "fourth"


def test_without_rcls_library_rclpy_takes(graph, monkeypatch):
    def absent(name):
        raise OSError(f"{name}: cannot open shared object file")

    with monkeypatch.context() as context:
        context.setattr(ctypes, "CDLL", absent)
        assert taker() is take_bytes
        graph.start()
    graph.play(seconds=3)
    graph.settle()
    assert graph.plans


def test_the_nodes_executor_leaves_the_inputs_alone_and_the_graph_shows_them(graph):
    driver = graph.start()
    waited_for = {subscription.topic_name for subscription in driver.subscriptions}
    inputs = {f"/camera/{role}/image/compressed" for role in CAMERA_ROLES} | {"/odometry"}
    assert not inputs & waited_for and "/command" in waited_for
    for topic in inputs:
        names = [info.node_name for info in graph.rig.get_subscriptions_info_by_topic(topic)]
        assert names == ["alpamayo_driver"]


def test_an_error_in_a_callback_is_said_and_the_next_message_is_served(pair, caplog):
    node, subscription, publisher = pair
    got = []

    def callback(data, _):
        got.append(text(data))
        if len(got) == 1:
            raise ValueError("the first one")

    intake = Intake(node.context)
    intake.listen(subscription, callback)
    intake.start()
    for word in ("one", "two"):
        publisher.publish(String(data=word))
    wait_for(lambda: got == ["one", "two"])
    intake.stop()
    assert "ValueError: the first one" in caplog.text


def test_its_timers_go_on_without_messages_and_end_with_it(pair):
    node, _, _ = pair
    calls, threads = [], set()

    def act():
        calls.append(time.monotonic())
        threads.add(threading.current_thread().name)

    intake = Intake(node.context)
    intake.every(0.01, act)
    intake.start()
    wait_for(lambda: len(calls) >= 5)
    intake.stop()
    before = len(calls)
    time.sleep(0.05)
    assert len(calls) == before and threads == {"alpamayo-intake"}


def test_it_ends_when_the_context_is_shut_down(pair):
    node, subscription, _ = pair
    intake = Intake(node.context)
    intake.listen(subscription, lambda data, gid: None)
    intake.start()
    rclpy.shutdown()
    wait_for(lambda: not intake._thread.is_alive())
