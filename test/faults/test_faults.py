"""Eight kinds of fault, one seed each, on the real node over real DDS; the whole is `python -m alpamayo_ros faults`.

A busy machine names and recovers later than the bounds, which are the command's to measure; what may never be is a
plan on bad input, a fault without its name, a driver that does not come back, or one that leaves threads behind.
"""

import pytest

from alpamayo_ros.faults import main
from alpamayo_ros.faults.kinds import KINDS

EIGHT = (
    "camera_dead", "camera_frozen", "camera_truncated", "camera_two_publishers", "odometry_frozen", "odometry_nan",
    "policy_hangs", "world_killed",
)  # fmt: skip


@pytest.mark.slow
def test_eight_faults_are_named_and_no_plan_is_built_on_them(tmp_path):
    cases = list(main.run(EIGHT, [1], 1, tmp_path))
    assert sorted(case.kind for case in cases) == sorted(EIGHT)
    for case in cases:
        assert case.named in {f"{name.value} {stream}".strip() for name in KINDS[case.kind].names for stream in STREAMS}
        assert (case.wrong_plans, case.wrong) == (0, ""), case
        assert case.back_after is not None and case.threads[1] <= case.threads[0], case


STREAMS = ("", "cross_left", "front_wide", "cross_right", "front_tele", "odometry")
