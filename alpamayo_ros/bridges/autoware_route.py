"""From a goal to navigation text, without the map.

A LaneletRoute names lanelets by id; their shapes, junctions and street names are in the Lanelet2 map, which this
package does not read. What is known without it is where the goal lies and which way it faces. Where one turn explains
both, the turn is where the vehicle's heading line meets the goal's; anything more is a guess and is not said.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from alpamayo_ros.geometry import wrap_angle

# A goal this near is reached (m).
REACHED = 5.0
# Headings this far apart are no longer one road (rad).
BEND = math.radians(35.0)
# A goal that faces about backwards takes two turns, or a turn about: neither is known.
ABOUT = math.radians(145.0)
# Distances are said in tens (m).
ROUNDED = 10.0


@dataclass(frozen=True)
class Guidance:
    """`text` for the model ("" for none), and what cannot be known without the map ("" where all is said)."""

    text: str
    unknown: str = ""


def guidance(x: float, y: float, yaw: float, goal_x: float, goal_y: float, goal_yaw: float) -> Guidance:
    """What to tell a vehicle at (x, y, yaw) about its goal; metres and radians in one frame."""
    dx, dy = goal_x - x, goal_y - y
    ahead = dx * math.cos(yaw) + dy * math.sin(yaw)
    left = dy * math.cos(yaw) - dx * math.sin(yaw)
    turn = float(wrap_angle(goal_yaw - yaw))
    if math.hypot(dx, dy) < REACHED:
        return Guidance("", "the goal is reached")
    if abs(turn) > ABOUT:
        return Guidance("", "the goal faces backwards: which turns lead there is in the map")
    if abs(turn) < BEND:
        if ahead <= 0.0:
            return Guidance("", "the goal lies behind: which turns lead there is in the map")
        if abs(left) <= ahead * math.tan(BEND):
            return Guidance("Continue straight", "" if abs(left) < REACHED else "a change of lane or a bend before it")
        side = "left" if left > 0.0 else "right"
        return Guidance(f"Turn {side}", "where to turn, and where to turn back, is in the map")
    side = "left" if turn > 0.0 else "right"
    # The vehicle's heading line meets the goal's line where ahead - left / tan(turn) metres have been driven.
    corner = ahead - left / math.tan(turn)
    beyond = left / math.sin(turn)  # metres from the corner to the goal, along the goal's heading
    if corner <= 0.0 or beyond <= 0.0:
        return Guidance("", "one turn does not lead to the goal: which turns do is in the map")
    return Guidance(f"Turn {side} in {max(ROUNDED, round(corner / ROUNDED) * ROUNDED):.0f}m", "other turns before it")
