import pytest
import yaml
from launch_recording import run

from alpamayo_ros import params
from alpamayo_ros.bridges.autoware_options import TABLE, defaults, rules
from alpamayo_ros.bridges.autoware_topics import NAMINGS
from alpamayo_ros.contract import CAMERA_ROLES
from alpamayo_ros.paths import config, share

LAUNCH = share() / "launch" / "autoware.launch.py"


def test_the_driver_and_the_bridge_start_with_the_same_file(monkeypatch):
    launched = run(LAUNCH, monkeypatch, use_sim_time="true", policy="baseline")
    driver, bridge = launched.nodes
    assert (driver.executable, bridge.executable) == ("driver", "autoware_bridge")
    assert (driver.name, bridge.name) == ("alpamayo_driver", "autoware_bridge")
    for node in (driver, bridge):
        assert launched.value(node.parameters[0]) == str(config("autoware.yaml"))
        assert launched.value(node.parameters[1]["use_sim_time"]) is True
    assert driver.parameters[1]["policy"] == "baseline"
    assert (share() / "scripts" / "autoware_bridge").stat().st_mode & 0o111


def test_by_default_the_names_are_autowares(monkeypatch):
    driver, bridge = run(LAUNCH, monkeypatch).nodes
    names = dict(bridge.remappings)
    assert names["trajectory"] == "/planning/trajectory" and names["route"] == "/planning/route"
    assert names["odometry"] == dict(driver.remappings)["odometry"] == "/localization/kinematic_state"
    topics = yaml.safe_load(config("rig_example.yaml").read_text())["topics"]
    assert all((f"camera/{role}/image/compressed", topics[role]) in driver.remappings for role in CAMERA_ROLES)


def test_users_of_the_other_package_find_its_names(monkeypatch):
    driver, bridge = run(LAUNCH, monkeypatch, topics="alpamayo").nodes
    names = {**dict(driver.remappings), **dict(bridge.remappings)}
    assert names["trajectory"] == "/alpamayo/predicted_trajectory"
    assert names["~/reasoning"] == "/alpamayo/reasoning"
    assert names["reasoning"] == "/alpamayo/reasoning_stamped"
    assert dict(driver.remappings)["command"] == dict(bridge.remappings)["command"] == "/alpamayo/nav_text"


@pytest.mark.parametrize("naming", [name for name in NAMINGS if name != "own"])
def test_every_naming_names_the_same_topics(naming):
    assert set(NAMINGS[naming]) - {"command"} == set(NAMINGS["autoware"])
    assert all(topic.startswith("/") for topic in NAMINGS[naming].values())


@pytest.mark.parametrize(("node", "table"), [("alpamayo_driver", params.table()), ("autoware_bridge", TABLE)])
def test_every_key_of_the_file_is_a_parameter_of_its_node(node, table):
    given = yaml.safe_load(config("autoware.yaml").read_text())[f"/**/{node}"]["ros__parameters"]
    declared = {parameter.name: parameter for parameter in table}
    for name, value in given.items():
        assert isinstance(value, type(declared[name].default)), name
        assert params.check(declared[name], value) is None


def test_the_defaults_agree_with_each_other_and_with_their_own_limits():
    assert all(params.check(parameter, parameter.default) is None for parameter in TABLE)
    made = rules({**defaults(), "wheel_base": 3.0, "max_jerk": 2.0})
    assert made.bounds.wheel_base == made.limits.wheel_base == 3.0 and made.bounds.jerk == 2.0
