"""Transitions, parameters, failing loads, and the end of the process."""

import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
import yaml
from rclpy.parameter import Parameter
from ros import fake_policy
from waiting import wait_for

from alpamayo_ros import params
from alpamayo_ros.contract import CAMERA_ROLES
from alpamayo_ros.paths import config, share

TEST = Path(__file__).parent.parent


def state_of(driver):
    return driver._state_machine.current_state[1]


def test_transitions_load_start_stop_and_free(graph):
    driver = graph.start(active=False)
    assert state_of(driver) == "unconfigured"
    assert driver.trigger_configure().name == "SUCCESS" and state_of(driver) == "inactive"
    assert fake_policy.seen, "the policy is warmed up before it serves"
    assert driver.trigger_activate().name == "SUCCESS" and state_of(driver) == "active"
    assert driver.trigger_deactivate().name == "SUCCESS" and state_of(driver) == "inactive"
    assert not fake_policy.Fake.closed
    assert driver.trigger_cleanup().name == "SUCCESS" and state_of(driver) == "unconfigured"
    assert fake_policy.Fake.closed
    assert driver.trigger_configure().name == "SUCCESS"
    assert driver.trigger_shutdown().name == "SUCCESS" and state_of(driver) == "finalized"


def test_nothing_is_published_while_inactive(graph):
    driver = graph.start()
    graph.play(seconds=2.5)
    planned = wait_for(lambda: driver._session.statistics.plans)
    wait_for(lambda: len(graph.plans) == planned)
    driver.trigger_deactivate()
    graph.play(seconds=2.5, speed=4.0)
    graph.settle()
    assert len(graph.plans) == planned
    driver.trigger_activate()
    graph.wait_connected()
    graph.play(seconds=2.5)
    wait_for(lambda: len(graph.plans) > planned)


def test_a_load_that_fails_leaves_the_node_unconfigured_and_says_why(graph, capfd):
    driver = graph.start(active=False, fake__fail_to_load=True)
    assert driver.trigger_configure().name == "FAILURE" and state_of(driver) == "unconfigured"
    assert "FileNotFoundError: no checkpoint at /nowhere" in capfd.readouterr().err
    assert driver.set_parameters([Parameter("fake.fail_to_load", value=False)])[0].successful
    assert driver.trigger_configure().name == "SUCCESS"


def test_a_policy_that_fails_its_warm_up_is_freed(graph):
    def broken(_, plan):
        raise RuntimeError("no kernel image is available")

    fake_policy.hook = broken
    driver = graph.start(active=False)
    assert driver.trigger_configure().name == "FAILURE" and fake_policy.Fake.closed


def test_threads_end_with_the_session(graph):
    driver = graph.start(active=False)
    driver.trigger_configure()
    before = threading.active_count()
    for _ in range(5):
        driver.trigger_activate()
        driver.trigger_deactivate()
    wait_for(lambda: threading.active_count() <= before)


@pytest.mark.parametrize(
    "name, value, words",
    [
        ("policy", "gpt", "use one of"),
        ("pick", "newest", "nearest, at_or_before"),
        ("tolerance", 3.0, "Range"),
        ("max_repeats", 9, "Range"),
        ("autostart", False, "read-only"),
    ],
)
def test_a_wrong_value_is_refused_with_its_reason(graph, name, value, words):
    result = graph.start(active=False).set_parameters([Parameter(name, value=value)])[0]
    assert not result.successful and words.lower() in result.reason.lower().replace("_", "-") + result.reason.lower()


def test_parameters_are_fixed_while_configured(graph):
    driver = graph.start(active=False)
    driver.trigger_configure()
    result = driver.set_parameters([Parameter("tolerance", value=0.05)])[0]
    assert not result.successful and "clean up first" in result.reason


def flat(tree, prefix=""):
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def parameter_files():
    for path in sorted((share() / "config").glob("*.yaml")):
        tree = yaml.safe_load(path.read_text())
        for node, content in tree.items():
            if node in ("/**", "alpamayo_driver") and "ros__parameters" in content:
                yield pytest.param(path, content["ros__parameters"], id=f"{path.name}:{node}")


@pytest.mark.parametrize("path, tree", list(parameter_files()))
def test_every_yaml_key_is_a_declared_parameter_of_that_type_and_range(path, tree):
    table = {parameter.name: parameter for parameter in params.table()}
    for name, value in flat(tree):
        if name == "use_sim_time":  # every node's own
            assert isinstance(value, bool)
            continue
        assert name in table, f"{path.name}: {name} is not declared"
        assert type(value) is type(table[name].default), f"{path.name}: {name}"
        assert params.check(table[name], value) is None


def test_every_parameter_is_described(graph):
    driver = graph.start(active=False)
    for parameter in params.table():
        descriptor = driver.describe_parameter(parameter.name)
        assert len(descriptor.description) > 10, parameter.name
        ranged = descriptor.floating_point_range or descriptor.integer_range
        assert bool(ranged) == (parameter.range is not None), parameter.name


def test_the_rosdep_fallback_defaults_are_those_of_the_shipped_yaml():
    tree = yaml.safe_load(config("driver.yaml").read_text())["/**"]["ros__parameters"]
    defaults = params.defaults()
    assert {name: defaults[name] for name, _ in flat(tree)} == dict(flat(tree))


DRIVER = """
import sys, time
sys.path.insert(0, {test!r})
from alpamayo_ros import policies
policies._MODULES["fake"] = "ros.fake_policy"
from ros import fake_policy

def hang(observation, plan):
    if observation.t0_ns > 10**18:  # a tick of the drive, not the warm-up
        print("inside", flush=True)
        time.sleep(60)
    return plan

fake_policy.hook = hang
from alpamayo_ros.node import main
sys.exit(main(["driver", "--ros-args", "-p", "policy:=fake"]))
"""


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_middle_of_inference_ends_the_process_within_two_seconds(graph, signum):
    script = DRIVER.format(test=str(TEST))
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    try:
        graph.start(active=False)  # for its publishers; the driver is the other process
        wait_for(lambda: graph._publishers["odometry"].get_subscription_count() >= 1, 30)
        wait_for(lambda: all(graph._publishers[role].get_subscription_count() for role in CAMERA_ROLES), 30)
        feeding = threading.Thread(target=graph.play, kwargs={"seconds": 6, "speed": 2.0})
        feeding.start()
        assert process.stdout.readline() == "inside\n"
        began = time.monotonic()
        process.send_signal(signum)
        assert process.wait(timeout=10) == 0
        assert time.monotonic() - began < 2.0
    finally:
        process.kill()
        graph._closed = True
        feeding.join()


def test_autostart_that_fails_ends_with_an_error():
    script = f"import sys; sys.path.insert(0, {str(TEST)!r})\n" + textwrap.dedent(
        """
        from alpamayo_ros import policies
        policies._MODULES["fake"] = "ros.fake_policy"
        from alpamayo_ros.node import main
        sys.exit(main(["driver", "--ros-args", "-p", "policy:=fake", "-p", "fake.fail_to_load:=true"]))
        """
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and "no checkpoint at /nowhere" in done.stderr
