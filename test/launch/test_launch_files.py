import argparse
from pathlib import Path

import pytest
import yaml
from launch_recording import run

from alpamayo_ros import params
from alpamayo_ros.contract import CAMERA_ROLES
from alpamayo_ros.live import options
from alpamayo_ros.paths import config, share
from alpamayo_ros.transport import FALLBACK, NEEDED_BYTES, PROFILE, VARIABLE, profile

LAUNCH = share() / "launch"
FILES = sorted(LAUNCH.glob("*.launch.py"))
DRIVER, DEMO = LAUNCH / "driver.launch.py", LAUNCH / "demo.launch.py"


@pytest.fixture(autouse=True)
def no_profile(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_every_argument_is_described_and_has_a_default(path, monkeypatch):
    for argument in run(path, monkeypatch).arguments.values():
        assert argument.default_value is not None and len(argument.description) > 10, argument.name
        assert argument.choices is None or argument.default_value in argument.choices


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_every_parameter_given_is_declared(path, monkeypatch):
    launched = run(path, monkeypatch)
    table = {p.name: p for p in params.table()}
    for node in (n for n in launched.nodes if n.executable == "driver"):
        files = [launched.value(p) for p in node.parameters if not isinstance(p, dict)]
        assert files and all(Path(f).is_file() for f in files)
        for name, value in (item for p in node.parameters if isinstance(p, dict) for item in p.items()):
            if name.startswith("qos_overrides."):  # declared by the subscription
                continue
            assert name == "use_sim_time" or name in table
            assert isinstance(launched.value(value), type(table[name].default) if name in table else bool)


def test_the_driver_starts_with_the_shipped_parameters_and_profile(monkeypatch):
    launched = run(DRIVER, monkeypatch)
    (node,) = launched.nodes
    assert (node.package, node.executable, node.name) == ("alpamayo_ros", "driver", "alpamayo_driver")
    assert launched.value(node.parameters[0]) == str(config("driver.yaml"))
    assert launched.environment == {VARIABLE: str(profile())}
    assert node.remappings == [] and "policy" not in node.parameters[1]


def test_a_users_own_profile_is_left_alone(monkeypatch):
    monkeypatch.setenv(VARIABLE, "/etc/mine.xml")
    assert run(DRIVER, monkeypatch).environment == {}


def test_the_arguments_reach_the_node(monkeypatch):
    launched = run(DRIVER, monkeypatch, policy="baseline", namespace="ego", use_sim_time="true", log_level="debug")
    (node,) = launched.nodes
    assert launched.value(node.namespace) == "ego"
    assert node.parameters[1]["policy"] == "baseline"
    assert launched.value(node.parameters[1]["use_sim_time"]) is True
    assert [launched.value(a) for a in node.arguments] == ["--ros-args", "--log-level", "debug"]


def test_a_rig_file_becomes_remappings_and_parameters(monkeypatch):
    (node,) = run(DRIVER, monkeypatch, rig=str(config("rig_example.yaml"))).nodes
    topics = yaml.safe_load(config("rig_example.yaml").read_text())["topics"]
    expected = [(f"camera/{role}/image/compressed", topics[role]) for role in CAMERA_ROLES]
    assert node.remappings == [*expected, ("odometry", topics["odometry"])]
    assert node.parameters[1]["image_transport"] == "compressed"
    assert node.parameters[1]["cameras.cross_left.time_offset"] == 0.0


def test_the_fallback_profile_is_taken_where_shared_memory_is_small(tmp_path, monkeypatch):
    import os

    def room(blocks):
        return lambda path: os.statvfs_result((4096, 4096, blocks, blocks, blocks, 0, 0, 0, 0, 255))

    monkeypatch.setattr(os, "statvfs", room(NEEDED_BYTES // 4096))
    assert profile(tmp_path).name == PROFILE
    monkeypatch.setattr(os, "statvfs", room(NEEDED_BYTES // 4096 - 1))
    assert profile(tmp_path).name == FALLBACK


def test_there_is_no_shared_memory_at_all(tmp_path):
    assert profile(tmp_path / "nowhere").name == FALLBACK


def test_the_demo_starts_the_driver_on_the_worlds_clock_and_ends_with_the_world(monkeypatch):
    launched = run(DEMO, monkeypatch)
    driver, world = launched.nodes
    assert (driver.executable, world.executable) == ("driver", "world")
    assert driver.parameters[1] == {"use_sim_time": True} and world.on_exit is not None
    assert launched.environment == {VARIABLE: str(profile())}


def test_the_demos_arguments_are_the_worlds_own(monkeypatch):
    given = {"scenario": "junction", "seed": "3", "command": "turn left", "seconds": "12", "real_time_factor": "0.5"}
    driver, world = run(DEMO, monkeypatch, policy="baseline", **given).nodes
    assert driver.parameters[1]["policy"] == "baseline"
    parser = argparse.ArgumentParser()
    options.add(parser)
    parsed = parser.parse_args(world.arguments)
    assert (parsed.scenario, parsed.seed, parsed.command) == ("junction", 3, "turn left")
    assert (parsed.seconds, parsed.real_time_factor) == (12.0, 0.5)
