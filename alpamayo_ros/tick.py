"""One tick, from a window to a checked plan: decode, observe, plan, check. The same live, in lockstep and in CI.

It knows no ROS and no threads but the decoders' pool; the caller runs it wherever it may take its time.
"""

from __future__ import annotations

import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from alpamayo_ros.checks import check_observation, check_plan
from alpamayo_ros.contract import NotReady, Observation, Plan, Policy, Reason
from alpamayo_ros.frost import Frost
from alpamayo_ros.geometry import Pose
from alpamayo_ros.guard_text import judge
from alpamayo_ros.history import centred
from alpamayo_ros.imaging import ImageError
from alpamayo_ros.window import Frame, Window, without

Decoder = Callable[[Any], np.ndarray]
# More than the frames of one window: a frame that does not decode is among few windows.
REMEMBERED_REFUSALS = 64


@dataclass(frozen=True, eq=False)
class Tick:
    """A tick that came to a plan.

    Attributes:
        window: what was chosen (after frames that did not decode were struck out).
        observation, plan: what the policy saw and gave; the plan carries the tick's stage timings.
        ego: the ego frame's pose at t0 in `window.odometry_frame`.
        refused: frames that did not decode, each with its name.
    """

    window: Window
    observation: Observation
    plan: Plan
    ego: Pose
    refused: tuple[NotReady, ...] = ()


@dataclass(frozen=True, eq=False)
class Refused:
    """A tick that came to nothing: why, which frames did not decode, and a traceback where the policy raised one."""

    reason: NotReady
    refused: tuple[NotReady, ...] = ()
    traceback: str = ""


class Decoding:
    """Decodes each frame once, several at a time, and keeps the images that the next tick shares.

    An image is kept as long as its frame is among the last window's candidates, or expected.
    """

    def __init__(self, decoders: Mapping[str, Decoder], threads: int = 4):
        self._decoders = decoders
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
        self._images: dict[Frame, Future[np.ndarray | ImageError]] = {}
        self._expected: deque[Window] = deque()
        self._refused: deque[Frame] = deque(maxlen=REMEMBERED_REFUSALS)  # frames that have been said to be no good
        self.decoded = 0

    def expect(self, window: Window) -> None:
        """Begins to decode a window that is to come, while threads are free for it; they come in this order."""
        if self._threads > 1:
            self._expected.append(window)
            self._begin(_chosen(window))

    def __call__(self, window: Window) -> tuple[Window | NotReady, tuple[NotReady, ...]]:
        """Makes sure that all frames of the window are decoded, striking out those that cannot be."""
        if self._expected and self._expected[0] is window:
            self._expected.popleft()
        candidates = {frame for offered in window.candidates.values() for frame in offered.frames}
        candidates.update(frame for later in self._expected for frame in _chosen(later))
        self._images = {frame: image for frame, image in self._images.items() if frame in candidates}
        known = set(self._refused)
        refused: list[NotReady] = []
        chosen: Window | NotReady = window
        while isinstance(chosen, Window):
            wanted = _chosen(chosen)
            self._begin(wanted)
            bad = [frame for frame in wanted if isinstance(self._images[frame].result(), ImageError)]
            if not bad:
                break
            for frame in bad:
                if frame not in known:  # else an earlier tick has said so
                    refused.append(_frame_refusal(frame, self._images[frame].result(), window.t0_ns))
                    self._refused.append(frame)
                chosen = without(chosen, frame) if isinstance(chosen, Window) else chosen
        return chosen, tuple(refused)

    def images(self, window: Window) -> tuple[tuple[np.ndarray, ...], ...]:
        """(cameras)(4) RGB images of a window that this object decoded."""
        return tuple(tuple(self._images[frame].result() for frame in frames) for frames in window.frames.values())

    def reset(self) -> None:
        self._images.clear()

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _begin(self, frames: Iterable[Frame]) -> None:
        new = [frame for frame in frames if frame not in self._images]
        self._images.update((frame, self._pool.submit(self._decode, frame)) for frame in new)
        self.decoded += len(new)

    def _decode(self, frame: Frame) -> np.ndarray | ImageError:
        try:
            return self._decoders[frame.role](frame.payload)
        except ImageError as error:
            return error


def _chosen(window: Window) -> list[Frame]:
    """The window's frames, each once."""
    return list(dict.fromkeys(frame for frames in window.frames.values() for frame in frames))


