from dataclasses import replace

import numpy as np
import pytest
from world.scenes import car_at, on_route, person_at, scenario

from alpamayo_ros.world.causes import Component, Decision
from alpamayo_ros.world.oracle import Label, label
from alpamayo_ros.world.perception import Manner, perceive, present
from alpamayo_ros.world.scenario import Bend, Layout, Zone
from alpamayo_ros.world.scene import Scene, build
from alpamayo_ros.world.state import Blinker, Colour, LightState, Snapshot
from alpamayo_ros.world.vehicle import FRONT_REACH

ROAD = build(scenario("empty_road", 9, layout=Layout.TWO_WAY, zone=Zone.SUBURB))
LIMIT = ROAD.scenario.speed_limit
LIGHTS = build(scenario("traffic_light", 1, behaviour="red", command=""))
STOP_S = LIGHTS.roads.junctions[0].stop_s


def at_light(room: float, speed: float, colour: Colour) -> Label:
    """The front bumper `room` metres before the stop line."""
    snapshot = replace(on_route(LIGHTS, STOP_S - room - FRONT_REACH, speed), lights=(LightState(0, colour),))
    return label(LIGHTS, snapshot)


def behind(gap: float, speed: float, ahead: float, **rest) -> Label:
    """A car ahead on the plain road, `gap` metres from bumper to bumper."""
    car = car_at(ROAD, 30.0 + FRONT_REACH + gap + 2.25, 0.0, ahead, **rest)
    return label(ROAD, replace(on_route(ROAD, 30.0, speed), cars=(car,)))


def test_at_the_limit_on_a_clear_road_it_keeps_its_speed_and_line():
    found = label(ROAD, on_route(ROAD, 30.0, LIMIT))
    assert found.decision is Decision.KEEP
    assert np.allclose(found.speed, LIMIT, atol=0.1)
    assert np.abs(found.xyz[:, 1]).max() < 0.05
    assert found.xyz[-1, 0] == pytest.approx(6.4 * LIMIT, rel=0.01)


def test_from_standing_it_speeds_up():
    found = label(ROAD, on_route(ROAD, 30.0, 0.0))
    assert found.decision is Decision.SPEED_UP
    assert found.speed[-1] > 6.0


def test_off_its_line_it_comes_back():
    found = label(ROAD, on_route(ROAD, 30.0, LIMIT, d=0.5))
    assert abs(found.rollout.d[-1]) < 0.03
    assert found.rollout.d.min() > -0.1


def test_a_red_light_is_stopped_for_before_the_line():
    found = at_light(35.0, 9.0, Colour.RED)
    assert found.decision is Decision.STOP_FOR_RED
    assert found.speed[-1] < 1.0
    assert found.xyz[-1, 0] < 35.0


def test_a_green_light_is_gone_through():
    found = at_light(35.0, 9.0, Colour.GREEN)
    assert found.decision is Decision.GO_ON_GREEN
    assert found.xyz[-1, 0] > 45.0


def test_a_yellow_light_is_stopped_for_only_where_it_is_comfortable():
    assert at_light(35.0, 9.0, Colour.YELLOW).decision is Decision.STOP_FOR_YELLOW
    near = at_light(8.0, 9.0, Colour.YELLOW)
    assert near.decision is not Decision.STOP_FOR_YELLOW
    assert near.speed.min() > 8.0


def test_a_standing_driver_goes_on_green():
    waiting = at_light(1.5, 0.0, Colour.RED)
    going = at_light(1.5, 0.0, Colour.GREEN)
    assert waiting.decision is Decision.STOP_FOR_RED
    assert waiting.xyz[-1, 0] < 1.5
    assert going.decision is Decision.GO_ON_GREEN
    assert going.xyz[-1, 0] > 15.0


def test_cars_ahead_are_followed_braked_for_and_stopped_behind():
    steady = behind(15.0, 7.0, 6.0)
    braking = behind(15.0, 8.0, 7.0, braking=True)
    standing = behind(25.0, 8.0, 0.0, braking=True)
    assert steady.decision is Decision.FOLLOW
    assert braking.decision is Decision.SLOW_FOR_BRAKING_CAR
    assert standing.decision is Decision.STOP_BEHIND_CAR
    assert standing.xyz[-1, 0] < 25.0 - 1.5
    assert braking.speed[-1] < 0.5 * steady.speed[-1]


