"""A vehicle from vehicle_info's wheels."""

import math
from itertools import permutations

import pytest

from alpamayo_ros.bridges.carla_vehicle import Vehicle, WheelsUnknown, vehicle_of_wheels

FRONT, REAR = [(1.6, 0.8), (1.6, -0.8)], [(-1.4, 0.75), (-1.4, -0.75)]
TURNS = [1.22, 1.22, 0.0, 0.0]


@pytest.mark.parametrize("order", list(permutations(range(4)))[::5])
def test_the_rear_axle_is_what_lies_behind_whatever_the_order(order):
    wheels = [*FRONT, *REAR]
    vehicle = vehicle_of_wheels([wheels[k] for k in order], [TURNS[k] for k in order])
    assert vehicle.rear_axle == pytest.approx((-1.4, 0.0)) and vehicle.wheelbase == pytest.approx(3.0)
    assert vehicle.max_steer_angle == 1.22


def test_a_lorry_has_more_wheels_and_a_motorcycle_fewer():
    lorry = vehicle_of_wheels([*FRONT, (-2.0, 1.0), (-2.0, -1.0), (-3.0, 1.0), (-3.0, -1.0)], [*TURNS, 0.0, 0.0])
    assert lorry.rear_axle == (-2.5, 0.0) and lorry.wheelbase == pytest.approx(4.1)
    assert vehicle_of_wheels([(0.7, 0.0), (-0.7, 0.0)], [0.9, 0.0]) == Vehicle((-0.7, 0.0), 1.4, 0.9)


@pytest.mark.parametrize(
    ("xy", "turns", "said"),
    [
        ([(0.0, 0.0)] * 4, [0.0] * 4, "no two axles"),  # CARLA 0.10.0
        ([(0.2, 0.5), (-0.2, 0.5)], [1.0, 0.0], "0.4 m"),
        ([*FRONT, *REAR], [0.0] * 4, "turn 0.0 rad"),
        ([*FRONT, *REAR], [70.0, 70.0, 0.0, 0.0], "turn 70.0 rad"),  # degrees
        ([*FRONT, (math.nan, 0.0)], [1.0, 1.0, 0.0], "nan"),
        ([], [], "has 0 wheels"),
    ],
)
def test_wheels_that_tell_nothing_are_refused_with_what_they_said_and_what_to_do(xy, turns, said):
    with pytest.raises(WheelsUnknown) as refused:
        vehicle_of_wheels(xy, turns)
    assert said in str(refused.value) and "rear_axle_x, wheelbase and max_steer_angle" in str(refused.value)


def test_measures_given_by_hand_are_looked_at_too():
    with pytest.raises(WheelsUnknown, match="70"):
        Vehicle((-1.4, 0.0), 2.9, 70.0)
