"""Laws of speed on plain numbers, shared by the rule driver and the traffic.

Each gives the acceleration (m/s^2) that one constraint asks for; the driver takes the least.
"""

from __future__ import annotations

import math

import numpy as np

from alpamayo_ros.world.curves import STEP, Curve

ACCELERATION = 1.5
COMFORTABLE_BRAKING = 1.8
HARDEST_BRAKING = 6.0
HEADWAY = 1.4  # s
STANDSTILL_GAP = 4.0  # m, bumper to bumper
LATERAL = 2.0  # m/s^2, in bends
REACTION = 0.5  # s, over which a speed profile is followed
SOFT_STOP = 0.8  # m/s, below which braking eases off


def free_road(speed: float, wanted: float) -> float:
    """The free-road term of the Intelligent Driver Model (Treiber, Hennecke, Helbing 2000, eq. 3)."""
    return max(ACCELERATION * (1.0 - (speed / max(wanted, 0.1)) ** 4), -COMFORTABLE_BRAKING)


def follow(speed: float, wanted: float, gap: float, ahead_speed: float, headway: float = HEADWAY) -> float:
    """The whole of the same model: free road less a (s* / gap)^2, but no harder than the closing speed asks for.

    The plain model brakes at any short gap as for a collision; a driver whose gap was cut short lets it grow again.
    """
    closing = speed - ahead_speed
    gap = max(gap, 0.1)
    gap_wanted = (
        STANDSTILL_GAP + speed * headway + speed * closing / (2 * math.sqrt(ACCELERATION * COMFORTABLE_BRAKING))
    )
    model = free_road(speed, wanted) - ACCELERATION * (max(gap_wanted, STANDSTILL_GAP) / gap) ** 2
    needed = max(closing, 0.0) ** 2 / (2.0 * max(gap - 0.5 * STANDSTILL_GAP, 0.5))
    return max(model, -1.5 - 1.5 * needed, -HARDEST_BRAKING)


def speed_before_stop(distance: float) -> float:
    """The speed from which a comfortable stop ends after `distance` metres, easing off near the end."""
    if distance <= 0.0:
        return 0.0
    return math.sqrt(2.0 * COMFORTABLE_BRAKING * distance + SOFT_STOP**2) - SOFT_STOP


def stop_within(speed: float, distance: float) -> float:
    """Stop after `distance` metres (negative: the point is behind, brake firmly)."""
    if distance < -0.5:
        return -COMFORTABLE_BRAKING * 2 if speed > 0 else 0.0
    follow = (speed_before_stop(distance - REACTION * speed) - speed) / REACTION
    needed = speed * speed / (2.0 * max(distance, 0.3))
    return max(min(follow, -needed if needed > COMFORTABLE_BRAKING else follow), -HARDEST_BRAKING)


def bend_speed(curve: Curve, limit: float) -> np.ndarray:
    """(N,) speeds at the curve's samples: below `limit`, within the lateral comfort, and brakable in time."""
    fastest = np.minimum(limit, np.sqrt(LATERAL / np.maximum(np.abs(curve.curvature), 1e-4)))
    squares = fastest**2
    gain = 2.0 * 0.75 * COMFORTABLE_BRAKING * STEP
    for index in range(len(squares) - 2, -1, -1):
        squares[index] = min(squares[index], squares[index + 1] + gain)
    return np.sqrt(squares)


def follow_profile(speed: float, allowed: float) -> float:
    """Keep to a profile whose value `REACTION` seconds ahead is `allowed`."""
    return max((allowed - speed) / REACTION, -HARDEST_BRAKING)
