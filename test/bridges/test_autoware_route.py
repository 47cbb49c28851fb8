import math

import pytest

from alpamayo_ros.bridges.autoware_route import guidance

LEFT, RIGHT = math.pi / 2, -math.pi / 2


@pytest.mark.parametrize(
    ("goal", "text"),
    [
        ((80.0, 0.0, 0.0), "Continue straight"),
        ((80.0, 3.0, 0.1), "Continue straight"),
        ((40.0, 30.0, LEFT), "Turn left in 40m"),
        ((40.0, -30.0, RIGHT), "Turn right in 40m"),
        ((3.0, 30.0, LEFT), "Turn left in 10m"),
        ((63.0, 30.0, math.radians(60)), "Turn left in 50m"),  # 63 - 30 / tan 60 deg = 46 m
        ((20.0, 60.0, 0.0), "Turn left"),  # there and back again: where is in the map
        ((20.0, -60.0, 0.0), "Turn right"),
    ],
)
def test_one_turn_that_explains_the_goal_is_said_with_its_distance(goal, text):
    assert guidance(0.0, 0.0, 0.0, *goal).text == text


@pytest.mark.parametrize(
    ("goal", "unknown"),
    [
        ((-50.0, 0.0, 0.0), "behind"),
        ((-50.0, 40.0, LEFT), "one turn does not"),
        ((40.0, 30.0, RIGHT), "one turn does not"),  # it would be driven past before the turn
        ((60.0, 0.0, math.pi), "backwards"),
        ((3.0, 1.0, 0.0), "reached"),
    ],
)
def test_what_the_map_would_have_to_tell_is_not_guessed(goal, unknown):
    found = guidance(0.0, 0.0, 0.0, *goal)
    assert found.text == "" and unknown in found.unknown


def test_a_distance_without_the_map_says_that_there_may_be_other_turns():
    assert "other turns" in guidance(0.0, 0.0, 0.0, 40.0, 30.0, LEFT).unknown


@pytest.mark.parametrize("yaw", [0.0, 1.0, -2.5, 3.1])
def test_the_vehicles_own_place_and_heading_do_not_matter(yaw):
    cos, sin = math.cos(yaw), math.sin(yaw)
    goal_x, goal_y = 65_000.0 + 40.0 * cos - 30.0 * sin, 43_000.0 + 40.0 * sin + 30.0 * cos
    assert guidance(65_000.0, 43_000.0, yaw, goal_x, goal_y, yaw + LEFT).text == "Turn left in 40m"
