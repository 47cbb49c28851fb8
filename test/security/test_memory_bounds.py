"""However many messages come within the observer's horizon, it keeps a bounded number."""

from alpamayo_ros.observer import MOST_FRAMES, MOST_POSES, Observer

START_NS = 1_700_000_000_000_000_000


def test_frames_and_poses_that_are_kept_have_a_most():
    observer = Observer()
    for k in range(5000):
        observer.push_frame("front_tele", START_NS + 1000 * k, b"")
        observer.push_odometry(START_NS + 1000 * k, (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0))
    assert len(observer._cameras["front_tele"]) == MOST_FRAMES and len(observer._odometry) == MOST_POSES
