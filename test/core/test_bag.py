import shutil
from pathlib import Path

import pytest
from core.bags import drive_bag
from core.drives import START_NS, drive

from alpamayo_ros.contract import CAMERA_ROLES
from alpamayo_ros.replay.bag import Bag, BagError

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def jpeg(message, number):
    return b"\xff\xd8" + number.to_bytes(4, "big")


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_messages_come_in_order_of_receipt_with_their_bytes(tmp_path, storage):
    messages = drive(1.0)
    with Bag(drive_bag(tmp_path / "bag", messages, jpeg, storage)) as bag:
        got = list(bag.messages())
        assert len(got) == len(messages) == sum(bag.counts.values())
        assert [m.received_ns for m in got] == sorted(m.stamp_ns for m in messages)
        assert bag.start_ns == START_NS
        only = list(bag.messages(["/localization/kinematic_state"]))
        assert {m.type for m in only} == {"nav_msgs/msg/Odometry"} and len(only) == 52
        assert list(bag.messages(["/nothing"])) == []


@pytest.mark.parametrize("storage, suffix", [("mcap", ".mcap"), ("sqlite3", ".db3")])
def test_a_single_file_without_its_metadata_is_a_bag_too(tmp_path, storage, suffix):
    folder = drive_bag(tmp_path / "bag", drive(1.0), jpeg, storage)
    alone = shutil.copy(next(folder.glob(f"*{suffix}")), tmp_path / f"alone{suffix}")
    with Bag(alone) as bag, Bag(folder) as whole:
        assert list(bag.messages()) == list(whole.messages())


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda path: path / "nowhere", "does not exist"),
        (lambda path: path, "no bag"),
        (lambda path: (path / "a.txt", (path / "a.txt").write_text("x"))[0], "no bag"),
        (lambda path: (path / "a.mcap", (path / "a.mcap").write_bytes(b"not mcap"))[0], "no bag"),
    ],
    ids=["missing", "folder", "text", "garbage"],
)
def test_what_is_no_bag_is_said(tmp_path, make, words):
    with pytest.raises(BagError, match=words):
        Bag(make(tmp_path))


@pytest.mark.skipif(not DATA.is_dir(), reason="real drives (shared/data) are not here")
def test_a_real_recorded_drive_is_read():
    with Bag(DATA / "pandaset_002") as bag:
        cameras = [f"/sensing/camera/{role}/image_raw/compressed" for role in CAMERA_ROLES]
        assert all(bag.counts[topic] == 80 for topic in cameras)
        assert bag.counts["/localization/kinematic_state"] == 80


@pytest.mark.skipif(not DATA.is_dir(), reason="real drives (shared/data) are not here")
def test_a_real_sqlite_file_without_metadata_is_read():
    with Bag(DATA / "autoware_ego" / "turn_left_right.db3") as bag:
        assert sum(1 for _ in bag.messages(["/localization/kinematic_state"])) > 2000
