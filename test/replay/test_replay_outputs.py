"""What a replay leaves: a bag, tables, metrics."""

import json
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
from replay_reads import metrics, records

from alpamayo_ros.geometry import Pose, interpolate_poses
from alpamayo_ros.replay import plain
from alpamayo_ros.replay.bag import Bag
from alpamayo_ros.replay.recorded import driven
from alpamayo_ros.rig import propose_rig


@pytest.fixture(scope="module")
def done(bag, tmp_path_factory):
    from alpamayo_ros.replay.main import main

    out = tmp_path_factory.mktemp("outputs")
    assert main([str(bag), "--out", str(out), "--video"]) == 0
    return out / "turn"


def test_the_bag_has_every_plan_at_the_time_it_was_due_with_its_images_stamps(done):
    with Bag(done / "outputs") as opened:
        messages = list(opened.messages())
        assert opened.types["/alpamayo_driver/plan"] == "alpamayo_ros/msg/DrivingPlan"
    plans = [m for m in messages if m.topic == "/alpamayo_driver/plan"]
    planned = [r for r in records(done) if r.planned]
    assert [m.received_ns for m in plans] == [r.received_ns for r in planned]
    for message, record in zip(plans, planned, strict=True):
        plan = plain.deserialize(message.data, message.type)
        assert plan.header.stamp.sec * 10**9 + plan.header.stamp.nanosec == record.t0_ns
        stamps = [slot.stamp.sec * 10**9 + slot.stamp.nanosec for slot in plan.images]
        assert stamps == record.planned.stamps_ns.ravel().tolist() and len(plan.timings) == 0
    assert sum(m.topic == "/alpamayo_driver/path" for m in messages) == len(planned)
    refusals = [m for m in messages if m.topic == "/diagnostics"]
    texts = [plain.deserialize(m.data, m.type).status[0].message for m in refusals]
    assert len(texts) == len([r for r in records(done) if r.refusal]) and any("history_short" in t for t in texts)


def test_two_replays_have_bags_of_equal_bytes(bag, replay, tmp_path):
    for name in ("a", "b"):
        replay(bag, "--no-report", out=tmp_path / name)
    files = [next((tmp_path / name / "turn" / "outputs").glob("*.mcap")).read_bytes() for name in ("a", "b")]
    assert files[0] == files[1]


def test_the_tables_hold_every_tick_and_no_timing_among_the_plans(done):
    plans, timings = pq.read_table(done / "plans.parquet"), pq.read_table(done / "timings.parquet")
    told = list(records(done))
    assert plans["t0_ns"].to_pylist() == [r.t0_ns for r in told]
    for row, record in zip(plans.to_pylist(), told, strict=True):
        if record.refusal:
            assert row["refusal"] == record.refusal.reason.value and row["xyz"] is None
        else:
            assert np.array_equal(np.array(row["xyz"]).reshape(-1, 64, 3), record.planned.plan.xyz)
            assert row["reasoning"] == list(record.planned.plan.reasoning)
    assert set(timings["stage"].to_pylist()) >= {"decode", "policy"}
    assert not any("time" in name and "stamp" not in name for name in plans.column_names)


def test_the_future_is_the_bags_own_and_partial_where_it_ends(bag, done):
    with Bag(bag) as opened:
        stamps, poses = driven(opened, propose_rig(opened.types))
    rows = [row for row in pq.read_table(done / "plans.parquet").to_pylist() if row["refusal"] is None]
    for row in (rows[0], rows[-1]):
        t0, future = row["t0_ns"], np.array(row["driven_xyz"]).reshape(-1, 3)
        assert 0 <= stamps[-1] - t0 - len(future) * 10**8 < 10**8
        at = t0 + 10**8 * np.arange(len(future) + 1)
        there = interpolate_poses(stamps, poses, at)
        ego = Pose(there.xyz[0], there.quaternion[0])
        assert np.allclose(future, ego.inverse().apply(there.xyz[1:]), atol=1e-9)
    said = metrics(done)
    assert said["partial_horizon"]["ticks"] == len([r for r in rows if r["driven_xyz"]]) > 0
    assert "ade_6.4s" not in said["metrics"] and said["metrics"]["ade_1s"]["ticks"] < said["plans"]


def test_metrics_json_is_json_for_everybody(done):
    json.loads((done / "metrics.json").read_text(), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def test_the_video_has_a_frame_for_every_plan(done):
    av = pytest.importorskip("av", reason="pip install -r requirements/replay.txt")
    with av.open(str(done / "video.mp4")) as video:
        frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
        assert video.streams.video[0].codec_context.name == "h264"
    assert len(frames) == metrics(done)["plans"] and frames[0].shape[2] == 3
    assert np.abs(frames[0].astype(int) - frames[-1]).max() > 50


def test_the_output_bag_is_read_by_rclpys_own_classes(done):
    """What plain classes wrote is what rclpy's classes would have held, field by field."""
    pytest.importorskip("rclpy", reason="needs ROS")
    script = """
import sys
from rclpy.serialization import deserialize_message, serialize_message
from alpamayo_ros.messages import outgoing
from alpamayo_ros.msg import DrivingPlan
from alpamayo_ros.replay import journal
from alpamayo_ros.replay.bag import Bag
from alpamayo_ros.replay.records import placed
from nav_msgs.msg import Path
from std_msgs.msg import String
from visualization_msgs.msg import MarkerArray
from pathlib import Path as File

folder = File(sys.argv[1])
records = [r for r in journal.read(folder / "journal") if r.planned]
live = [outgoing(placed(record), markers=True) for record in records]
with Bag(folder / "outputs") as bag:
    for name, kind in (("path", Path), ("reasoning", String), ("plan", DrivingPlan), ("markers", MarkerArray)):
        written = [deserialize_message(m.data, kind) for m in bag.messages([f"/alpamayo_driver/{name}"])]
        sent = [deserialize_message(serialize_message(getattr(messages, name)), kind) for messages in live]
        assert written == sent, name
print(len(live))
"""
    done_ = subprocess.run([sys.executable, "-c", script, str(done)], capture_output=True, text=True, timeout=120)
    assert done_.returncode == 0, done_.stderr
    assert int(done_.stdout) == metrics(done)["plans"]
