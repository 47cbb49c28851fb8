"""NVIDIA's clips and the small world's episodes as bags."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from replay_reads import metrics

from alpamayo_ros.cdr import header_stamp_ns
from alpamayo_ros.contract import CAMERA_ROLES
from alpamayo_ros.convert import main
from alpamayo_ros.imaging import decode_compressed
from alpamayo_ros.replay import plain
from alpamayo_ros.replay.bag import Bag
from alpamayo_ros.world.causes import parse

OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """The clip's cache, its bag, and what --check said; by the command, with NVIDIA's own package, off line."""
    pytest.importorskip("physical_ai_av", reason="needs Python 3.11: pip install -r requirements/test.txt")
    import pai_data

    cache, out = tmp_path_factory.mktemp("cache"), tmp_path_factory.mktemp("bags")
    pai_data.write(cache)
    command = [sys.executable, "-m", "alpamayo_ros", "convert", "physical-ai-av", pai_data.CLIP, "--out", str(out)]
    command += ["--revision", pai_data.REVISION, "--cache-dir", str(cache), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, env={**os.environ, **OFFLINE})
    assert done.returncode == 0, done.stderr
    return cache, out / pai_data.CLIP, json.loads(done.stdout.splitlines()[-1])


def test_our_observer_chooses_the_frames_and_poses_of_nvidias_own_reader(clip):
    _, _, said = clip
    assert said["ticks"] >= 20 and said["images"] == 16 * said["ticks"]
    assert said["other_frames"] == 0
    assert said["worst_position_mm"] < 1.0 and said["worst_rotation_rad"] < 1e-3


def test_the_images_are_those_frames_to_look_at(clip):
    import pai_data

    _, bag, _ = clip
    with Bag(bag) as opened:
        roles = [topic.split("/")[2] for topic in opened.types if topic.endswith("compressed")]
        assert sorted(roles) == sorted((*CAMERA_ROLES, "rear_left", "rear_tele", "rear_right"))
        for number, role in enumerate(pai_data.CAMERAS.values()):
            messages = list(opened.messages([f"/camera/{role}/image/compressed"]))
            assert len(messages) == 120
            for frame in (0, 31, 119):
                image = decode_compressed(messages[frame].data).astype(int)
                assert np.abs(image - pai_data.picture(number, frame)).mean() < 4.0
                at = header_stamp_ns(messages[frame].data) - 1_795_000_000 * 10**9
                assert at == pai_data.frame_times(number)[frame] * 1000


def test_the_cameras_are_drawn_where_nvidias_model_sees(clip):
    """CameraInfo's fisheye, fitted to the f-theta polynomial, within a third of a pixel of it everywhere."""
    import pai_data
    from physical_ai_av.utils.camera_models import FThetaCameraModel

    from alpamayo_ros.replay.recorded import cameras

    _, bag, _ = clip
    with Bag(bag) as opened:
        models = cameras(opened, {role: f"/camera/{role}/image/compressed" for role in CAMERA_ROLES})
    frame = pai_data.intrinsics().loc[pai_data.CLIP]
    for feature, role in pai_data.CAMERAS.items():
        if role not in CAMERA_ROLES:
            continue
        theirs = FThetaCameraModel.from_camera_row(frame.loc[feature])
        angles = np.radians(np.linspace(1.0, min(80.0, float(feature.split("_")[-1][:-3]) / 2), 40))
        turned = np.linspace(0, 5, 40)
        rays = np.stack([np.sin(angles) * np.cos(turned), np.sin(angles) * np.sin(turned), np.cos(angles)], axis=-1)
        assert np.abs(models[role].pixels(rays) - theirs.ray2pixel(rays)).max() < 0.33
        yaw = np.degrees(np.arctan2(*models[role].pose.matrix[1::-1, 2]))
        assert abs(yaw - pai_data.YAWS[role]) < 1e-6


def test_a_clip_is_replayed_like_any_bag(clip, replay, tmp_path):
    _, bag, _ = clip
    code, said = replay(bag, "-p", "pick:=at_or_before", out=tmp_path)
    assert code == 0, said
    assert metrics(tmp_path / bag.name)["plans"] > 15 and metrics(tmp_path / bag.name)["remarks"] == []


@pytest.mark.parametrize("words, sentence", [(["no-such-clip"], "has no clip 'no-such-clip'"), ([], "exists already")])
def test_what_cannot_be_converted_is_said(words, sentence, clip):
    import pai_data

    cache, bag, _ = clip
    command = [sys.executable, "-m", "alpamayo_ros", "convert", "physical-ai-av", *(words or [pai_data.CLIP])]
    command += ["--out", str(bag.parent), "--revision", pai_data.REVISION, "--cache-dir", str(cache)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env={**os.environ, **OFFLINE})
    assert done.returncode == 2 and sentence in done.stderr


def test_without_the_licence_it_is_said_what_to_do(tmp_path):
    command = [sys.executable, "-m", "alpamayo_ros", "convert", "physical-ai-av", "x", "--out", str(tmp_path)]
    command += ["--revision", "main", "--cache-dir", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env={**os.environ, **OFFLINE})
    assert done.returncode == 2 and "hf auth login" in done.stderr


def test_the_worlds_bags_have_the_true_causes(tmp_path, replay):
    words = ["world", "--family", "light_turn", "--seeds", "0-1", "--seconds", "2.5", "--height", "36", "--out"]
    assert main([*words, str(tmp_path / "bags")]) == 0
    bags = sorted((tmp_path / "bags").iterdir())
    assert [bag.name for bag in bags] == ["light_turn_000", "light_turn_001"]
    with Bag(bags[0]) as opened:
        causes = [plain.deserialize(m.data, m.type).data for m in opened.messages(["/truth/cause"])]
    assert len(causes) == 50 and all(parse(cause) for cause in causes)
    assert replay(*bags, "--no-report", out=tmp_path / "out")[0] == 0
    assert main([*words, str(tmp_path / "bags")]) == 2
