import numpy as np
import pytest

from alpamayo_ros.geometry import wrap_angle
from alpamayo_ros.world.roads import BEHIND, build_roads
from alpamayo_ros.world.scenario import Family, draw


@pytest.mark.parametrize("family", Family)
def test_the_whole_route_is_paved_with_room_for_the_vehicle(family):
    for seed in range(6):
        roads = build_roads(draw(family, seed))
        s = np.arange(-BEHIND + 5.0, 380.0, 2.0)
        for d in (-1.1, 0.0, 1.1):
            xy, _ = roads.route.points(s, d)
            assert roads.paved(xy).all()


def test_beside_the_road_is_not_paved_but_within_the_margin():
    roads = build_roads(draw(Family.EMPTY_ROAD, 3))
    x, y, _, _ = roads.main.curve.at(50.0, roads.main.left + 0.3)
    assert not roads.paved(np.array([x, y]))
    assert roads.paved(np.array([x, y]), margin=0.4)


@pytest.mark.parametrize("seed", range(12))
def test_a_turn_leaves_the_main_road_at_a_right_angle_into_the_right_hand_lane(seed):
    roads = build_roads(draw(Family.JUNCTION, seed))
    scenario = draw(Family.JUNCTION, seed)
    if scenario.turn == "straight":
        assert roads.turn_s is None and roads.route is roads.main.curve
        return
    begin, end = roads.turn_s
    turned = float(wrap_angle(roads.route.at(end + 1.0)[2] - roads.route.at(begin - 1.0)[2]))
    assert turned == pytest.approx(np.pi / 2 if scenario.turn == "left" else -np.pi / 2, abs=1e-6)
    crossing = roads.roads[1].curve
    x, y, _, _ = roads.route.at(end + 20.0)
    _, d = crossing.frenet(np.array([x, y]))
    # The crossing road's curve runs to the left: going left its right-hand lane is at d < 0, going right at d > 0.
    assert d == pytest.approx(-1.8 if scenario.turn == "left" else 1.8, abs=0.12)


def test_a_corner_is_rounded():
    roads = build_roads(draw(Family.JUNCTION, 0))
    corner, outward, sideways = roads.corners[0]
    assert roads.paved(corner + 0.5 * outward + 0.5 * sideways)
    assert not roads.paved(corner + 4.0 * outward + 4.0 * sideways)
    assert roads.paved(corner + 3.0 * outward + 0.5 * sideways)
    assert not roads.paved(corner + 3.0 * outward + 1.0 * sideways)
