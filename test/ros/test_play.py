"""A bag through DDS into the driver, from a process of its own."""

import subprocess
import sys

import pytest
from core.bags import drive_bag
from core.drives import drive
from ros import fake_policy
from ros.graph import jpeg
from waiting import wait_for


def play(path, *options):
    command = [sys.executable, "-m", "alpamayo_ros", "play", str(path), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("storage, raw", [("mcap", False), ("sqlite3", True)])
def test_a_bag_drives_the_driver(graph, tmp_path, storage, raw):
    bag = drive_bag(tmp_path / "bag", drive(4), lambda m, n: jpeg(n), storage, raw=raw)
    graph.start(image_transport="raw" if raw else "compressed")
    player = play(bag)
    out, err = player.communicate(timeout=60)
    assert player.returncode == 0, err
    graph.settle()
    assert len(graph.plans) >= 10, "of 25; best effort, in real time: a busy machine may lose some"


def test_the_bags_time_is_the_clock(graph, tmp_path):
    bag = drive_bag(tmp_path / "bag", drive(4), lambda m, n: jpeg(n))
    graph.start(use_sim_time=True)
    player = play(bag, "--clock")
    player.communicate(timeout=60)
    graph.settle()
    assert len(graph.plans) >= 10
    assert 0.0 <= float(graph.status()[2]["latency_p50"]) < 0.5
    assert graph.driver._session.observer.epoch <= 3, "a steady clock must not be taken for jumps"


def test_a_looped_bag_begins_an_epoch_a_lap(graph, tmp_path):
    bag = drive_bag(tmp_path / "bag", drive(2.5), lambda m, n: jpeg(n))
    graph.start()
    player = play(bag, "--rate", "2", "--loop")
    wait_for(lambda: len({plan.epoch for plan in graph.plans}) >= 3, 30)
    player.terminate()
    player.wait(10)
    assert fake_policy.seen


@pytest.mark.parametrize(
    "words, arguments", [("does not exist", ["/nowhere"]), ("above 0", ["/nowhere", "--rate", "0"])]
)
def test_what_cannot_be_played_is_said(words, arguments):
    player = play(*arguments)
    _, err = player.communicate(timeout=30)
    assert player.returncode == 2 and words in err
