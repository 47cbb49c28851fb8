"""security/policy.xml against the running node: what it allows is what the node has, no more and no less."""

import xml.etree.ElementTree as ElementTree

import pytest
import rclpy
from rclpy.parameter import Parameter
from waiting import wait_for

from alpamayo_ros.node import AlpamayoDriver
from alpamayo_ros.paths import share

# A name of its own: the graph tells of nodes by their names, and others may be about.
NAME = "driver_of_the_policy"
KINDS = {"publish": "publisher", "subscribe": "subscriber", "reply": "service", "request": "client"}


def policy():
    return ElementTree.parse(share() / "security" / "policy.xml").getroot()


def allowed(right):
    """The full names of what the policy allows: "publish" and "subscribe" topics, "reply" and "request" services."""
    (profile,) = policy().iter("profile")
    assert (profile.get("ns"), profile.get("node")) == ("/", "alpamayo_driver")
    names = [each.text for group in profile if group.get(right) == "ALLOW" for each in group]
    assert len(names) == len(set(names))
    return {name.replace("~", f"/{NAME}", 1) for name in names}


@pytest.fixture(scope="module")
def has():
    """Right -> what the active node has, with everything on that opens a topic: TF, a simulated clock, markers."""
    rclpy.init()
    values = {"autostart": False, "policy": "baseline", "output_frame": "map", "use_sim_time": True}
    overrides = [Parameter(name, value=value) for name, value in values.items()]
    node = AlpamayoDriver(cli_args=["--ros-args", "-r", f"__node:={NAME}"], parameter_overrides=overrides)
    assert node.trigger_configure().name == "SUCCESS" and node.trigger_activate().name == "SUCCESS"

    def of(kind):
        return {name for name, _ in getattr(node, f"get_{kind}_names_and_types_by_node")(NAME, "/")}

    wait_for(lambda: f"/{NAME}/question" in of("subscriber"))
    yield {right: of(kind) for right, kind in KINDS.items()}
    node.close()
    node.destroy_node()
    rclpy.shutdown()


@pytest.mark.parametrize("right", KINDS)
def test_the_policy_allows_what_the_node_does_and_nothing_else(has, right):
    assert allowed(right) == has[right]


def test_the_policy_has_no_wildcards_and_denies_the_rest():
    root = policy()
    assert {group.tag for profile in root.iter("profile") for group in profile} == {"topics", "services"}
    values = [*(each.text or "" for each in root.iter()), *(v for each in root.iter() for v in each.attrib.values())]
    assert not [value for value in values if "*" in value or "?" in value or value == "DENY"]
