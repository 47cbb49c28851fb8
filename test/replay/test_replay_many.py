"""Many bags in processes and on a Ray cluster: the results of one process; what dies is done again."""

import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from replay_reads import metrics, records

from alpamayo_ros.replay import many
from alpamayo_ros.replay.setup import Setup


@pytest.fixture
def hashes(bag, even_bag, replay, tmp_path):
    """What one process gives for both bags."""
    assert replay(bag, even_bag, "--no-report", out=tmp_path / "serial")[0] == 0
    return {name: metrics(tmp_path / "serial" / name) for name in ("turn", "empty")}


def test_processes_give_what_one_gives(bag, even_bag, hashes, replay, tmp_path):
    code, said = replay(bag, even_bag, "--no-report", "--jobs", "2", out=tmp_path / "jobs")
    assert code == 0, said
    assert {name: metrics(tmp_path / "jobs" / name) for name in hashes} == hashes
    assert metrics(tmp_path / "jobs")["bags"] == 2


def test_a_cluster_gives_what_one_process_gives_and_reports_a_bad_bag(bag, even_bag, hashes, replay, tmp_path):
    pytest.importorskip("ray", reason="pip install -r requirements/test.txt")
    code, said = replay(bag, "/nowhere/bag", even_bag, "--no-report", "--cluster", "local", "--jobs", "2",
                        out=tmp_path / "cluster")  # fmt: skip
    assert code == 1 and "/nowhere/bag does not exist" in said
    assert {name: metrics(tmp_path / "cluster" / name) for name in hashes} == hashes


def test_without_ray_it_is_said_what_to_install(bag, replay, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    code, said = replay(bag, "--cluster", "local", out=tmp_path)
    assert code == 2 and "pip install 'alpamayo_ros[cluster]'" in said


def test_a_bag_whose_worker_is_killed_is_done_again(bag, hashes, tmp_path):
    """The first process that has written something is killed as the kernel would for want of memory."""
    setups = [Setup(bag, tmp_path / "killed", threads=1, report=False)]
    with _killing(tmp_path / "killed", b"spawn_main") as killed:
        (outcome,) = list(many.in_processes(setups, 1))
    assert killed and outcome.metrics is not None, outcome.error
    assert outcome.metrics["hash"] == hashes["turn"]["hash"]
    assert len(list(records(tmp_path / "killed"))) == hashes["turn"]["ticks"]


def test_a_bag_whose_actor_is_killed_is_done_again(bag, hashes, tmp_path):
    pytest.importorskip("ray", reason="pip install -r requirements/test.txt")
    setups = [Setup(bag, tmp_path / "killed", threads=1, report=False)]
    with _killing(tmp_path / "killed", b"ray::Replayer") as killed:
        (outcome,) = list(many.on_cluster(setups, "local", 1))
    assert killed and outcome.metrics is not None, outcome.error
    assert outcome.metrics["hash"] == hashes["turn"]["hash"]
    assert len(list(records(tmp_path / "killed"))) == hashes["turn"]["ticks"]


@contextmanager
def _killing(out, title):
    """Kills our descendant with that word in its command line once its first result is on the disk; lists whom."""
    journal, killed, done = out / "journal", [], threading.Event()

    def kill():
        while not done.is_set() and not killed:
            if journal.exists() and journal.stat().st_size:
                for process in psutil.Process().children(recursive=True):
                    if title in Path(f"/proc/{process.pid}/cmdline").read_bytes():
                        process.kill()
                        killed.append(process.pid)
            time.sleep(0.001)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        done.set()
        thread.join()
