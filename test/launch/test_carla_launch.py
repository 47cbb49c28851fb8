"""What carla.launch.py starts, for both ways in which CARLA comes onto ROS."""

from pathlib import Path

import pytest
from launch_recording import run

from alpamayo_ros.contract import CAMERA_ROLES
from alpamayo_ros.paths import config, share

CARLA = share() / "launch" / "carla.launch.py"


def started(monkeypatch, **arguments):
    launched = run(CARLA, monkeypatch, **arguments)
    return {node.name: node for node in launched.nodes}


def test_behind_the_ros_bridge_a_driver_and_a_follower(monkeypatch):
    nodes = started(monkeypatch)
    assert list(nodes) == ["alpamayo_driver", "carla_follower"]
    assert all(node.parameters[0] == str(config("carla.yaml")) for node in nodes.values())
    assert all(node.parameters[1]["use_sim_time"] is True for node in nodes.values())
    assert nodes["carla_follower"].parameters[1] == {"use_sim_time": True, "role_name": "hero", "follow": True}


def test_the_drivers_topics_are_those_of_the_role(monkeypatch):
    driver = started(monkeypatch, role_name="ego_vehicle")["alpamayo_driver"]
    expected = [(f"camera/{role}/image", f"/carla/ego_vehicle/{role}/image") for role in CAMERA_ROLES]
    assert driver.remappings == [*expected, ("odometry", "/carla/ego_vehicle/odometry")]
    reliable = [name for name, value in driver.parameters[1].items() if value == "reliable"]
    assert reliable == [
        f"qos_overrides./carla/ego_vehicle/{role}/image.subscription.reliability" for role in CAMERA_ROLES
    ]


def test_the_native_bridge_gets_a_source_of_odometry(monkeypatch):
    nodes = started(monkeypatch, bridge="native", role_name="ego", host="sim", port="2002")
    assert list(nodes) == ["alpamayo_driver", "carla_follower", "carla_odometry"]
    expected = {"use_sim_time": True, "role_name": "ego", "host": "sim", "port": 2002}
    assert nodes["carla_odometry"].parameters[1] == expected


def test_another_may_hold_the_wheel_and_another_policy_may_plan(monkeypatch):
    nodes = started(monkeypatch, follow="false", policy="vla")
    assert nodes["carla_follower"].parameters[1]["follow"] is False
    assert nodes["alpamayo_driver"].parameters[1]["policy"] == "vla"
    assert "policy" not in started(monkeypatch)["alpamayo_driver"].parameters[1]


@pytest.mark.parametrize("bridge", ["ros_bridge", "native"])
def test_every_executable_is_installed(monkeypatch, bridge):
    installed = (share() / "CMakeLists.txt").read_text()
    for node in started(monkeypatch, bridge=bridge).values():
        script = Path(share() / "scripts" / node.executable)
        assert script.stat().st_mode & 0o100 and f"scripts/{node.executable}" in installed