def test_a_car_in_the_next_lane_matters_once_it_indicates():
    scene = build(scenario("cut_in", 0, behaviour="left"))
    base = on_route(scene, 30.0, scene.scenario.speed_limit)
    beside = car_at(scene, 49.0, 3.6, 6.0)
    assert label(scene, replace(base, cars=(beside,))).decision is Decision.KEEP
    indicating = label(scene, replace(base, cars=(replace(beside, blinker=Blinker.RIGHT),)))
    assert indicating.situation.lead.manner is Manner.FROM_LEFT
    assert indicating.decision is Decision.CUT_IN_LEFT
    assert indicating.speed[-1] < base.ego.speed - 1.0


def test_a_person_who_crosses_is_stopped_for_and_one_who_stands_by_is_not():
    base = on_route(ROAD, 30.0, 8.0)
    crossing = label(ROAD, replace(base, pedestrians=(person_at(ROAD, 60.0, -2.0, 1.4),)))
    standing = label(ROAD, replace(base, pedestrians=(person_at(ROAD, 60.0, -3.5),)))
    gone = label(ROAD, replace(base, pedestrians=(person_at(ROAD, 60.0, 4.0, 1.4),)))
    assert crossing.decision is Decision.STOP_FOR_PEDESTRIAN
    assert standing.decision is gone.decision is Decision.SPEED_UP or standing.decision is Decision.KEEP
    assert crossing.speed.min() < 4.0 < standing.speed.min()


@pytest.mark.parametrize(
    ("behaviour", "decision", "sign"), [("right", Decision.NUDGE_LEFT, 1), ("left", Decision.NUDGE_RIGHT, -1)]
)
def test_cones_are_passed_on_the_other_side(behaviour, decision, sign):
    scene = build(scenario("cones", 1, behaviour=behaviour))
    row = scene.cast.cones[0]
    found = label(scene, on_route(scene, row.s - 20.0, 8.0))
    assert found.decision is decision
    assert 0.6 < sign * found.rollout.d[30] < 0.85


@pytest.mark.parametrize("turn", ("left", "right", "straight"))
def test_the_same_junction_is_turned_at_as_the_command_says(turn):
    seed = next(seed for seed in range(40) if scenario("junction", seed).turn == turn)
    scene = build(scenario("junction", seed))
    found = label(scene, on_route(scene, scene.roads.junctions[0].s - 26.0, 6.0))
    expected = {"left": Decision.TURN_LEFT, "right": Decision.TURN_RIGHT, "straight": Decision.STRAIGHT_ON}
    assert found.decision is expected[turn]
    side = {"left": 1, "right": -1, "straight": 0}[turn]
    assert found.yaw[-1] * side > 0.5 or side == 0 and abs(found.yaw[-1]) < 0.05


@pytest.mark.parametrize(
    ("bend", "decision"),
    [(Bend.SHARP_LEFT, Decision.SLOW_FOR_BEND_LEFT), (Bend.SHARP_RIGHT, Decision.SLOW_FOR_BEND_RIGHT)],
)
def test_a_sharp_bend_is_slowed_down_for(bend, decision):
    scene = build(scenario("empty_road", 9, bend=bend, zone=Zone.RURAL, event_s=90.0))
    found = label(scene, on_route(scene, 55.0, 13.0))
    assert found.decision is decision
    assert np.max(found.speed**2 * np.abs(found.curvature)) < 2.6


def test_hidden_intentions_are_not_in_the_label():
    """The same instant of a light that will change and of one that never will, of a car that will brake and not."""
    changes = replace(LIGHTS.cast, lights=tuple(replace(plan, braking=1.5, red_s=0.1) for plan in LIGHTS.cast.lights))
    other = Scene(LIGHTS.scenario, LIGHTS.roads, changes, LIGHTS.scenery, LIGHTS.signals, LIGHTS.cones)
    snapshot = replace(on_route(LIGHTS, STOP_S - 40.0, 9.0), lights=(LightState(0, Colour.GREEN),))
    assert np.array_equal(label(LIGHTS, snapshot).xyz, label(other, snapshot).xyz)


def test_what_is_hidden_is_not_reacted_to():
    person = person_at(ROAD, 44.0, 0.0, 1.4)
    van = replace(
        car_at(ROAD, 38.0, 0.0, 8.0), style="van", body=replace(car_at(ROAD, 38.0).body, height=2.5, width=2.1)
    )
    open_view: Snapshot = replace(on_route(ROAD, 30.0, 8.0), pedestrians=(person,))
    assert perceive(ROAD, open_view).crossers
    hidden = replace(open_view, cars=(van,))
    assert not perceive(ROAD, hidden).crossers
    assert Component.PEDESTRIAN in present(ROAD, open_view)
    assert Component.PEDESTRIAN not in present(ROAD, hidden)
