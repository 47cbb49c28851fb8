from hypothesis import given
from hypothesis import strategies as st

from alpamayo_ros.timeline import Push, Timeline

MS = 1_000_000


def timeline(horizon_ms=1000, rewind_ms=500):
    return Timeline(horizon_ms * MS, rewind_ms * MS)


def test_values_come_back_in_stamp_order_whatever_the_order_of_arrival():
    line = timeline()
    pushes = [line.push(stamp * MS, stamp) for stamp in (100, 300, 200, 400)]
    assert pushes == [Push.NEWEST, Push.NEWEST, Push.LATE, Push.NEWEST]
    assert line.between(0, 500 * MS) == ([100 * MS, 200 * MS, 300 * MS, 400 * MS], [100, 200, 300, 400])


def test_a_duplicate_stamp_keeps_the_first_value():
    line = timeline()
    line.push(5, "first")
    assert line.push(5, "second") is Push.DUPLICATE
    assert line.between(0, 10) == ([5], ["first"])


def test_a_rewind_is_said_and_changes_nothing():
    line = timeline()
    line.push(2000 * MS, "a")
    assert line.push(1499 * MS, "b") is Push.REWOUND
    assert line.push(1500 * MS, "c") is Push.LATE
    assert line.newest_ns == 2000 * MS


def test_what_is_behind_the_horizon_is_dropped():
    line = timeline(horizon_ms=1000)
    for k in range(100):
        line.push(k * 100 * MS, k)
    assert line.stamps[0] == 8900 * MS and len(line) == 11
    assert timeline(horizon_ms=100).push(1, "x") is Push.NEWEST


def test_a_late_value_behind_the_horizon_is_not_kept():
    line = timeline(horizon_ms=100)
    line.push(1000 * MS, "a")
    assert line.push(800 * MS, "b") is Push.TOO_OLD
    assert len(line) == 1


def test_around_gives_one_neighbour_on_each_side():
    line = timeline()
    for k in range(10):
        line.push(k * 100 * MS, k)
    assert line.around(250 * MS, 450 * MS)[1] == [2, 3, 4, 5]
    assert line.around(200 * MS, 400 * MS)[1] == [2, 3, 4]
    assert line.around(-50 * MS, 5000 * MS)[1] == list(range(10))


def test_the_period_is_the_median_and_survives_a_lost_frame():
    line = timeline()
    assert line.period_ns is None
    for k in (0, 1, 2, 4, 5, 6, 7):
        line.push(k * 100 * MS + (k % 2) * MS, k)
    assert abs(line.period_ns - 100 * MS) <= MS


@given(st.lists(st.integers(0, 3000), max_size=60))
def test_every_push_order_ends_sorted_unique_and_bounded(stamps):
    line = timeline()
    for stamp in stamps:
        line.push(stamp * MS, stamp)
    kept = line.stamps
    assert kept == sorted(set(kept))
    assert all(value * MS == stamp for stamp, value in zip(*line.between(0, 4000 * MS), strict=True))
    assert not kept or kept[0] >= kept[-1] - 1000 * MS
