"""What counts as a jump of `/clock`, for every node of this package."""

from rclpy.clock import JumpThreshold
from rclpy.duration import Duration

# A /clock that steps further ahead than this has jumped; any step back has.
CLOCK_JUMP = JumpThreshold(
    min_forward=Duration(seconds=1.0), min_backward=Duration(nanoseconds=-1), on_clock_change=True
)
