"""What can go wrong with the sensors: each takes a true message and gives what is sent instead, drawn from a seed.

A factory draws its details when the fault begins; `SPOILERS` has them by the name of the fault.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from alpamayo_ros.faults.feed import Feed, Spoil
from alpamayo_ros.faults.spoilers import cameras, clocks, commands, floods, frames, odometry, raw, transforms

SPOILERS: dict[str, Callable[[random.Random, Feed], Spoil]] = {
    made.__name__: made
    for made in (
        cameras.camera_dead, cameras.reference_dead, cameras.all_cameras_dead, cameras.everything_dead,
        cameras.camera_frozen, cameras.camera_stuck, cameras.camera_slow, cameras.camera_late, cameras.reference_late,
        cameras.camera_lossy, cameras.camera_doubled, cameras.cameras_out_of_order, frames.cameras_swapped,
        frames.pixels_swapped, cameras.camera_stamps_off, frames.camera_truncated, frames.camera_garbage,
        frames.camera_empty, frames.camera_bits_flipped, frames.camera_malformed, frames.camera_resized,
        frames.camera_other_format, cameras.camera_zero_stamp, cameras.camera_future, floods.camera_two_publishers,
        floods.camera_flood, floods.cameras_flood, floods.camera_other_type, raw.raw_encoding_unknown,
        raw.raw_encoding_changes, raw.raw_short, raw.raw_huge, raw.raw_step_wrong, odometry.odometry_dead,
        odometry.odometry_frozen, odometry.odometry_nan, odometry.odometry_jump, odometry.odometry_spikes,
        odometry.odometry_huge, odometry.odometry_quaternion, odometry.odometry_wrong_frame,
        odometry.odometry_wrong_child, odometry.odometry_5hz, odometry.odometry_2hz, odometry.odometry_late,
        odometry.odometry_zero_stamp, odometry.odometry_malformed, odometry.odometry_scaled,
        odometry.odometry_two_publishers, odometry.odometry_flood, commands.command_long, commands.command_malformed,
        commands.command_flood, commands.command_injection, transforms.tf_missing, transforms.tf_late,
        transforms.tf_loop, transforms.tf_nan, transforms.tf_malformed, clocks.clock_back, clocks.clock_forward,
        clocks.clock_stopped, clocks.time_paused, clocks.clock_ahead,
    )  # fmt: skip
}
