"""Output frames, foreign child frames, late transforms."""

import threading
import time

import numpy as np
from core.drives import START_NS, pose_at
from waiting import wait_for

from alpamayo_ros.contract import Reason
from alpamayo_ros.geometry import Pose, quaternion_from_yaw
from alpamayo_ros.messages import stamp_ns

MS = 1_000_000


def first_point(path):
    p = path.poses[0].pose.position
    return np.array([p.x, p.y, p.z])


def ego_at(stamp):
    pose = np.array(pose_at((stamp - START_NS) / 1e9))
    return Pose(pose[:3], pose[3:])


def test_plans_come_in_the_odometrys_own_frame(graph):
    graph.start()
    graph.play(seconds=2.5, odometry_frames=("utm_zone_54", "base_link"))
    graph.settle()
    assert graph.paths and {p.header.frame_id for p in graph.paths} == {"utm_zone_54"}


def test_no_tf_is_subscribed_to_where_odometry_says_it_all(graph):
    graph.start()
    graph.play(seconds=2.0)
    assert graph._publishers["/tf"].get_subscription_count() == 0


def test_plans_in_the_ego_frame_start_at_its_origin(graph):
    graph.start(output_frame="base_link")
    graph.play(seconds=2.5)
    graph.settle()
    assert graph.paths and {p.header.frame_id for p in graph.paths} == {"base_link"}
    assert all(np.linalg.norm(first_point(p) - [0.9, 0, 0]) < 0.05 for p in graph.paths)


def test_plans_in_another_frame_go_through_tf_at_t0(graph):
    graph.start(output_frame="map")
    wait_for(lambda: graph._publishers["/tf"].get_subscription_count())
    for k in range(-1, 80):
        graph.transform("map", "odom", START_NS + k * 50 * MS, xyz=(100 + k, 0, 0), yaw=0.3)
    graph.play(seconds=3)
    graph.settle()
    assert graph.paths and {p.header.frame_id for p in graph.paths} == {"map"}
    for path in graph.paths:
        t0 = stamp_ns(path.header.stamp)
        map_from_odom = Pose(np.array([100 + (t0 - START_NS) / (50 * MS), 0, 0]), quaternion_from_yaw(0.3))
        ahead = (map_from_odom @ ego_at(t0)).apply(np.array([0.9, 0.0, 0.0]))
        assert np.linalg.norm(first_point(path) - ahead) < 0.1


def test_a_child_frame_that_is_not_the_ego_frame_is_brought_to_it(graph):
    # CARLA's actor origin is 1.4 m ahead of the rear axle.
    graph.start()
    graph.transform("ego_vehicle", "base_link", START_NS, xyz=(-1.4, 0, 0), static=True)
    graph.play(seconds=4, odometry_frames=("odom", "ego_vehicle"))
    graph.settle()
    assert graph.paths
    for path in graph.paths[-5:]:
        rear = ego_at(stamp_ns(path.header.stamp)) @ Pose(np.array([-1.4, 0, 0]), quaternion_from_yaw(0.0))
        assert np.linalg.norm(first_point(path) - rear.apply(np.array([0.9, 0, 0]))) < 0.1


def test_a_transform_that_is_missing_is_named_and_nothing_is_published(graph):
    graph.start(output_frame="map", tf_timeout=0.0)
    graph.play(seconds=2.5)
    wait_for(lambda: graph.status() and graph.status()[2].get("refused.tf_unavailable"))
    assert not graph.paths and "map <- odom" in graph.status()[2]["last_refusal"]


def test_a_late_transform_is_waited_for_by_the_worker(graph):
    graph.start(output_frame="map", tf_timeout=1.0)
    wait_for(lambda: graph._publishers["/tf"].get_subscription_count())
    graph.transform("map", "odom", START_NS - 50 * MS)
    feeding = threading.Thread(target=graph.play, kwargs={"seconds": 4, "speed": 2.0})
    feeding.start()
    while feeding.is_alive():  # the newest transform is always behind the newest image, for a while
        time.sleep(0.2)
        newest = graph.driver._session.observer._cameras["front_wide"].newest_ns
        if newest:
            graph.transform("map", "odom", newest)
    feeding.join()
    graph.settle(1.2)
    assert len(graph.paths) >= 3


def test_a_bad_transform_is_said_and_the_others_count(graph):
    graph.start(output_frame="map")
    wait_for(lambda: graph._publishers["/tf"].get_subscription_count())
    graph.transform("map", "odom", START_NS, xyz=(float("nan"), 0, 0))
    for k in range(80):
        graph.transform("map", "odom", START_NS + k * 50 * MS)
    graph.play(seconds=2.5)
    graph.settle()
    assert graph.paths
    assert not graph.status()[2].get(f"refused.{Reason.TICK_FAILED.value}")
