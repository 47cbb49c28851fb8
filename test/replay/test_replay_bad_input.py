"""Whatever is wrong with a bag, a rig or a disk: a sentence that says what, where and what to do."""

import shutil
import struct
import subprocess
import sys

import pytest
from core.bags import COMPRESSED, ODOMETRY, drive_bag, odometry, write_bag
from core.drives import START_NS, drive
from core.ros_bytes import compressed, image
from replay_reads import metrics, records

from alpamayo_ros.contract import CAMERA_ROLES
from alpamayo_ros.replay import journal

JPEG = None


@pytest.fixture(scope="module", autouse=True)
def jpeg():
    import cv2
    import numpy as np

    global JPEG
    JPEG = cv2.imencode(".jpg", np.full((32, 48, 3), 90, np.uint8))[1].tobytes()


def topic(role):
    return f"/camera/{role}/image/compressed"


def another(number):
    """The picture in other bytes: a camera that moves never sends the same ones twice."""
    return JPEG + number.to_bytes(8, "little")


def messages(
    seconds=3.0, roles=CAMERA_ROLES, with_odometry=True, picture=lambda m: compressed(another(m.stamp_ns), m.stamp_ns)
):
    for m in drive(seconds):
        if m.stream == "odometry" and with_odometry:
            yield m.stamp_ns, "/odom", ODOMETRY, odometry(m.stamp_ns, m.pose)
        elif m.stream in roles:
            yield m.stamp_ns, topic(m.stream), COMPRESSED, picture(m)


def test_a_bag_without_a_role_says_which_one_and_what_there_is(replay, tmp_path):
    bag = write_bag(tmp_path / "one", messages(roles=("front_wide",)))
    code, said = replay(bag, out=tmp_path / "out")
    assert code == 1 and "cross_left, cross_right, front_tele" in said and topic("front_wide") in said
    drop = [word for role in ("cross_left", "cross_right", "front_tele") for word in ("--drop", role)]
    assert replay(bag, *drop, out=tmp_path / "out")[0] == 0
    assert metrics(tmp_path / "out" / "one")["plans"] > 10


def test_no_odometry(replay, tmp_path):
    bag = write_bag(tmp_path / "bag", messages(with_odometry=False))
    code, said = replay(bag, out=tmp_path / "out")
    assert code == 1 and "no topic could be the odometry" in said


@pytest.mark.parametrize(
    "change, words",
    [
        ({"front_wide": "/camera/nowhere"}, "no topic /camera/nowhere for front_wide; it has "),
        ({"front_wide": "/odom"}, "/odom for front_wide is nav_msgs/msg/Odometry, not sensor_msgs/msg/Image or"),
    ],
)
def test_a_rig_that_does_not_fit_the_bag(change, words, replay, tmp_path):
    import yaml

    bag = write_bag(tmp_path / "bag", messages(0.3))
    rig = tmp_path / "rig.yaml"
    rig.write_text(yaml.dump({"topics": {role: topic(role) for role in CAMERA_ROLES} | {"odometry": "/odom"} | change}))
    code, said = replay(bag, "--rig", rig, out=tmp_path / "out")
    assert code == 1 and words in said


def test_an_empty_bag(replay, tmp_path):
    bag = write_bag(tmp_path / "bag", [])
    code, said = replay(bag, out=tmp_path / "out")
    assert code == 1 and "Image topics: none" in said


def test_a_directory_that_is_no_bag_and_a_path_that_is_not_there(replay, tmp_path):
    (tmp_path / "folder").mkdir()
    code, said = replay(tmp_path / "folder", tmp_path / "nowhere", out=tmp_path / "out")
    assert code == 1 and "is no bag that can be read" in said and "does not exist" in said


def cut(path, storage, keep):
    (file,) = path.glob("*.mcap" if storage == "mcap" else "*.db3")
    data = file.read_bytes()
    file.write_bytes(data[: round(len(data) * keep)])


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_a_bag_that_ends_in_mid_message_is_read_up_to_there(storage, replay, tmp_path):
    noisy = lambda m, n: JPEG + bytes([n % 251]) * 4000  # noqa: E731  so that most of the file is images
    whole = drive_bag(tmp_path / "whole", drive(4), noisy, storage)
    assert replay(whole, out=tmp_path / "out")[0] == 0
    shutil.copytree(whole, tmp_path / "torn")
    cut(tmp_path / "torn", storage, 0.7)
    code, said = replay(tmp_path / "torn", out=tmp_path / "out")
    assert code == 0 and "read up to the damage" in said
    torn, before = (list(records(tmp_path / "out" / name)) for name in ("torn", "whole"))
    same = [journal.records.results(record) for record in before]
    assert 15 < len(torn) < len(before)
    # The last ticks before the damage were judged with less than what the whole bag had to offer.
    assert [journal.records.results(record) for record in torn[:-3]] == same[: len(torn) - 3]


