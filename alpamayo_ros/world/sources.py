"""Where a closed loop's observations come from: streams of frames and odometry in, observations out.

`GridSource` takes streams whose stamps lie on the model's grid and looks nothing up; `ObserverSource` is the
driver's own observer, for cameras of any rate, jitter and loss. On the grid both give the same observations.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from alpamayo_ros.contract import (
    CAMERA_ROLES,
    HISTORY_OFFSETS_NS,
    SECOND_NS,
    SLOT_OFFSETS_NS,
    NotReady,
    Observation,
)
from alpamayo_ros.geometry import Pose
from alpamayo_ros.history import Sample, centred
from alpamayo_ros.observer import Observer, ObserverConfig, Outcome
from alpamayo_ros.tick import observe

Result = Observation | NotReady


class Source(Protocol):
    """Where observations come from: pushed frames and odometry in, whatever became ready out."""

    command: str

    def push_frame(self, role: str, stamp_ns: int, image: np.ndarray) -> list[Result]: ...

    def push_odometry(self, stamp_ns: int, sample: Sample) -> list[Result]: ...


class GridSource:
    """Observations from streams whose stamps lie on the model's grid: four 10 Hz cameras and 100 Hz odometry."""

    def __init__(self) -> None:
        self.command = ""
        self._frames: dict[tuple[str, int], np.ndarray] = {}
        self._poses: dict[int, Sample] = {}

    def push_frame(self, role: str, stamp_ns: int, image: np.ndarray) -> list[Result]:
        self._frames[role, stamp_ns] = image
        oldest = stamp_ns + SLOT_OFFSETS_NS[0]
        self._frames = {key: kept for key, kept in self._frames.items() if key[1] >= oldest}
        complete = all((each, stamp_ns) in self._frames for each in CAMERA_ROLES)
        return self._observation(stamp_ns) if complete else []

    def push_odometry(self, stamp_ns: int, sample: Sample) -> list[Result]:
        self._poses[stamp_ns] = sample
        self._poses.pop(stamp_ns + HISTORY_OFFSETS_NS[0] - SECOND_NS, None)
        return []

    def _observation(self, t0_ns: int) -> list[Result]:
        slots = [t0_ns + offset for offset in SLOT_OFFSETS_NS]
        times = [t0_ns + offset for offset in HISTORY_OFFSETS_NS]
        if any((role, stamp) not in self._frames for role in CAMERA_ROLES for stamp in slots):
            return []
        if any(stamp not in self._poses for stamp in times):
            return []
        values = np.array([self._poses[stamp] for stamp in times])
        xyz, rotation = centred(Pose(values[:, :3], values[:, 3:]))
        images = tuple(tuple(self._frames[role, stamp] for stamp in slots) for role in CAMERA_ROLES)
        stamps = np.tile(np.array(slots, dtype=np.int64), (len(CAMERA_ROLES), 1))
        return [Observation(t0_ns, images, stamps, np.zeros(stamps.shape, dtype=bool), xyz, rotation, self.command)]


class ObserverSource:
    """The driver's observer with decoded images as its payloads."""

    def __init__(self, config: ObserverConfig | None = None) -> None:
        self._observer = Observer(config)

    @property
    def command(self) -> str:
        return self._observer.command

    @command.setter
    def command(self, text: str) -> None:
        self._observer.command = text

    def push_frame(self, role: str, stamp_ns: int, image: np.ndarray) -> list[Result]:
        return [_observation(outcome) for outcome in self._observer.push_frame(role, stamp_ns, image)]

    def push_odometry(self, stamp_ns: int, sample: Sample) -> list[Result]:
        return [_observation(outcome) for outcome in self._observer.push_odometry(stamp_ns, sample)]


def _observation(outcome: Outcome) -> Result:
    if isinstance(outcome, NotReady):
        return outcome
    images = tuple(tuple(frame.payload for frame in frames) for frames in outcome.frames.values())
    return observe(outcome, images, outcome.poses)
