"""The oracle of the fault runs: it has to find what is wrong, and nothing else."""

from dataclasses import replace

import numpy as np
import pytest

from alpamayo_ros.contract import CAMERA_ROLES, PLAN_OFFSETS_NS, SLOT_OFFSETS_NS
from alpamayo_ros.faults import lane, oracle, truth
from alpamayo_ros.faults.kinds import KINDS, Group, Told
from alpamayo_ros.faults.spoilers import SPOILERS

T0 = 1_700_000_000_300_000_000


@pytest.fixture(scope="module")
def known():
    return truth.draw()


@pytest.fixture
def plan(known):
    images = tuple((role, T0 + offset) for role in CAMERA_ROLES for offset in SLOT_OFFSETS_NS)
    xy = np.array([truth.pose(T0 + offset)[:2] for offset in PLAN_OFFSETS_NS])
    sums = tuple(known.checksum(role, stamp) for role, stamp in images)
    return oracle.PlanSeen(1.0, T0, "odom", xy, images, sums, truth.history(T0))


def test_a_true_plan_is_right(plan, known):
    assert oracle.wrong(plan, known) is None


def test_what_is_wrong_is_found(plan, known):
    swapped = plan.checksums[8:12] + plan.checksums[4:8] + plan.checksums[:4] + plan.checksums[12:]
    late = tuple((role, stamp + 100_000_000) for role, stamp in plan.images)
    for change, words in (
        ({"checksums": swapped}, "cross_left .* another picture"),
        ({"images": late}, "another picture"),
        ({"history": plan.history + 1.0}, "history is 1.00 m off"),
        ({"xy": plan.xy + 50.0}, "begins 7"),
        ({"xy": plan.xy * np.nan}, "not finite"),
        ({"frame_id": "map"}, "begins"),
        ({"frame_id": "elsewhere"}, "is in elsewhere"),
    ):
        with pytest.raises(ValueError, match=words):
            raise ValueError(oracle.wrong(replace(plan, **change), known))


def test_no_two_pictures_of_a_run_are_equal(known):
    sums = [value for each in known.checksums.values() for value in each]
    assert len(set(sums)) == len(sums) == len(CAMERA_ROLES) * truth.VARIANTS


def test_the_history_is_where_the_vehicle_was():
    history = truth.history(T0)
    assert np.allclose(history[-1], 0.0) and history[0, 0] == pytest.approx(-1.5 * truth.SPEED, abs=0.05)
    assert history[0, 1] > 0.0, "on a circle to the left, it came from the left behind"


def test_a_name_counts_from_the_fault_on_and_for_its_stream():
    told = [
        oracle.Told(1.0, frozenset({"camera_stale cross_left"})),
        oracle.Told(2.5, frozenset({"camera_stale front_tele"})),
        oracle.Told(2.7, frozenset({"planning", "camera_stale cross_left"})),
    ]
    assert oracle.named(told, ["camera_stale"], "cross_left", 2.0) == (pytest.approx(0.7), "camera_stale cross_left")
    assert oracle.named(told, ["camera_stale"], "", 2.0) == (pytest.approx(0.5), "camera_stale front_tele")
    assert oracle.named(told, ["image_corrupt"], "", 0.0) is None


def test_plans_again_means_a_later_t0(plan):
    plans = [plan, replace(plan, at=2.0), replace(plan, at=3.0, t0_ns=T0 + 1)]
    assert oracle.back(plans, T0 + 1, 1.5) == 1.5
    assert oracle.back(plans, T0 + 2, 1.5) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, ""),
        ({"named_after": None}, "not named"),
        ({"named_after": 1.2}, "named after 1.20 s"),
        ({"wrong_plans": 2, "wrong": "it"}, "2 plans on bad input: it"),
        ({"wrong_plans": 2, "told": "no"}, ""),
        ({"back_after": None}, "no plan afterwards"),
        ({"back_after": 3.0}, "plans again after 3.00 s"),
        ({"threads": (20, 21)}, "20 threads became 21"),
        ({"memory_mb": (200.0, 300.0)}, "200 MB became 300"),
        ({"named_after": None, "told": "put up with"}, ""),
    ],
)
def test_each_bound_is_a_verdict(change, words):
    case = lane.Case("camera_dead", 1, "yes", named_after=0.3, back_after=0.4, threads=(20, 20), memory_mb=(200, 210))
    assert lane.verdict(replace(case, **change)) == words


def test_the_table_of_kinds_is_whole():
    assert len(KINDS) >= 40
    for kind in KINDS.values():
        assert not kind.spoil or kind.spoil in SPOILERS
        assert bool(kind.names) == (kind.told is Told.YES) or kind.group is Group.REPLAY or kind.told is Told.NO
    assert {kind.spoil for kind in KINDS.values() if kind.spoil} == set(SPOILERS)