def test_a_bag_that_lost_its_metadata_is_read_all_the_same(replay, tmp_path):
    bag = drive_bag(tmp_path / "bag", drive(3), lambda m, n: another(n))
    (bag / "metadata.yaml").unlink()
    code, said = replay(bag, out=tmp_path / "out")
    assert code == 0 and "metadata" in said and metrics(tmp_path / "out" / "bag")["plans"] > 10


def test_a_split_bag_whose_last_file_is_torn(replay, tmp_path):
    """rosbag2's own layout of a split recording that was killed: numbered files, no metadata.yaml."""
    bag = tmp_path / "split"
    bag.mkdir()
    for number, (first, last) in enumerate([(0.0, 1.5), (1.5, 3.0), (3.0, 4.5)]):
        part = [m for m in drive(4.5) if first * 1e9 <= m.stamp_ns - START_NS < last * 1e9]
        made = drive_bag(tmp_path / f"part{number}", part, lambda m, n: another(n) + bytes(4000))
        (file,) = made.glob("*.mcap")
        file.rename(bag / f"split_{number}.mcap")
    torn = bag / "split_2.mcap"
    torn.write_bytes(torn.read_bytes()[: torn.stat().st_size // 2])
    code, said = replay(bag, out=tmp_path / "out")
    assert code == 0 and "read up to the damage" in said
    last = list(records(tmp_path / "out" / "split"))[-1].t0_ns
    assert 3.2e9 < last - START_NS < 4.2e9


def reasons(folder):
    told = list(records(folder))
    refused = [refusal for record in told for refusal in record.refused]
    return {r.refusal.reason.value for r in told if r.refusal} | {refusal.reason.value for refusal in refused}


def test_images_that_are_none_are_named(replay, tmp_path):
    def picture(m):
        late = m.stream == "front_tele" and m.stamp_ns > START_NS + 2_200_000_000
        return compressed(b"" if late else another(m.stamp_ns), m.stamp_ns)

    bag = write_bag(tmp_path / "bag", messages(picture=picture))
    assert replay(bag, out=tmp_path / "out")[0] == 0
    assert "image_encoding" in reasons(tmp_path / "out" / "bag")
    assert metrics(tmp_path / "out" / "bag")["refusals"]["messages_by_name"]["image_encoding"] > 0


def test_an_encoding_that_nobody_knows_is_named(replay, tmp_path):
    def raw():
        for m in drive(2.5):
            if m.stream == "odometry":
                yield m.stamp_ns, "/odom", ODOMETRY, odometry(m.stamp_ns, m.pose)
            else:
                data = image(bytes(48 * 32 * 3), 48, 32, "klingon16", 144, m.stamp_ns)
                yield m.stamp_ns, f"/camera/{m.stream}/image", "sensor_msgs/msg/Image", data

    bag = write_bag(tmp_path / "bag", raw())
    assert replay(bag, out=tmp_path / "out")[0] == 0
    assert "image_encoding" in reasons(tmp_path / "out" / "bag") and metrics(tmp_path / "out" / "bag")["plans"] == 0


def test_stamps_that_go_back_begin_an_epoch(replay, tmp_path):
    first = list(messages(2.6))
    shift = first[-1][0] - first[0][0] + 10_000_000
    bag = write_bag(tmp_path / "bag", [*first, *((at + shift, *rest) for at, *rest in first)])
    assert replay(bag, out=tmp_path / "out")[0] == 0
    planned = [record for record in records(tmp_path / "out" / "bag") if record.planned]
    epochs = {record.epoch for record in planned}
    assert len(epochs) == 2
    laps = [[record.t0_ns for record in planned if record.epoch == epoch] for epoch in sorted(epochs)]
    assert laps[0][: len(laps[1])] == laps[1][: len(laps[0])]


def test_odometry_that_is_no_message(replay, tmp_path):
    def broken():
        for at, name, kind, data in messages(2.5):
            yield at, name, kind, data[:40] if kind == ODOMETRY and at > START_NS + 2_400_000_000 else data

    bag = write_bag(tmp_path / "bag", broken())
    assert replay(bag, out=tmp_path / "out")[0] == 0
    assert "message_corrupt" in reasons(tmp_path / "out" / "bag")


@pytest.mark.parametrize(
    "words, sentence",
    [
        (["--drop", "front_wide"], "its frames' stamps are the ticks"),
        (["--drop", "rear"], "the cameras are cross_left"),
        (["--policy", "nobody"], "no policy is called 'nobody'"),
        (["-p", "plan_period:=0.01"], "plan_period is 0.01; it goes from 0.05"),
        (["-p", "plan_perod:=0.1"], "no parameter is called 'plan_perod'"),
        (["-p", "plan_period"], "say NAME:=VALUE"),
        (["-p", "pick:=3"], "it has to be a str"),
        (["--threads", "0"], "have to be 1 or more"),
    ],
)
def test_what_cannot_be_asked_for_is_said_before_anything_is_read(words, sentence, replay, tmp_path):
    code, said = replay("/nowhere", *words, out=tmp_path)
    assert code == 2 and sentence in said


def test_a_policy_that_cannot_be_loaded(replay, tmp_path):
    bag = write_bag(tmp_path / "bag", messages(0.5))
    code, said = replay(bag, "--policy", "vla", "--checkpoint", tmp_path / "none", out=tmp_path / "out")
    assert code == 1 and "policy vla cannot be loaded" in said and str(tmp_path / "none") in said


def test_a_disk_that_fills_up_keeps_what_is_done(bag, replay, tmp_path):
    """The system itself refuses to write on: a limit on the size of files stands for the disk's."""
    program = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))\n"
        "from alpamayo_ros.replay.main import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", program, str(bag), "--out", str(tmp_path)]
    full = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert full.returncode == 1 and "cannot be written: File too large" in full.stderr
    assert "goes on from there" in full.stderr
    kept = len(list(records(tmp_path / "turn")))
    assert kept > 15
    assert replay(bag, out=tmp_path)[0] == 0 and replay(bag, out=tmp_path / "whole")[0] == 0
    assert metrics(tmp_path / "turn") == metrics(tmp_path / "whole" / "turn")


