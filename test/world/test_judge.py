from dataclasses import replace

import numpy as np
import pytest
from world.scenes import car_at, on_route, person_at, scenario

from alpamayo_ros.world.judge import Judge, comfort_shares, overlap
from alpamayo_ros.world.scenario import Layout
from alpamayo_ros.world.scene import build
from alpamayo_ros.world.state import Body, Colour, EgoState, LightState, footprint

ROAD = build(scenario("empty_road", 9, layout=Layout.TWO_WAY))


def judged(*snapshots, scene=ROAD):
    judge = Judge(scene)
    for snapshot in snapshots:
        judge.look(snapshot)
    return judge.verdict()


def test_driving_the_lane_is_clean_and_progress_is_metres():
    verdict = judged(*(on_route(ROAD, 20.0 + 0.8 * k) for k in range(50)))
    assert not verdict.off_road and not verdict.collided_with and not verdict.red_light_runs
    assert verdict.progress == pytest.approx(0.8 * 49, abs=0.05)


def test_a_corner_beyond_the_paving_is_off_the_road_and_ends_the_progress():
    edge = ROAD.roads.main.right
    assert not judged(on_route(ROAD, 20.0, d=edge + 1.0)).off_road
    verdict = judged(on_route(ROAD, 20.0), on_route(ROAD, 21.0, d=edge + 0.8), on_route(ROAD, 40.0))
    assert verdict.off_road
    assert verdict.off_road_at == pytest.approx(0.1)
    assert verdict.progress == pytest.approx(0.0, abs=0.01)


def test_running_into_a_car_is_the_egos_fault_and_being_run_into_is_not():
    into = replace(on_route(ROAD, 30.0, 6.0), cars=(car_at(ROAD, 35.0),))
    from_behind = replace(on_route(ROAD, 30.0, 3.0), cars=(car_at(ROAD, 27.5, speed=9.0),))
    standing = replace(on_route(ROAD, 30.0, 0.0), cars=(car_at(ROAD, 35.0, speed=0.0),))
    assert judged(into).at_fault
    assert judged(from_behind).collided_with == "lead" and not judged(from_behind).at_fault
    assert judged(standing).collided_with and not judged(standing).at_fault


def test_a_person_and_a_cone_can_be_hit():
    assert judged(replace(on_route(ROAD, 30.0, 6.0), pedestrians=(person_at(ROAD, 33.0, 0.0),))).at_fault
    cones = build(scenario("cones", 1, behaviour="right"))
    row = cones.cast.cones[0]
    assert judged(on_route(cones, row.end - 6.0, 6.0), scene=cones).collided_with == "cone"


@pytest.mark.parametrize(("colour", "runs"), [(Colour.RED, 1), (Colour.YELLOW, 0), (Colour.GREEN, 0)])
def test_only_crossing_the_line_on_red_is_a_run(colour, runs):
    scene = build(scenario("traffic_light", 1, behaviour="red"))
    stop_s = scene.roads.junctions[0].stop_s
    looks = [replace(on_route(scene, stop_s - 10.0 + k), lights=(LightState(0, colour),)) for k in range(20)]
    assert judged(*looks, scene=scene).red_light_runs == runs
    assert judged(*looks[:6], scene=scene).red_light_runs == 0


def test_overlap_agrees_with_sampled_points():
    rng = np.random.default_rng(0)
    for _ in range(300):
        first = footprint(0.0, 0.0, rng.uniform(-3, 3), Body(4.6, 1.9, 1.5))
        second = footprint(*rng.uniform(-4, 4, 2), rng.uniform(-3, 3), Body(rng.uniform(0.5, 5), 1.5, 1.5))
        u, v = np.meshgrid(np.linspace(0, 1, 60), np.linspace(0, 1, 60))
        grid = first[1] + u[..., None] * (first[0] - first[1]) + v[..., None] * (first[2] - first[1])
        sides = [
            (b[0] - a[0]) * (grid[..., 1] - a[1]) - (b[1] - a[1]) * (grid[..., 0] - a[0])
            for a, b in zip(second, np.roll(second, -1, axis=0), strict=True)
        ]
        inside = np.all(np.array(sides) > 0.05, axis=0).any()
        assert overlap(first, second) or not inside
        if not overlap(first, second):
            assert not inside


def test_comfort_counts_what_is_beyond_a_bound():
    gentle = [EgoState(k * 0.5, 0.0, 0.0, 5.0) for k in range(40)]
    assert comfort_shares(gentle, 0.1)["jerk"] == 1.0
    harsh = [replace(ego, acceleration=-6.0 if k > 30 else 0.0) for k, ego in enumerate(gentle)]
    shares = comfort_shares(harsh, 0.1)
    assert shares["longitudinal_acceleration"] == pytest.approx(31 / 40)
    assert shares["longitudinal_jerk"] < 1.0
