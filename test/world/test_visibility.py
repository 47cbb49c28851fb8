from dataclasses import replace

import pytest
from world.scenes import SMALL, car_at, drive_of, on_route, person_at, scenario
from world.test_render import changed

from alpamayo_ros.contract import CAMERA_ROLES
from alpamayo_ros.world.episode import Cameras
from alpamayo_ros.world.scene import build
from alpamayo_ros.world.state import Body, Colour, LightState
from alpamayo_ros.world.visibility import blockers, sees_car, sees_cone, sees_light, sees_pedestrian

EMPTY = build(scenario("empty_road", 9))


def sees_person(snapshot) -> bool:
    return sees_pedestrian(snapshot.ego, blockers(EMPTY, snapshot), snapshot.pedestrians[0])


def test_a_person_ahead_is_seen_and_one_behind_is_not():
    ahead = replace(on_route(EMPTY, 20.0), pedestrians=(person_at(EMPTY, 45.0, 0.0),))
    behind = replace(on_route(EMPTY, 20.0), pedestrians=(person_at(EMPTY, 12.0, 0.0),))
    assert sees_person(ahead)
    assert not sees_person(behind)


def test_a_person_too_far_to_cover_pixels_is_not_seen():
    assert not sees_person(replace(on_route(EMPTY, 20.0), pedestrians=(person_at(EMPTY, 120.0, 0.0),)))


def test_a_van_hides_a_person_and_itself_it_does_not_hide():
    van = replace(car_at(EMPTY, 34.0), body=Body(5.4, 2.1, 2.5), style="van")
    snapshot = replace(on_route(EMPTY, 20.0), cars=(van,), pedestrians=(person_at(EMPTY, 39.0, 0.0),))
    assert not sees_person(snapshot)
    assert sees_car(snapshot.ego, blockers(EMPTY, snapshot), van)


def test_a_light_is_seen_from_its_stop_line_and_not_from_afar():
    scene = build(scenario("traffic_light", 1, behaviour="red"))
    stop_s = scene.roads.junctions[0].stop_s
    for back, expected in ((5.0, True), (50.0, True), (150.0, False)):
        snapshot = replace(on_route(scene, stop_s - back), lights=(LightState(0, Colour.RED),))
        seen = sees_light(snapshot.ego, blockers(scene, snapshot), scene.signals[0], "red")
        assert seen is expected


def test_cones_ahead_are_seen():
    scene = build(scenario("cones", 1))
    row = scene.cast.cones[0]
    near, far = on_route(scene, row.s - 20.0), on_route(scene, row.s - 110.0)
    assert sees_cone(near.ego, blockers(scene, near), scene.cones[1])
    assert not sees_cone(far.ego, blockers(scene, far), scene.cones[1])


@pytest.mark.parametrize(("family", "seed"), [("pedestrian", 4), ("lead_braking", 3), ("cut_in", 1)])
def test_what_is_said_to_be_seen_covers_pixels_of_a_small_frame(family, seed):
    episode, _, ticks = drive_of(family, seed, 14.0)
    cameras = Cameras(episode.scene, SMALL)
    seen = 0
    for tick in ticks[::20]:
        snapshot = tick.snapshot
        blocking = blockers(episode.scene, snapshot)
        for person in snapshot.pedestrians:
            if sees_pedestrian(snapshot.ego, blocking, person):
                without = replace(snapshot, pedestrians=tuple(p for p in snapshot.pedestrians if p is not person))
                assert sum(changed(cameras, role, snapshot, without) for role in CAMERA_ROLES) >= 3
                seen += 1
        for car in snapshot.cars:
            if sees_car(snapshot.ego, blocking, car):
                without = replace(snapshot, cars=tuple(c for c in snapshot.cars if c is not car))
                assert sum(changed(cameras, role, snapshot, without) for role in CAMERA_ROLES) >= 8
                seen += 1
    assert seen > 3
