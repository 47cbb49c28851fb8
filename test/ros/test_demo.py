"""`make drive` on a bag: three processes, a line for each plan, a summary, a picture."""

import os
import subprocess
import sys

import cv2
import numpy as np
from core.bags import drive_bag
from core.drives import drive


def jpeg(message, number):
    picture = np.full((90, 160, 3), (number * 5) % 256, np.uint8)
    return cv2.imencode(".jpg", picture)[1].tobytes()


def demo(*arguments):
    command = [sys.executable, "-m", "alpamayo_ros", "demo", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=dict(os.environ))


def test_a_bag_is_driven_and_shown(tmp_path):
    bag = drive_bag(tmp_path / "bag", drive(5), jpeg)
    done = demo("--bag", bag, "--out", tmp_path, "--policy", "baseline")
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("t0 ")]
    assert len(lines) >= 10 and all("Baseline" in line and " m/s" in line for line in lines)
    assert f"plans        {len(lines)}" in done.stdout and "history_short" in done.stdout
    assert cv2.imread(str(tmp_path / "drive.png")).shape == (760, 1600, 3)


def test_a_bag_that_is_not_there_is_said(tmp_path):
    done = demo("--bag", tmp_path / "nowhere", "--out", tmp_path)
    assert done.returncode == 2 and "does not exist" in done.stderr


def test_a_policy_that_cannot_be_loaded_ends_with_its_reason(tmp_path):
    bag = drive_bag(tmp_path / "bag", drive(2), jpeg)
    done = demo("--bag", bag, "--out", tmp_path, "--policy", "vla", "--checkpoint", tmp_path)
    assert done.returncode == 1 and "cannot configure" in done.stderr
