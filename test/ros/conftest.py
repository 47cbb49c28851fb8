"""A graph of this process's own: loopback only, a domain of its own, before anything imports rclpy."""

import os
import random

os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
os.environ["ROS_DOMAIN_ID"] = str(random.SystemRandom().randint(1, 100))

import pytest  # noqa: E402

from alpamayo_ros.transport import use_profile  # noqa: E402

use_profile()


@pytest.fixture
def graph(monkeypatch):
    """A driver with the fake policy among its policies, a rig that feeds it, and what it published."""
    from ros.graph import Graph

    from alpamayo_ros import policies

    monkeypatch.setitem(policies._MODULES, "fake", "ros.fake_policy")
    made = Graph(monkeypatch)
    yield made
    made.close()
