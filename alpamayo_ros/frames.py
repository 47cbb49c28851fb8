"""Where the ego frame is: TF, asked only when odometry alone does not say.

Odometry is `odom -> base_link` already, so with the default frames no transform is ever looked up, nor /tf
subscribed to. TF comes in when odometry's child frame is not the ego frame (CARLA's actor origin, an IMU), or when
plans are wanted in a frame that is neither odometry's nor the ego's. Lookups happen on the worker's thread.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from alpamayo_ros.contract import NotReady, Reason
from alpamayo_ros.geometry import IDENTITY, Pose
from alpamayo_ros.tf_buffer import TransformError
from alpamayo_ros.tick import Tick
from alpamayo_ros.window import Window

ODOMETRY = "odometry"


class TransformSource(Protocol):
    """Poses of frames in frames, at stamps."""

    def lookup(self, target: str, source: str, stamp_ns: int, timeout: float) -> Pose:
        """The pose of `source` in `target`. Raises TransformError."""

    def clear(self) -> None: ...

    def close(self) -> None: ...


@dataclass(frozen=True, eq=False)
class Target:
    """An output frame: its name, and odometry's frame in it; None where it is the ego frame itself."""

    name: str
    odometry: Pose | None

    def place(self, ego: Pose) -> tuple[str, Pose]:
        """The name, and the pose of an ego frame that is given in odometry's frame."""
        return self.name, IDENTITY if self.odometry is None else self.odometry @ ego


class Frames:
    """The ego frame in odometry's frame, and in the frame that plans are published in.

    Args:
        listen: gives the source of transforms, once one is needed.
        ego_frame: the vehicle's frame.
        output_frame: "odometry" or a frame's name.
        timeout: seconds that a lookup may wait for late transforms.
    """

    def __init__(self, listen: Callable[[], TransformSource], ego_frame: str, output_frame: str, timeout: float):
        self._listen = listen
        self._ego = ego_frame
        self._output = output_frame
        self._timeout = timeout
        self._source: TransformSource | None = None
        if output_frame not in (ODOMETRY, ego_frame):
            self._source = listen()

    def expect_child(self, child_frame_id: str) -> None:
        """Told of odometry's child frame as it comes in; starts to listen to TF when that is not the ego frame."""
        if self._source is None and child_frame_id not in ("", self._ego):
            self._source = self._listen()

    def locate(self, window: Window) -> Pose | NotReady:
        """The ego frame's sixteen poses in odometry's frame: odometry's poses, then its child frame's offset."""
        if window.odometry_child in ("", self._ego):
            return window.poses
        offset = self._lookup(window.odometry_child, self._ego, window.t0_ns)
        return offset if isinstance(offset, NotReady) else window.poses @ offset

    def output(self, tick: Tick) -> tuple[str, Pose] | NotReady:
        """The output frame's name and the ego frame's pose in it at t0."""
        found = self.target(tick.window)
        return found if isinstance(found, NotReady) else found.place(tick.ego)

    def target(self, window: Window) -> Target | NotReady:
        """The output frame as it lies at a window's t0."""
        if self._output in (ODOMETRY, window.odometry_frame):
            return Target(window.odometry_frame, IDENTITY)
        if self._output == self._ego:
            return Target(self._ego, None)
        placed = self._lookup(self._output, window.odometry_frame, window.t0_ns)
        return placed if isinstance(placed, NotReady) else Target(self._output, placed)

    def clear(self) -> None:
        """A new epoch: transforms of the old one are of another time."""
        if self._source is not None:
            self._source.clear()

    def close(self) -> None:
        if self._source is not None:
            self._source.close()
            self._source = None

    def _lookup(self, target: str, source: str, t0_ns: int) -> Pose | NotReady:
        if self._source is None:
            return NotReady(
                Reason.TF_UNAVAILABLE, f"{target} <- {source}", "TF is not being listened to yet", {}, t0_ns
            )
        try:
            return self._source.lookup(target, source, t0_ns, self._timeout)
        except TransformError as error:
            return NotReady(Reason.TF_UNAVAILABLE, f"{target} <- {source}", f"{error.kind}: {error}", {}, t0_ns)
