"""A route of waypoints in the vehicle's frame, said as the user would say it."""

from __future__ import annotations

import math

import numpy as np

from alpamayo_ros.geometry import wrap_angle

REACH = 60.0  # metres ahead at which a turn is announced
STRETCH = 20.0  # metres within which a route turns at a junction; a bend takes longer
TURN = math.radians(60.0)
MADE = math.radians(10.0)  # of a turn under way: so much of it left is as good as none


def turn_text(waypoints: np.ndarray, current: str = "") -> str:
    """ "turn left", "turn right", or "" where the route asks for neither.

    Args:
        waypoints: (N, 2) metres in the rig frame, in the order of driving.
        current: what was said last; a turn that is under way is said until it is made.
    """
    points = waypoints[np.isfinite(waypoints).all(axis=1)]
    steps = np.diff(points, axis=0)
    lengths = np.hypot(steps[:, 0], steps[:, 1])
    steps, lengths = steps[lengths > 1e-3], lengths[lengths > 1e-3]
    if not len(steps):
        return ""
    heading = np.unwrap(np.arctan2(steps[:, 1], steps[:, 0]))
    middle = np.cumsum(lengths) - lengths / 2
    at = np.arange(0.0, REACH, 1.0)
    change = np.interp(at + STRETCH, middle, heading) - np.interp(at, middle, heading)
    # What is left of a turn begins at the vehicle, whose heading is the frame's own.
    change[0] = wrap_angle(np.interp(STRETCH, middle, heading))
    if current:
        return current if abs(change[0]) > MADE or np.abs(change).max() > TURN else ""
    turns = np.flatnonzero(np.abs(change) > TURN)
    if not len(turns):
        return ""
    return "turn left" if change[turns[0]] > 0 else "turn right"