def test_no_permission_to_write(bag, replay):
    """/sys belongs to the kernel: nobody makes a directory there, not even root."""
    code, said = replay(bag, out="/sys/replay")
    assert code == 1 and "/sys/replay" in said and "cannot be written" in said


def test_where_a_file_stands_in_the_way(bag, replay, tmp_path):
    (tmp_path / "turn").write_text("a file")
    code, said = replay(bag, out=tmp_path)
    assert code == 1 and "cannot be written" in said


def test_a_bad_bag_does_not_stop_the_rest(bag, replay, tmp_path):
    code, said = replay("/nowhere/bag", bag, out=tmp_path)
    assert code == 1 and "does not exist" in said and (tmp_path / "turn" / "report.html").exists()
    assert "/nowhere/bag" in metrics(tmp_path)["failed"]


def test_two_bags_of_one_name_are_kept_apart(bag, replay, tmp_path):
    shutil.copytree(bag, tmp_path / "again" / "turn")
    code, _ = replay(bag, tmp_path / "again" / "turn", "--no-report", out=tmp_path / "out")
    names = sorted(path.name for path in (tmp_path / "out").iterdir() if path.is_dir())
    assert code == 0 and len(names) == 2 and names[0] == "again_turn"


def test_compressed_chunks_and_messages_are_read(replay, tmp_path):
    from core.ros_bytes import STORE
    from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

    hashes = []
    for name, mode, plugin in (
        ("plain", None, StoragePlugin.MCAP),
        ("chunks", CompressionMode.STORAGE, StoragePlugin.MCAP),
        ("messages", CompressionMode.MESSAGE, StoragePlugin.SQLITE3),
        ("file", CompressionMode.FILE, StoragePlugin.SQLITE3),
    ):
        writer = Writer(tmp_path / name, version=9, storage_plugin=plugin)
        if mode is not None:
            writer.set_compression(mode, CompressionFormat.ZSTD)
        with writer:
            topics = {}
            for at, where, kind, data in messages(2.5):
                if where not in topics:
                    topics[where] = writer.add_connection(where, kind, typestore=STORE)
                writer.write(topics[where], at, data)
        code, said = replay(tmp_path / name, "--no-report", out=tmp_path / "out")
        assert code == 0, said
        hashes.append(metrics(tmp_path / "out" / name)["hash"])
    assert len(set(hashes)) == 1


@pytest.mark.parametrize("end", [struct.pack("<III", 5, 5, 1) + b"wrong sum.", bytes(4096), b"\x01"])
def test_a_journals_torn_end_is_cut_off(end, tmp_path):
    path = tmp_path / "journal"
    path.write_bytes(end)
    with journal.Journal(path) as opened:
        assert opened.count == 0
    assert path.stat().st_size == 0
