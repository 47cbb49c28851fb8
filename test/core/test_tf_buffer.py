import json
import threading
from pathlib import Path

import numpy as np
import pytest

from alpamayo_ros.geometry import IDENTITY, Pose, quaternion_from_yaw
from alpamayo_ros.tf_buffer import CONNECTIVITY, EXTRAPOLATION, LOOKUP, TransformBuffer, TransformError

GOLDEN = json.loads((Path(__file__).parent.parent / "fixtures" / "tf2_golden.json").read_text())
SECOND = 1_000_000_000


def pose(x=0.0, y=0.0, yaw=0.0):
    return Pose(np.array([x, y, 0.0]), quaternion_from_yaw(yaw))


@pytest.fixture(scope="module")
def golden_buffer():
    buffer = TransformBuffer(GOLDEN["cache_seconds"] * SECOND)
    for t in GOLDEN["transforms"]:
        placed = Pose(np.array(t["translation"], float), np.array(t["rotation_xyzw"], float))
        buffer.set_transform(t["parent"], t["child"], t["stamp_ns"], placed, t["static"])
    return buffer


@pytest.mark.parametrize("case", GOLDEN["lookups"], ids=lambda c: f"{c['target']}-{c['source']}-{c['stamp_ns']}")
def test_every_answer_is_that_of_tf2s_buffer_core(golden_buffer, case):
    if "error" in case:
        with pytest.raises(TransformError) as caught:
            golden_buffer.lookup(case["target"], case["source"], case["stamp_ns"])
        assert caught.value.kind == case["error"]
        return
    got, stamp = golden_buffer.lookup(case["target"], case["source"], case["stamp_ns"])
    expected = np.array(case["translation"])
    assert np.abs(got.xyz - expected).max() <= 1e-9 * max(1.0, np.abs(expected).max())
    q = np.array(case["rotation_xyzw"])
    assert min(np.abs(got.quaternion - q).max(), np.abs(got.quaternion + q).max()) <= 1e-9
    assert stamp == case["result_stamp_ns"]


def test_the_golden_file_holds_all_kinds_of_answers():
    kinds = [case.get("error") for case in GOLDEN["lookups"]]
    assert len(kinds) == 130 and {None, LOOKUP, CONNECTIVITY, EXTRAPOLATION} == set(kinds)


def test_clearing_keeps_what_is_static():
    buffer = TransformBuffer()
    buffer.set_transform("base_link", "imu", 0, pose(1.0), static=True)
    buffer.set_transform("odom", "base_link", SECOND, pose(5.0))
    buffer.clear()
    assert buffer.lookup("base_link", "imu", 3 * SECOND)[0].xyz[0] == 1.0
    with pytest.raises(TransformError):
        buffer.lookup("odom", "base_link", SECOND)


def test_the_cache_is_bounded_in_time():
    buffer = TransformBuffer(cache_ns=SECOND)
    for k in range(100):
        buffer.set_transform("odom", "base_link", k * SECOND // 10, pose(float(k)))
    buffer.lookup("odom", "base_link", 99 * SECOND // 10 - SECOND)
    with pytest.raises(TransformError) as caught:
        buffer.lookup("odom", "base_link", 99 * SECOND // 10 - SECOND - 1)
    assert caught.value.kind == EXTRAPOLATION


def test_a_late_transform_is_waited_for():
    buffer = TransformBuffer()
    buffer.set_transform("map", "odom", SECOND, pose(1.0))
    timer = threading.Timer(0.05, buffer.set_transform, ("map", "odom", 2 * SECOND, pose(3.0)))
    timer.start()
    got, _ = buffer.wait_for("map", "odom", 3 * SECOND // 2, timeout=5.0)
    assert got.xyz[0] == pytest.approx(2.0)
    timer.join()


def test_what_never_comes_ends_with_tf2s_error():
    with pytest.raises(TransformError) as caught:
        TransformBuffer().wait_for("map", "odom", SECOND, timeout=0.01)
    assert caught.value.kind == LOOKUP


@pytest.mark.parametrize(
    "parent, child, bad",
    [
        ("odom", "odom", IDENTITY),
        ("", "a", IDENTITY),
        ("a", "b", Pose(np.array([np.nan, 0, 0]), IDENTITY.quaternion)),
        ("a", "b", Pose(np.zeros(3), np.zeros(4))),
    ],
)
def test_what_is_no_transform_is_refused(parent, child, bad):
    with pytest.raises(ValueError):
        TransformBuffer().set_transform(parent, child, SECOND, bad)


def test_a_loop_among_frames_ends_in_an_answer():
    buffer = TransformBuffer()
    buffer.set_transform("a", "b", SECOND, pose(1.0))
    buffer.set_transform("b", "a", SECOND, pose(1.0))
    buffer.set_transform("x", "y", SECOND, pose(1.0))
    with pytest.raises(TransformError) as caught:
        buffer.lookup("x", "b", SECOND)
    assert caught.value.kind == LOOKUP
