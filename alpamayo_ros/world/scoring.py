"""Scores one plan against the rule driver at the same instant: decision, distance, agreement, absent causes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from alpamayo_ros.contract import Plan
from alpamayo_ros.guard import Motion, agree, motion, path_acts, text_acts
from alpamayo_ros.metrics import min_ade
from alpamayo_ros.world.causes import Component, Decision, parse
from alpamayo_ros.world.follower import path_in_world
from alpamayo_ros.world.oracle import Label
from alpamayo_ros.world.perception import present
from alpamayo_ros.world.scene import Scene
from alpamayo_ros.world.state import Snapshot

SAMPLES = 6  # minADE_6


@dataclass(frozen=True)
class Score:
    """One tick. `said` is None for a sentence outside the closed set; `min_ade` in metres.

    `acts`: the text or the path acts; `agrees`: they agree (a sentence outside the set agrees with nothing);
    `absent`: the component that the text cites is not in the window.
    """

    truth: Decision
    said: Decision | None
    acts: bool
    agrees: bool
    absent: bool
    min_ade: float


def score(scene: Scene, snapshot: Snapshot, truth: Label, plan: Plan) -> Score:
    """A plan against the rule driver's label at its t0."""
    said = parse(plan.reasoning[plan.chosen])
    path = planned_motion(scene, snapshot, plan)
    acts = path_acts(path) or (said is not None and text_acts(said.claims))
    agrees = agree(said.claims, path) if said is not None else not path_acts(path)
    absent = said not in (None, truth.decision) and said.component not in present(scene, snapshot)
    return Score(truth.decision, said, acts, agrees, absent, min_ade(plan.xyz[:SAMPLES], truth.xyz))


def planned_motion(scene: Scene, snapshot: Snapshot, plan: Plan) -> Motion:
    """What the chosen sample does, on the route: its turn is what it heads away from the road it came on."""
    ego = snapshot.ego
    path = path_in_world(plan, ego.x, ego.y, ego.yaw)
    route = scene.roads.route
    aside_now = float(route.frenet(np.array([ego.x, ego.y]))[1])
    along = route.frenet(path.xy)
    road = scene.roads.main.curve
    s_now, s_end = (float(road.frenet(point)[0]) for point in (np.array([ego.x, ego.y]), path.xy[-1]))
    bend = road.at(s_end)[2] - road.at(s_now)[2]
    turn = float(plan.yaw[plan.chosen, -1]) - (bend if _still_on_main(scene, snapshot) else 0.0)
    turn = math.remainder(turn, 2.0 * math.pi)
    return motion(ego.speed, plan.speed[plan.chosen], turn, aside_now, along[:, 1])


def _still_on_main(scene: Scene, snapshot: Snapshot) -> bool:
    """True until the route has turned off the main road."""
    turn = scene.roads.turn_s
    s, _, _ = scene.roads.route.frenet_pose(snapshot.ego.x, snapshot.ego.y, snapshot.ego.yaw)
    return turn is None or s < turn[1]


def mentions(decision: Decision | None, component: Component) -> bool:
    """True where a text cites this component, lights of any colour but green counting as one."""
    stops = (Component.RED_LIGHT, Component.YELLOW_LIGHT)
    if decision is None:
        return False
    return decision.component in stops if component in stops else decision.component is component
