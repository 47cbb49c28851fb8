"""The driver with the shipped small model in CARLA's clothes: world, driver and follower in processes of their own."""

import json
import os
import subprocess
import sys

import pytest
import yaml

from alpamayo_ros import params
from alpamayo_ros.bridges import carla_topics
from alpamayo_ros.bridges.carla_options import FOLLOWER, ODOMETRY
from alpamayo_ros.paths import config

HIDDEN = "import sys; sys.modules['carla_msgs'] = None; sys.argv[1:] = {words}; "


def run(*words, timeout=200):
    return subprocess.run(words, capture_output=True, text=True, timeout=timeout, env=dict(os.environ))


def test_the_loop_closes_over_carlas_topics(tmp_path):
    report = tmp_path / "loop.json"
    words = ["bench", "bridges", "--bridge", "carla", "--episodes", "1", "--seconds", "7", "--json", str(report)]
    done = run(sys.executable, "-m", "alpamayo_ros", *words, "--scenario", "lead_steady", "--image-size", "96x192")
    assert done.returncode == 0, done.stderr
    told = json.loads(report.read_text())
    (drive,) = told["drives"]
    assert told["failed"] == 0 and drive["plans"] >= 10
    assert drive["messages_heard_per_s"][f"/carla/{carla_topics.ROLE}/vehicle_control_cmd"] > 10
    assert "following the path" in done.stderr and drive["driving"]["progress_m"] > 3.0


def test_without_carla_msgs_the_follower_says_so_and_ends():
    program = HIDDEN.format(words=["carla"]) + "from alpamayo_ros.__main__ import main; sys.exit(main())"
    done = run(sys.executable, "-c", program)
    assert done.returncode == 1
    assert "carla_msgs is not installed" in done.stderr and "ros-carla-msgs" in done.stderr


def test_the_driver_needs_no_carla_msgs():
    program = HIDDEN.format(words=[]) + (
        "import rclpy; from alpamayo_ros.node import AlpamayoDriver; from alpamayo_ros.bridges import carla_topics; "
        "rclpy.init(); words = carla_topics.driver_arguments('hero'); "
        "node = AlpamayoDriver(cli_args=['--ros-args', '-p', 'policy:=baseline', *words]); "
        "print(node.trigger_configure().name, node.trigger_activate().name, node.close())"
    )
    assert run(sys.executable, "-c", program).stdout.split() == ["SUCCESS", "SUCCESS", "True"]


@pytest.mark.parametrize(("node", "table"), [("carla_follower", FOLLOWER), ("carla_odometry", ODOMETRY)])
def test_every_key_of_the_yaml_is_a_parameter_of_its_node(node, table):
    known = {parameter.name: parameter for parameter in table}
    for name, value in yaml.safe_load(config("carla.yaml").read_text())[node]["ros__parameters"].items():
        if name != "use_sim_time":
            assert type(value) is type(known[name].default) and params.check(known[name], value) is None, name