@dataclass
class TickRunner:
    """Window in, `Tick` or `Refused` out.

    Args:
        policy: what plans.
        decoding: what decodes.
        locate: the ego frame's poses at the window's sixteen times, in odometry's frame, out of the window's
            poses of odometry's child frame; or why that cannot be.
    """

    policy: Policy
    decoding: Decoding
    locate: Callable[[Window], Pose | NotReady] = field(default=lambda window: window.poses)
    clock: Callable[[], float] = time.perf_counter
    frost: Frost = field(default_factory=Frost)
    last: Observation | None = None  # what the policy saw last, for questions about it
    _epoch: int | None = None

    def __call__(self, window: Window) -> Tick | Refused:
        """Never raises: what goes wrong costs this tick and is named."""
        try:
            return self._run(window)
        except Exception as error:
            detail = f"{type(error).__name__}: {error}"
            reason = NotReady(Reason.TICK_FAILED, "", detail, {}, window.t0_ns)
            return Refused(reason, traceback=traceback.format_exc())

    def _run(self, window: Window) -> Tick | Refused:
        if window.epoch != self._epoch:  # nothing of the old epoch is reused
            self.decoding.reset()
            self.policy.reset()
            self.last = None
            self._epoch = window.epoch
        started = self.clock()
        chosen, refused = self._frames(window)
        if isinstance(chosen, NotReady):
            return Refused(chosen, refused)
        poses = self.locate(chosen)
        if isinstance(poses, NotReady):
            return Refused(poses, refused)
        observation = observe(chosen, self.decoding.images(chosen), poses)
        broken = check_observation(observation)
        if broken is not None:
            return Refused(NotReady(Reason.OBSERVATION_INVALID, "", broken, {}, window.t0_ns), refused)
        self.last = observation
        decoded = self.clock()
        plan = self._plan(observation)
        if isinstance(plan, Refused):
            return replace(plan, refused=refused)
        planned = self.clock()
        timings = {"decode": decoded - started, "policy": planned - decoded}
        timings.update({f"policy.{stage}": seconds for stage, seconds in plan.timings.items()})
        plan = replace(plan, notes=(*plan.notes, f"guard={judge(plan, plan.chosen)}"))
        ego = Pose(poses.xyz[-1], poses.quaternion[-1])
        return Tick(chosen, observation, replace(plan, timings=timings), ego, refused)

    def _frames(self, window: Window) -> tuple[Window | NotReady, tuple[NotReady, ...]]:
        """The window with frames that decode and that are not frozen, and what was struck out for it."""
        chosen, refused = self.decoding(window)
        if isinstance(chosen, NotReady):
            return chosen, refused
        thawed, frozen = self.frost(chosen)
        if thawed is chosen or isinstance(thawed, NotReady):
            return thawed, refused + frozen
        chosen, more = self.decoding(thawed)  # others have been chosen
        return chosen, refused + frozen + more

    def _plan(self, observation: Observation) -> Plan | Refused:
        """The policy's plan, checked. Whatever a model raises costs this tick and no more."""
        name, t0_ns = self.policy.name, observation.t0_ns
        try:
            plan = self.policy(observation)
        except Exception as error:
            detail = f"{type(error).__name__}: {error}"
            return Refused(NotReady(Reason.POLICY_FAILED, name, detail, {}, t0_ns), traceback=traceback.format_exc())
        broken = check_plan(plan, observation)
        if broken is not None:
            return Refused(NotReady(Reason.PLAN_INVALID, name, broken, {}, t0_ns))
        return plan


def observe(window: Window, images: tuple[tuple[np.ndarray, ...], ...], poses: Pose) -> Observation:
    """The policy's view of a window: `poses` are the ego frame's sixteen in any one fixed frame."""
    history_xyz, history_rotation = centred(poses)
    stand_in = np.array(list(window.stand_in.values()), dtype=bool)
    return Observation(
        window.t0_ns, images, window.stamps_ns, stand_in, history_xyz, history_rotation, window.command, window.roles
    )


def _frame_refusal(frame: Frame, error: ImageError, t0_ns: int) -> NotReady:
    numbers = {"offset": (frame.stamp_ns - t0_ns) / 1e9}
    return NotReady(error.reason, frame.role, str(error), numbers, t0_ns)
