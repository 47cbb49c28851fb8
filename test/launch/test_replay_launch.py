"""What replay.launch.py plays, and under which names."""

from core.bags import drive_bag
from core.drives import drive
from launch_recording import run

from alpamayo_ros.contract import CAMERA_ROLES
from alpamayo_ros.paths import share

REPLAY = share() / "launch" / "replay.launch.py"


def test_a_bag_is_played_under_the_drivers_names(monkeypatch, tmp_path):
    bag = drive_bag(tmp_path / "bag", drive(0.2), lambda m, n: b"\xff\xd8")
    launched = run(REPLAY, monkeypatch, bag=str(bag), policy="baseline", rate="0.5", loop="true")
    (process,), (node,) = launched.processes, launched.nodes
    words = process.cmd
    assert words[:4] == ["ros2", "bag", "play", str(bag)] and "--loop" in words
    assert words[words.index("--rate") + 1] == "0.5"
    remaps = words[words.index("--remap") + 1 :]
    assert remaps == [
        *(f"/sensing/camera/{r}/image_raw/compressed:=/camera/{r}/image/compressed" for r in CAMERA_ROLES),
        "/localization/kinematic_state:=/odometry",
    ]
    played = words[words.index("--topics") + 1 : words.index("--remap")]
    assert played == [remap.split(":=")[0] for remap in remaps]
    assert node.parameters[1] == {"use_sim_time": True, "image_transport": "compressed", "policy": "baseline"}
    assert process.on_exit.reason


def test_without_a_bag_it_says_so_and_starts_nothing(monkeypatch):
    launched = run(REPLAY, monkeypatch)
    assert launched.nodes == [] and launched.processes == []
