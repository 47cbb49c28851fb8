import pytest
from core.rule_oracle import assign, assign_at_or_before
from hypothesis import given, settings
from hypothesis import strategies as st

from alpamayo_ros.contract import Reason
from alpamayo_ros.slots import SlotRule, Unfilled, fill_slots, stand_ins

MS = 1_000_000
SLOTS = [-300 * MS, -200 * MS, -100 * MS, 0]


def ms(*values):
    return [round(v * MS) for v in values]


def fill(stamps, rule=SlotRule(), period=100 * MS):  # noqa: B008
    return fill_slots(stamps, SLOTS, rule, period)


def test_a_frame_on_every_slot_fills_it():
    assert fill(ms(-400, -300, -200, -100, 0, 100)) == (1, 2, 3, 4)


def test_a_thirty_hertz_camera_gives_every_third_frame():
    stamps = ms(*(k * 100 / 3 for k in range(-12, 3)))
    assert fill(stamps, period=33 * MS) == (3, 6, 9, 12)


def test_a_lost_frame_is_filled_by_its_nearer_neighbour_once():
    stamps = ms(-300, -203, 0)
    assert fill(stamps) == (0, 1, 2, 2)
    assert stand_ins(stamps, SLOTS, (0, 1, 2, 2), 100 * MS) == (False, False, True, False)


def test_a_frame_from_outside_the_window_stands_in_for_a_lost_one():
    stamps = ms(-400, -200, -100, 0)
    assert fill(stamps) == (0, 1, 2, 3)
    assert stand_ins(stamps, SLOTS, (0, 1, 2, 3), 100 * MS) == (True, False, False, False)


def test_strict_uniqueness_refuses_a_repeat():
    unfilled = fill(ms(-300, -200, 0), SlotRule(max_repeats=0))
    assert unfilled == Unfilled(Reason.CAMERA_REPEAT, 2, 100 * MS)


def test_two_lost_frames_of_one_camera_are_refused():
    assert fill(ms(-300, 0, 100)).reason is Reason.CAMERA_REPEAT
    assert fill(ms(-390, 0, 100)).reason is Reason.CAMERA_GAP


def test_a_slot_keeps_its_own_frame_where_another_slot_lost_its_own():
    # Shifting -30 to the lost slot and 70 to the newest would spare the repeat, and move a frame that is right.
    assert fill(ms(-330, -230, -30, 70)) == (0, 1, 2, 2)


def test_jitter_around_the_half_way_point_doubles_no_frame():
    # Nearest alone would take -249, -151, -151, -48: one frame doubled and one skipped for 2 ms of jitter.
    stamps = ms(-352, -249, -151, -48, 53)
    chosen = fill(stamps)
    assert len(set(chosen)) == 4


def test_a_gap_names_the_slot_and_the_distance():
    assert fill(ms(-500, -100, 0)) == Unfilled(Reason.CAMERA_GAP, 0, 200 * MS)
    assert fill([]) == Unfilled(Reason.CAMERA_GAP, 0, None)


def test_the_neighbour_of_a_lost_frame_is_within_the_tolerance_in_spite_of_jitter():
    assert fill(ms(-300, -207, 6)) == (0, 1, 2, 2)
    assert fill(ms(-300, -215, 15)).reason is Reason.CAMERA_GAP


def test_at_or_before_takes_the_last_frame_at_or_before_each_slot():
    stamps = ms(-310, -205, -105, -95, -5, 0.001)
    assert fill(stamps, SlotRule(pick="at_or_before")) == (0, 1, 2, 4)


def test_at_or_before_never_looks_ahead():
    assert fill(ms(-299, -200, -100, 0), SlotRule(pick="at_or_before")).reason is Reason.CAMERA_GAP


def test_an_unknown_pick_is_refused_with_the_choices():
    with pytest.raises(ValueError, match="nearest, at_or_before"):
        SlotRule(pick="newest")


@settings(max_examples=150, deadline=None)
@given(
    period=st.integers(40, 130),
    phase=st.integers(-60, 60),
    jitter=st.lists(st.integers(-12, 12), min_size=14, max_size=14),
    lost=st.lists(st.booleans(), min_size=14, max_size=14),
    max_repeats=st.integers(0, 2),
    tolerance=st.sampled_from([50, 100]),
)
def test_the_choice_equals_brute_force(period, phase, jitter, lost, max_repeats, tolerance):
    stamps = sorted(
        {(phase + (k - 10) * period + j) * MS for k, j in enumerate(jitter) if not (lost[k] and k % 3 == 0)}
    )
    rule = SlotRule("nearest", tolerance * MS, max_repeats)
    expected = assign(stamps, SLOTS, tolerance * MS, max_repeats, period * MS)
    got = fill_slots(stamps, SLOTS, rule, period * MS)
    if expected is None:
        assert isinstance(got, Unfilled)
    else:
        assert [stamps[i] for i in got] == list(expected)


@settings(max_examples=80, deadline=None)
@given(stamps=st.lists(st.integers(-500, 100), min_size=1, max_size=14, unique=True), max_repeats=st.integers(0, 2))
def test_at_or_before_equals_brute_force(stamps, max_repeats):
    stamps = sorted(s * MS for s in stamps)
    expected = assign_at_or_before(stamps, SLOTS, 100 * MS, max_repeats)
    got = fill_slots(stamps, SLOTS, SlotRule("at_or_before", 100 * MS, max_repeats), 100 * MS)
    if expected is None:
        assert isinstance(got, Unfilled)
    else:
        assert [stamps[i] for i in got] == list(expected)
