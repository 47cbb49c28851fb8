"""Where the plans of a stop for a light end, and what they take that from: the room that is left, or the car's speed.

A driver who stops comfortably has a speed that tells the room, so a model can learn to read its own speedometer
instead of the road (de Haan, Jayaraman, Levine 2019). Where its drive has come too fast, the two differ: a fit of the
plans' ends by both says which one counts.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np

from alpamayo_ros.contract import Policy
from alpamayo_ros.world.causes import Decision
from alpamayo_ros.world.closed_loop import Tick, run
from alpamayo_ros.world.episode import Cameras, Episode
from alpamayo_ros.world.longitudinal import COMFORTABLE_BRAKING, SOFT_STOP
from alpamayo_ros.world.scenario import Family
from alpamayo_ros.world.sources import ObserverSource
from alpamayo_ros.world.split import scenarios

from .small import IMAGE

FAMILIES = (Family.TRAFFIC_LIGHT, Family.LIGHT_QUEUE)
NEAREST, FARTHEST, SLOWEST = -1.0, 20.0, 0.8  # metres before the line, m/s
_STOPS = (Decision.STOP_FOR_RED, Decision.STOP_FOR_YELLOW)


def measure(policy: Policy, episodes: int, seed: int, seconds: float) -> dict[str, Any]:
    """Drives held-out lights and fits where the plans, and the rule driver's, end.

    Returns:
        Of the plan's and of the rule driver's farthest point, in metres ahead: the weights of the room to the line and
        of the comfortable stopping distance of the speed at t0, the constant; and the mean difference of the two.

    Raises:
        ValueError: the drives hold too few stops.
    """
    rows: list[tuple[float, ...]] = []
    tried = list(islice(scenarios(None, FAMILIES, seed), episodes))
    for scenario in tried:
        episode = Episode(scenario)
        cameras = Cameras(episode.scene, IMAGE)
        run(episode, policy, seconds, 0.1, cameras, ObserverSource(), on_tick=lambda tick: rows.extend(_row(tick)))
    if len(rows) < 10:
        raise ValueError(f"{len(rows)} ticks of stops for lights in {episodes} drives are too few: more --episodes")
    room, speed, planned, ruled = np.array(rows).T
    implied = ((speed + SOFT_STOP) ** 2 - SOFT_STOP**2) / (2.0 * COMFORTABLE_BRAKING)
    return {
        "episodes": [f"{each.family.value}:{each.seed}" for each in tried],
        "ticks": len(rows),
        "plan": _weights(room, implied, planned),
        "rule_driver": _weights(room, implied, ruled),
        "plan_goes_farther_m": round(float(np.mean(planned - ruled)), 2),
    }


def _row(tick: Tick) -> list[tuple[float, ...]]:
    signal, speed = tick.label.situation.signal, tick.snapshot.ego.speed
    if tick.label.decision not in _STOPS or signal is None or speed < SLOWEST:
        return []
    if not NEAREST < signal.room < FARTHEST:
        return []
    return [(signal.room, speed, float(tick.plan.xyz[tick.plan.chosen, :, 0].max()), float(tick.label.xyz[:, 0].max()))]


def _weights(room: np.ndarray, implied: np.ndarray, end: np.ndarray) -> dict[str, float]:
    columns = np.stack([room, implied, np.ones_like(room)], axis=-1)
    found = np.linalg.lstsq(columns, end, rcond=None)[0]
    return {name: round(float(w), 2) for name, w in zip(("room", "speed", "constant"), found, strict=True)}
