import numpy as np
import pytest
from world.scenes import drive_of, scenario

from alpamayo_ros.world.motorists import LEAD_BRAKING
from alpamayo_ros.world.scenario import Family, draw
from alpamayo_ros.world.scene import build
from alpamayo_ros.world.signals import YELLOW_S
from alpamayo_ros.world.state import Blinker, Colour, EgoState
from alpamayo_ros.world.traffic import Traffic


def played(scene, speed: float, seconds: float, start: float = 0.0, dt: float = 0.02):
    """The traffic around an ego that drives its route at a steady speed: (time, ego's s, traffic) after each step."""
    traffic = Traffic(scene.cast, scene.roads)
    for step in range(round(seconds / dt)):
        s = start + speed * step * dt
        x, y, yaw, _ = scene.roads.route.at(s)
        traffic.step(step * dt, dt, EgoState(x, y, yaw, speed))
        yield step * dt, s, traffic


def test_a_red_light_turns_green_while_the_ego_waits():
    scene = build(scenario("traffic_light", 1, behaviour="red"))
    start = scene.roads.junctions[0].stop_s - 10.0
    colours = [traffic.lights[0].colour for _, _, traffic in played(scene, 0.0, 12.0, start)]
    assert colours[0] is Colour.RED
    assert colours[-1] is Colour.GREEN


def test_a_light_that_turns_red_is_yellow_in_between():
    scene = build(scenario("traffic_light", 3, behaviour="turns_red_far"))
    start = scene.roads.junctions[0].stop_s - 60.0
    seen = [traffic.lights[0].colour for _, _, traffic in played(scene, 8.0, 8.0, start)]
    order = [colour for colour, before in zip(seen, [None, *seen], strict=False) if colour is not before]
    assert order[:3] == [Colour.GREEN, Colour.YELLOW, Colour.RED]
    assert seen.count(Colour.YELLOW) * 0.02 == pytest.approx(YELLOW_S, abs=0.05)


def test_a_lead_shows_its_brake_lamps_while_it_brakes():
    scene = build(scenario("lead_braking", 3, behaviour="to_stop"))
    speeds, lamps = [], []
    for _, _, traffic in played(scene, 8.0, 10.0):
        lead = traffic.cars[0]
        speeds.append(lead.speed)
        lamps.append(lead.braking)
    braking = -np.diff(speeds) / 0.02
    assert braking.max() == pytest.approx(LEAD_BRAKING, abs=0.05)
    assert min(speeds) < 0.3 * speeds[0]
    assert all(lamp for lamp, rate in zip(lamps[1:], braking, strict=True) if rate > 1.0)
    assert not lamps[0] and speeds[0] > 5.0


def test_a_car_indicates_before_it_cuts_in():
    scene = build(scenario("cut_in", 0, behaviour="left"))
    indicated = moved = None
    for time, _, traffic in played(scene, 11.0, 15.0):
        car = traffic.cars[0]
        _, d = scene.roads.main.curve.frenet(np.array([car.x, car.y]))
        if car.blinker is Blinker.RIGHT and indicated is None:
            indicated = time
        if d < 3.5 and moved is None:
            moved = time
    assert indicated is not None
    assert moved > indicated + 0.6


def test_a_person_crosses_when_the_ego_comes_and_waits_for_one_who_blocks_the_way():
    scene = build(scenario("pedestrian", 4))
    crossing = scene.cast.pedestrians[0]
    walked = [traffic.pedestrians[0].walked for _, _, traffic in played(scene, 8.0, 20.0)]
    assert walked[0] == 0.0
    assert walked[-1] == pytest.approx(abs(crossing.to_d - crossing.d), abs=0.1)
    blocked = [traffic.pedestrians[0].walked for _, _, traffic in played(scene, 0.0, 20.0, crossing.s - 4.0)]
    assert blocked[-1] < abs(crossing.d)


def test_a_broken_down_car_flashes_and_drives_on_in_the_end():
    scene = build(scenario("lead_stopped", 7))
    start = scene.cast.cars[0].s - 15.0
    states = [traffic.cars[0] for _, _, traffic in played(scene, 0.0, 14.0, start)]
    assert states[0].blinker is Blinker.HAZARD and not states[0].braking
    assert states[-1].speed > 1.0 and states[-1].blinker is Blinker.OFF


@pytest.mark.parametrize("family", (Family.LIGHT_QUEUE, Family.LEAD_BRAKING))
def test_traffic_never_drives_through_itself(family):
    for seed in (11, 12):
        _, _, ticks = drive_of(family.value, seed, 8.0)
        for tick in ticks[::5]:
            places = np.array([[car.x, car.y] for car in tick.snapshot.cars])
            gaps = np.linalg.norm(places[:, None] - places[None], axis=-1) + 99.0 * np.eye(len(places))
            assert gaps.min() > 2.0


def test_roles_are_set_for_counterfactuals():
    assert {car.role for car in build(draw("lead_steady", 0)).cast.cars} >= {"lead"}
    assert {person.role for person in build(draw("pedestrian", 0)).cast.pedestrians} >= {"pedestrian"}
