"""What Autoware calls the bridge's topics: one table a naming."""

from __future__ import annotations

from collections.abc import Mapping

from alpamayo_ros.rig import Rig

# The bridge's own name -> the stack's. What is not listed keeps the bridge's name.
#   autoware    Autoware since autoware_launch#1594 (2026)
#   scenario    Autoware before that, whose planning published under scenario_planning
#   alpamayo    the package `alpamayo_ros` of autowarefoundation/alpamayo-autoware
NAMINGS: Mapping[str, Mapping[str, str]] = {
    "autoware": {
        "odometry": "/localization/kinematic_state",
        "route": "/planning/route",
        "goal": "/planning/mission_planning/goal",
        "trajectory": "/planning/trajectory",
        "candidate_trajectories": "/planning/generator/alpamayo/candidate_trajectories",
        "reasoning": "/planning/generator/alpamayo/reasoning",
    },
    "scenario": {
        "odometry": "/localization/kinematic_state",
        "route": "/planning/mission_planning/route",
        "goal": "/planning/mission_planning/goal",
        "trajectory": "/planning/scenario_planning/trajectory",
        "candidate_trajectories": "/planning/generator/alpamayo/candidate_trajectories",
        "reasoning": "/planning/generator/alpamayo/reasoning",
    },
    "alpamayo": {
        "odometry": "/localization/kinematic_state",
        "route": "/planning/mission_planning/route",
        "goal": "/planning/mission_planning/goal",
        "trajectory": "/alpamayo/predicted_trajectory",
        "candidate_trajectories": "/alpamayo/candidate_trajectories",
        "reasoning": "/alpamayo/reasoning_stamped",
        "command": "/alpamayo/nav_text",
    },
    "own": {},
}
# What the driver publishes under the other package's names where users switch from it.
DRIVER: Mapping[str, Mapping[str, str]] = {
    "alpamayo": {"~/reasoning": "/alpamayo/reasoning", "command": "/alpamayo/nav_text"}
}


def remappings(naming: str) -> list[tuple[str, str]]:
    """The bridge's remappings for a naming.

    Raises:
        ValueError: no such naming.
    """
    if naming not in NAMINGS:
        raise ValueError(f"topics is {naming!r}; use one of {', '.join(NAMINGS)}")
    return list(NAMINGS[naming].items())


def driver_remappings(naming: str) -> list[tuple[str, str]]:
    """The driver's remappings for a naming, beside those of its rig."""
    return list(DRIVER.get(naming, {}).items())


def arguments(naming: str, rig: Rig) -> tuple[list[str], list[str]]:
    """The driver's and the bridge's remappings as words of a command line."""
    bridge = {**dict(remappings(naming)), "odometry": rig.topics["odometry"]}
    pairs = [*rig.remappings, *driver_remappings(naming)], list(bridge.items())
    driver, own = ([word for pair in each for word in ("-r", ":=".join(pair))] for each in pairs)
    return driver, own
