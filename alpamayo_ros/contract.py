"""What a driving model eats and gives: camera roles, rates, horizons, and the values that carry one tick.

Two values carry a tick: `Observation` goes into a `Policy`, a `Plan` comes out; where no observation can be
made there is a `NotReady` that says why. Everything here is plain Python on numpy: no ROS, no torch.

Conventions (REP-103): metres, seconds, radians; ego frame x forward, y left, z up, origin at the centre of
the rear axle on the ground. Stamps are int nanoseconds; poses float64.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol, runtime_checkable

import numpy as np

SECOND_NS = 1_000_000_000

# The four cameras of Alpamayo R1 and 1.5, in the ascending order of NVIDIA's camera index, which is the
# order of the images in the prompt.
CAMERA_ROLES = ("cross_left", "front_wide", "cross_right", "front_tele")
CAMERA_INDEX = {"cross_left": 0, "front_wide": 1, "cross_right": 2, "front_tele": 6}
REFERENCE_ROLE = "front_wide"

# Four images a camera at 10 Hz (the "0.4 s" window: four slots of 0.1 s) ...
SLOT_PERIOD_NS = 100_000_000
SLOT_OFFSETS_NS = (-300_000_000, -200_000_000, -100_000_000, 0)
# ... sixteen ego poses at 10 Hz, t0 included ...
HISTORY_STEPS = 16
HISTORY_PERIOD_NS = 100_000_000
HISTORY_OFFSETS_NS = tuple((k - HISTORY_STEPS + 1) * HISTORY_PERIOD_NS for k in range(HISTORY_STEPS))
# ... and sixty-four planned poses at 10 Hz, the first one at t0 + 0.1 s.
PLAN_STEPS = 64
PLAN_PERIOD_NS = 100_000_000
PLAN_PERIOD = PLAN_PERIOD_NS / SECOND_NS
PLAN_OFFSETS_NS = tuple((k + 1) * PLAN_PERIOD_NS for k in range(PLAN_STEPS))


class Reason(str, Enum):
    """Every reason for which a tick, a message or a frame is refused. The value is its public name."""

    # camera streams
    CAMERA_MISSING = "camera_missing"  # no frame of this camera has ever come in this epoch
    CAMERA_STALE = "camera_stale"  # its newest frame is older than the tolerance before t0
    CAMERA_GAP = "camera_gap"  # a slot has no frame within the tolerance
    CAMERA_SKEW = "camera_skew"  # within one slot the cameras are further apart than max_skew
    CAMERA_REPEAT = "camera_repeat"  # more slots would have to repeat a neighbour than max_repeats
    CAMERA_TOO_SLOW = "camera_too_slow"  # below the lowest camera rate of the model's time base
    CAMERA_FROZEN = "camera_frozen"  # the same picture under new stamps while the vehicle moves
    RIG_SWAPPED = "rig_swapped"  # a camera looks where another role's camera should
    # odometry stream
    ODOMETRY_MISSING = "odometry_missing"
    ODOMETRY_STALE = "odometry_stale"  # it has not passed t0
    ODOMETRY_GAP = "odometry_gap"  # two neighbours are too far apart to interpolate between
    HISTORY_SHORT = "history_short"  # it does not reach back to t0 - 1.5 s
    ODOMETRY_NOT_FINITE = "odometry_not_finite"
    QUATERNION_NOT_UNIT = "quaternion_not_unit"
    ODOMETRY_JUMP = "odometry_jump"  # consecutive poses imply an impossible speed
    ODOMETRY_FROZEN = "odometry_frozen"  # the pose stands still under new stamps in the middle of a drive
    # any stream
    SEVERAL_PUBLISHERS = "several_publishers"  # two sources send on one topic
    STREAM_FLOOD = "stream_flood"  # more messages than any such source sends
    # stamps
    STAMP_INVALID = "stamp_invalid"  # zero or negative
    COMMAND_TOO_LONG = "command_too_long"
    # frames, found when decoding
    IMAGE_CORRUPT = "image_corrupt"
    IMAGE_ENCODING = "image_encoding"
    IMAGE_LENGTH = "image_length"
    IMAGE_SIZE = "image_size"  # zero, or beyond the bound
    MESSAGE_CORRUPT = "message_corrupt"  # the serialized message cannot be read
    # frames of reference
    TF_UNAVAILABLE = "tf_unavailable"
    FRAME_MISMATCH = "frame_mismatch"  # a stream changed its frame ids within one epoch
    # the tick itself
    OBSERVATION_INVALID = "observation_invalid"  # for one, images of two sizes in one window
    TICK_FAILED = "tick_failed"  # a fault of this package
    POLICY_FAILED = "policy_failed"
    POLICY_TIMEOUT = "policy_timeout"
    PLAN_INVALID = "plan_invalid"
    PLAN_TOO_OLD = "plan_too_old"
    EPOCH_ENDED = "epoch_ended"
    PROCESS_STALLED = "process_stalled"  # this process was not run for a while
    CLOCK_STOPPED = "clock_stopped"  # /clock stands still while frames come


@dataclass(frozen=True)
class NotReady:
    """A refusal: its name, the stream it is about, a sentence, and the numbers behind it (SI units)."""

    reason: Reason
    stream: str = ""
    detail: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)
    t0_ns: int | None = None

    def __str__(self) -> str:
        where = f" {self.stream}" if self.stream else ""
        numbers = " ".join(f"{name}={value:.6g}" for name, value in self.numbers.items())
        return f"{self.reason.value}{where}: {self.detail}" + (f" ({numbers})" if numbers else "")


@dataclass(frozen=True, eq=False)
class Observation:
    """What the policy sees at t0.

    Attributes:
        t0_ns: the tick's time, a stamp of the reference camera.
        images: `images[c][k]`: (H, W, 3) uint8 RGB, camera `cameras[c]`, slot k, oldest first. The four
            images of a camera have one size; cameras may differ. An image that two ticks share is the same
            array object in both.
        stamps_ns: (cameras, 4) int64, the true (offset-corrected) stamp of each image.
        stand_in: (cameras, 4) bool, True where a slot's own frame was lost and a neighbour stands in for it.
        history_xyz: (16, 3) float64, ego frame of t0, t0-1.5 s ... t0; the last row is zero.
        history_rotation: (16, 3, 3) float64, ego frame of t0; the last one is the identity.
        command: the user's text ("" for none).
        cameras: the roles present, in the order of `CAMERA_ROLES`.
    """

    t0_ns: int
    images: tuple[tuple[np.ndarray, ...], ...]
    stamps_ns: np.ndarray
    stand_in: np.ndarray
    history_xyz: np.ndarray
    history_rotation: np.ndarray
    command: str = ""
    cameras: tuple[str, ...] = CAMERA_ROLES


@dataclass(frozen=True, eq=False)
class Plan:
    """What the policy intends, S samples of it, all in the ego frame of t0.

    Waypoint k is at t0 + 0.1 (k + 1) s. `acceleration[:, k]` and `curvature[:, k]` are the unicycle's
    controls during the 0.1 s that end at waypoint k; `speed[:, k]` is the speed reached there.

    Attributes:
        t0_ns: the observation's t0.
        xyz: (S, 64, 3) float64 metres.
        yaw: (S, 64) float64 radians, counter-clockwise from the ego's heading at t0.
        speed, acceleration, curvature: (S, 64) float64; m/s, m/s^2, 1/m (+ = left).
        reasoning: one text a sample.
        chosen: the sample to drive.
        policy: the policy's name.
        timings: stage name -> seconds.
        notes: remarks of the policy worth a diagnostic ("reasoning_truncated"), and the tick's "guard=consistent".
    """

    t0_ns: int
    xyz: np.ndarray
    yaw: np.ndarray
    speed: np.ndarray
    acceleration: np.ndarray
    curvature: np.ndarray
    reasoning: tuple[str, ...]
    chosen: int = 0
    policy: str = ""
    timings: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@runtime_checkable
class Policy(Protocol):
    """The one seam: an observation in, a plan out. A new model is one new file in `policies/`.

    It is called from one worker thread at a time, except after a call that outlasted `policy_timeout`:
    then a fresh thread calls it while the old call may still run, so a policy guards its own state.
    """

    name: str

    def __call__(self, observation: Observation) -> Plan: ...

    # A policy may also offer `ask(observation, question) -> Iterator[str]`: the answer so far, slice by slice.

    def reset(self) -> None:
        """Forget everything that was carried from earlier ticks (a new epoch has begun)."""

    def close(self) -> None:
        """Free what it holds (weights, device memory). Not called again afterwards."""


def make_example(seed: int = 0, height: int = 64, width: int = 96, speed: float = 8.0) -> Observation:
    """A random valid observation: noise images, a gentle left curve driven at `speed` m/s.

    For tests, warm-up and a README example; nothing in it comes from a camera.
    """
    rng = np.random.default_rng(seed)
    t0_ns = 1_000 * SECOND_NS
    images = tuple(
        tuple(rng.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in SLOT_OFFSETS_NS) for _ in CAMERA_ROLES
    )
    stamps = np.tile(t0_ns + np.asarray(SLOT_OFFSETS_NS, dtype=np.int64), (len(CAMERA_ROLES), 1))
    seconds = np.asarray(HISTORY_OFFSETS_NS) / SECOND_NS
    curvature = 0.01
    yaw = curvature * speed * seconds
    xyz = np.stack([np.sin(yaw) / curvature, (1.0 - np.cos(yaw)) / curvature, np.zeros_like(yaw)], axis=-1)
    cos, sin, zero, one = np.cos(yaw), np.sin(yaw), np.zeros_like(yaw), np.ones_like(yaw)
    rotation = np.stack([cos, -sin, zero, sin, cos, zero, zero, zero, one], axis=-1).reshape(-1, 3, 3)
    return Observation(t0_ns, images, stamps, np.zeros(stamps.shape, dtype=bool), xyz, rotation)
