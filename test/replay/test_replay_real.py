"""A real drive (PandaSet 002, ../shared/data); skips where it is not."""

import pytest
from replay_reads import metrics, records

from alpamayo_ros.paths import share

DRIVE = share().parent / "shared" / "data" / "pandaset_002"
pytestmark = pytest.mark.skipif(not DRIVE.exists(), reason=f"{DRIVE} is not here")


def test_a_real_drive_is_planned_and_what_is_odd_about_its_cameras_is_said(replay, tmp_path):
    code, said = replay(DRIVE, out=tmp_path)
    assert code == 0, said
    whole = metrics(tmp_path / "pandaset_002")
    assert whole["ticks"] == 80 and whole["plans"] == 64
    assert whole["refusals"]["by_name"] == {"camera_gap": 3, "history_short": 13}
    assert any("front_wide sees" in remark for remark in whole["remarks"])
    assert whole["metrics"]["ade_3s"]["ticks"] == 34 and whole["partial_horizon"]["ticks"] > 50
    frames = {record.planned.odometry_frame for record in records(tmp_path / "pandaset_002") if record.planned}
    assert len(frames) == 1 and (tmp_path / "pandaset_002" / "report.html").stat().st_size < 10e6


def test_the_small_model_replays_it_twice_with_equal_hashes(replay, tmp_path):
    pytest.importorskip("onnxruntime", reason="pip install -r requirements/run.txt")
    hashes = []
    for name in ("a", "b"):
        code, said = replay(DRIVE, "--policy", "onnx", "-p", "plan_period:=1.0", "--no-report", out=tmp_path / name)
        assert code == 0, said
        hashes.append(metrics(tmp_path / name / "pandaset_002")["hash"])
    assert hashes[0] == hashes[1] and metrics(tmp_path / "a" / "pandaset_002")["plans"] > 3
