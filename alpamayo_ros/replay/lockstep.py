"""A bag through the driver, tick by tick: every tick of the bag's own time, and each waits for its plan.

The same observer, policy, checks and frames as the live node, fed in the bag's order of receipt. Nothing here looks
at a clock to decide anything, so the same bag, policy and seed give the same records under any load.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from alpamayo_ros.cdr import CdrError, header
from alpamayo_ros.contract import SECOND_NS, NotReady, Policy, Reason
from alpamayo_ros.frames import Frames, Target
from alpamayo_ros.geometry import Pose
from alpamayo_ros.imaging import decoder, too_large
from alpamayo_ros.observer import Observer, Outcome
from alpamayo_ros.params import image_limits, observer_config
from alpamayo_ros.policies.baseline import Baseline
from alpamayo_ros.replay.bag import Bag, BagError, Recorded
from alpamayo_ros.replay.evaluate import Track
from alpamayo_ros.replay.plain import deserialize
from alpamayo_ros.replay.records import Planned, Record
from alpamayo_ros.replay.transforms import TF, TF_STATIC, BagTransforms
from alpamayo_ros.rig import COMPRESSED, Rig
from alpamayo_ros.tick import Decoding, Refused, Tick, TickRunner
from alpamayo_ros.window import Window

# Windows that are being decoded while the policy is busy with an earlier one.
AHEAD = 3
# Ticks whose pictures may still be in the making when the next one is planned.
DRAWING = 2
# Ticks that a resumed replay decodes again, so that it knows of the frames that were refused before it stopped.
REWARMED = 24

Pictures = Callable[[Mapping[str, np.ndarray]], Mapping[str, bytes]]


@dataclass(frozen=True, eq=False)
class _Due:
    """An outcome of the observer, with the transforms as they were known when it was settled."""

    received_ns: int
    epoch: int
    outcome: Outcome
    poses: Pose | NotReady | None = None
    target: Target | NotReady | None = None


class Lockstep:
    """One bag's replay.

    Args:
        bag: open.
        rig: which topic plays which role; a role that it lacks is not used.
        policy: loaded.
        values: every parameter of the driver.
        command: the text to use instead of what the bag says; None for the bag's own.
        threads: that decode.
        pictures: makes the report's pictures of the images at t0, for the ticks that `pictured` picks by number.

    Attributes:
        track: where odometry's child frame was, of all good odometry so far.
        damage: what ended the bag before its end ("" for nothing).
    """

    def __init__(
        self,
        bag: Bag,
        rig: Rig,
        policy: Policy,
        values: Mapping[str, Any],
        command: str | None = None,
        threads: int = 2,
        pictures: Pictures | None = None,
        pictured: Callable[[int], bool] = lambda number: True,
    ):
        self._bag, self._rig, self._values, self._command = bag, rig, values, command
        self._streams = {topic: stream for stream, topic in rig.topics.items()}
        config = observer_config(values)
        roles = tuple(role for role in config.roles if role in rig.topics)
        self._observer = Observer(replace(config, roles=roles))
        self._observer.command = command or ""
        self._transforms = BagTransforms()
        self._frames = Frames(
            lambda: self._transforms, values["ego_frame"], values["output_frame"], values["tf_timeout"]
        )
        kinds = {role: bag.types[rig.topics[role]] for role in roles}
        self._limits = image_limits(values)
        decoders = {
            role: decoder("compressed" if kind == COMPRESSED else "raw", self._limits) for role, kind in kinds.items()
        }
        self._decoding = Decoding(decoders, threads)
        self._located: Pose | NotReady | None = None
        self._runner = TickRunner(policy, self._decoding, lambda window: self._located)
        self._pictures, self._pictured = pictures, pictured
        self._artist = ThreadPoolExecutor(1, "pictures")
        self._epoch = self._observer.epoch
        self.track = Track()
        self.damage = bag.damage

    def run(self, done: int = 0) -> Iterator[Record]:
        """The records after the first `done` ones, in order. The bag is read from its beginning."""
        drawing: deque[tuple[Record, Future | None]] = deque()
        for record in self._records(done):
            drawing.append(record)
            if len(drawing) > DRAWING:
                yield _drawn(*drawing.popleft())
        for record in drawing:
            yield _drawn(*record)

    def close(self) -> None:
        self._artist.shutdown(cancel_futures=True)
        self._decoding.close()

    def _records(self, done: int) -> Iterator[tuple[Record, Future | None]]:
        """Each record, and its pictures when they are made."""
        waiting: deque[_Due] = deque()
        number = 0
        skipped: deque[_Due] = deque(maxlen=REWARMED)
        for due in self._due():
            if number < done:
                number += 1
                skipped.append(due)
                continue
            while skipped:
                self._rewarm(skipped.popleft())
            waiting.append(due)
            if isinstance(due.outcome, Window):
                self._decoding.expect(due.outcome)
            if len(waiting) > AHEAD:
                yield self._record(waiting.popleft(), number)
                number += 1
        while waiting:
            yield self._record(waiting.popleft(), number)
            number += 1

    def _due(self) -> Iterator[_Due]:
        for message in self._messages():
            outcomes = self._push(message)
            if self._observer.epoch != self._epoch:
                self._epoch = self._observer.epoch
                self._frames.clear()
            for outcome in outcomes:
                yield self._settled(message.received_ns, outcome)

    def _settled(self, received_ns: int, outcome: Outcome) -> _Due:
        if isinstance(outcome, NotReady):
            return _Due(received_ns, self._epoch, outcome)
        poses, target = self._frames.locate(outcome), self._frames.target(outcome)
        return _Due(received_ns, self._epoch, outcome, poses, target)

    def _messages(self) -> Iterator[Recorded]:
        """In order of receipt, but for transforms: those that the live driver would wait for are known already."""
        ahead_ns = round(self._values["tf_timeout"] * SECOND_NS)
        held: deque[Recorded] = deque()
        topics = [*self._streams, TF, TF_STATIC]
        try:
            for message in self._bag.messages([topic for topic in topics if topic in self._bag.types]):
                if message.topic in (TF, TF_STATIC):
                    self._transforms.take(message.data, message.type, message.topic == TF_STATIC)
                    continue
                held.append(message)
                while held[0].received_ns + ahead_ns <= message.received_ns:
                    yield held.popleft()
        except BagError as error:  # what came before the damage counts
            self.damage = str(error)
        yield from held

    def _push(self, message: Recorded) -> list[Outcome]:
        stream = self._streams[message.topic]
        if stream == "command":
            return self._take_command(message)
        if stream == "odometry":
            return self._push_odometry(message)
        try:
            stamp, frame_id = header(message.data)
        except CdrError as error:
            return [NotReady(Reason.MESSAGE_CORRUPT, stream, str(error))]
        refusal = too_large(stream, message.data, self._limits)
        return [refusal] if refusal else self._observer.push_frame(stream, stamp, message.data, frame_id)

    def _push_odometry(self, message: Recorded) -> list[Outcome]:
        try:
            odometry = deserialize(message.data, message.type)
        except Exception as error:
            return [NotReady(Reason.MESSAGE_CORRUPT, "odometry", f"{type(error).__name__}: {error}")]
        header = odometry.header
        p, q = odometry.pose.pose.position, odometry.pose.pose.orientation
        stamp, sample = header.stamp.sec * SECOND_NS + header.stamp.nanosec, (p.x, p.y, p.z, q.x, q.y, q.z, q.w)
        self._frames.expect_child(odometry.child_frame_id)
        outcomes = self._observer.push_odometry(stamp, sample, header.frame_id, odometry.child_frame_id)
        if not any(isinstance(o, NotReady) and o.t0_ns is None for o in outcomes):
            self.track.add(stamp, sample)
        return outcomes

    def _take_command(self, message: Recorded) -> list[Outcome]:
        if self._command is not None:
            return []
        text, limit = deserialize(message.data, message.type).data, self._values["max_command_length"]
        if len(text) > limit:
            detail = f"{len(text)} characters, {limit} are allowed (max_command_length)"
            return [NotReady(Reason.COMMAND_TOO_LONG, "command", detail)]
        self._observer.command = text
        return []

    def _rewarm(self, due: _Due) -> None:
        if isinstance(due.outcome, Window):
            self._decoding(due.outcome)

    def _record(self, due: _Due, number: int) -> tuple[Record, Future | None]:
        outcome = due.outcome
        if isinstance(outcome, NotReady):
            return Record(outcome.t0_ns, due.received_ns, due.epoch, outcome), None
        self._located = due.poses
        result = self._runner(outcome)
        if isinstance(result, Refused):
            return Record(outcome.t0_ns, due.received_ns, outcome.epoch, result.reason, refused=result.refused), None
        if isinstance(due.target, NotReady):
            return Record(outcome.t0_ns, due.received_ns, outcome.epoch, due.target, refused=result.refused), None
        return self._planned(due, result), self._draw(result, number)

    def _draw(self, tick: Tick, number: int) -> Future | None:
        if self._pictures is None or not self._pictured(number):
            return None
        seen = tick.observation
        return self._artist.submit(
            self._pictures, {role: row[-1] for role, row in zip(seen.cameras, seen.images, strict=True)}
        )

    def _planned(self, due: _Due, tick: Tick) -> Record:
        seen = tick.observation
        name, placed = due.target.place(tick.ego)
        planned = Planned(
            replace(tick.plan, timings={}), seen.command, seen.cameras, seen.stamps_ns, seen.stand_in,
            tick.window.odometry_frame, tick.ego, name, placed,
        )  # fmt: skip
        return Record(
            tick.plan.t0_ns, due.received_ns, tick.window.epoch, None, planned, tick.refused, tick.plan.timings
        )


def _drawn(record: Record, pictures: Future | None) -> Record:
    return record if pictures is None else replace(record, pictures=pictures.result())


def windows(bag: Bag, rig: Rig, values: Mapping[str, Any]) -> Iterator[Window]:
    """The windows that the observer makes of a bag; nothing is decoded and nothing planned."""
    lockstep = Lockstep(bag, rig, Baseline(), values, threads=1)
    try:
        yield from (due.outcome for due in lockstep._due() if isinstance(due.outcome, Window))
    finally:
        lockstep.close()
