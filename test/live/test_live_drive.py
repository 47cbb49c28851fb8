"""A live drive without ROS: what it sends, what it follows, and what it does when the driver falls silent."""

import time
from collections import Counter

import numpy as np
import pytest

from alpamayo_ros.cdr import header_stamp_ns
from alpamayo_ros.contract import CAMERA_ROLES, SECOND_NS
from alpamayo_ros.live.drive import STALE_NS, LiveDrive
from alpamayo_ros.live.telling import Account, Heard, light_ahead, line, summary
from alpamayo_ros.world import wire
from alpamayo_ros.world.episode import START_NS, Size
from alpamayo_ros.world.follower import path_in_world
from alpamayo_ros.world.oracle import rule_plan
from alpamayo_ros.world.scenario import draw


@pytest.fixture
def live():
    """Makes a drive and keeps what it sends as (topic, bytes)."""
    made = []

    def make(family, seed=1, **options):
        sent = []
        drive = LiveDrive(draw(family, seed), Size(32, 64), lambda topic, data: sent.append((topic, data)), **options)
        made.append(drive)
        return drive, sent

    yield make
    for drive in made:
        drive.close()


def go(drive, seconds, hear=lambda: None):
    for number in range(round(seconds * 100)):
        if number % 10 == 0:
            hear()
        drive.step()


def finish(drive):
    deadline = time.monotonic() + 20
    while drive.cameras_behind:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_second_of_sensors(live):
    drive, sent = live("empty_road")
    drive.announce()
    go(drive, 1.0)
    finish(drive)
    count = Counter(topic for topic, _ in sent)
    assert count["odometry"] == count["/tf"] == count["/clock"] == 100 and count["/tf_static"] == 1
    for role in CAMERA_ROLES:
        assert count[f"camera/{role}/image/compressed"] == count[f"camera/{role}/camera_info"] == 10
    stamps = [header_stamp_ns(data) for topic, data in sent if topic == "camera/front_tele/image/compressed"]
    assert stamps == [START_NS + k * SECOND_NS // 10 for k in range(10)]


def test_the_rule_driver_drives_until_a_path_is_heard_and_then_nobody_is_judged_for_it(live):
    drive, _ = live("empty_road")
    go(drive, 1.0)
    assert drive.verdict() is None and drive.policy_since is None
    snapshot = drive.episode.snapshot
    drive.hear(path_in_world(rule_plan(drive.scene, snapshot), snapshot.ego.x, snapshot.ego.y, snapshot.ego.yaw))
    go(drive, 0.5)
    assert drive.policy_since == START_NS + SECOND_NS and drive.verdict().seconds == pytest.approx(0.5)


def test_a_heard_path_is_followed_where_it_leads(live):
    drive, _ = live("empty_road")

    def straight_to_the_left():
        ego, now = drive.episode.snapshot.ego, drive.episode.now_ns
        path = path_in_world(rule_plan(drive.scene, drive.episode.snapshot), ego.x, ego.y, ego.yaw)
        shift = 2.0 * np.array([-np.sin(start.yaw), np.cos(start.yaw)])
        drive.hear(type(path)(path.stamps_ns, path.xy + shift * min((now - START_NS) / 3e9, 1.0), path.yaw))

    start = drive.episode.snapshot.ego
    route = drive.scene.roads.route
    before = route.frenet_pose(start.x, start.y, start.yaw)[1]
    go(drive, 4.0, straight_to_the_left)
    ego = drive.episode.snapshot.ego
    assert route.frenet_pose(ego.x, ego.y, ego.yaw)[1] > before + 0.5


def test_a_silent_driver_is_braked_for(live):
    drive, _ = live("empty_road", seed=3)
    ego = drive.episode.snapshot.ego
    drive.hear(path_in_world(rule_plan(drive.scene, drive.episode.snapshot), ego.x, ego.y, ego.yaw))
    go(drive, STALE_NS / 1e9)
    fast = drive.episode.snapshot.ego.speed
    go(drive, 2.0)
    assert drive.episode.snapshot.ego.speed < fast - 2.0 and drive.stale_for > 1.5


def test_an_older_path_does_not_replace_a_newer_one(live):
    drive, _ = live("empty_road")
    ego = drive.episode.snapshot.ego
    path = path_in_world(rule_plan(drive.scene, drive.episode.snapshot), ego.x, ego.y, ego.yaw)
    newer = type(path)(path.stamps_ns + SECOND_NS, path.xy, path.yaw)
    drive.hear(newer)
    drive.hear(path)
    assert drive._path is newer


def test_the_users_command_goes_out_once_and_ends_behind_the_junction(live):
    drive, sent = live("junction", command="turn left please")
    go(drive, 1.0)
    assert [data for topic, data in sent if topic == "command"] == [wire.text("turn left please")]
    behind = max(junction.exit for junction in drive.scene.roads.junctions) + 20.0
    assert drive._text(behind) == ""


def test_what_is_told(live):
    drive, _ = live("traffic_light")
    snapshot, route = drive.episode.snapshot, drive.scene.roads.route
    stop = drive.scene.roads.junctions[snapshot.lights[0].junction].stop_s

    def at(s):
        x, y, yaw, _ = route.at(s, 0.0)
        return type(snapshot)(snapshot.t_ns, type(snapshot.ego)(x, y, yaw, 5.0), lights=snapshot.lights[:1])

    there = at(stop - 40.0)
    assert light_ahead(drive.scene, there) == snapshot.lights[0].colour.value
    assert light_ahead(drive.scene, at(stop - 200.0)) == light_ahead(drive.scene, at(stop + 10.0)) == "-"
    told = line(12.34, drive.scene, there, 0.085, "Stop for\nthe red light ahead.")
    assert " 12.3 s   18 km/h" in told and "85 ms  Stop for the red light ahead." in told


def test_the_summary_names_what_went_wrong(live):
    drive, _ = live("empty_road")
    heard = [Heard(k, {"decode": 0.004, "policy": 0.05}, 0.07, 0.1, "") for k in range(20)]
    drive.hear(path_in_world(rule_plan(drive.scene, drive.episode.snapshot), 0.0, 0.0, 0.0))
    go(drive, 0.2)
    text = summary(Account(heard, 2.0, 0.5, 0.3, (0.06, 0.08), drive.verdict()))
    assert "20, 10.0 a second" in text and "p50 60 ms, p95 80 ms" in text and "slowed       by 0.5 s" in text
    assert "braked       0.3 s" in text and "red lights run 0" in text
    assert "no plan came" in summary(Account([], 0.0, 0.0, 0.0, (0.0, 0.0), None))
