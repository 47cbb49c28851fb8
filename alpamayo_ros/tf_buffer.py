"""A transform buffer with tf2's answers, for machines that have no tf2 (the PyPI wheels of ROS 2 have none).

It follows the semantics of tf2::BufferCore: per frame a cache of the transforms to its parent, bounded in time; a
lookup interpolates each edge at the one stamp and never extrapolates; stamp 0 asks for the latest time that all
moving edges of the chain have. No ROS here; one lock, so that the executor may write while a worker reads.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from dataclasses import dataclass, field

import numpy as np

from alpamayo_ros.contract import SECOND_NS
from alpamayo_ros.geometry import IDENTITY, Pose, interpolate_poses

LOOKUP, CONNECTIVITY, EXTRAPOLATION = "LookupException", "ConnectivityException", "ExtrapolationException"
# A loop is over when one of its transforms is older than the others by this.
LOOP_ENDED_NS = SECOND_NS // 2


class TransformError(Exception):
    """No transform at that time; `kind` is the name of tf2's exception for the case."""

    def __init__(self, kind: str, message: str):
        super().__init__(message)
        self.kind = kind


@dataclass
class _Link:
    """One frame's transforms to its parent: a single one that always holds (static), or a cache by stamp."""

    parent: str
    static: Pose | None = None
    stamps: list[int] = field(default_factory=list)
    poses: list[Pose] = field(default_factory=list)

    def at(self, stamp_ns: int, child: str) -> Pose:
        if self.static is not None:
            return self.static
        after = bisect_left(self.stamps, stamp_ns)
        if after < len(self.stamps) and self.stamps[after] == stamp_ns:
            return self.poses[after]
        if after in (0, len(self.stamps)):
            raise TransformError(
                EXTRAPOLATION,
                f"{child} in {self.parent} is asked for at {stamp_ns / SECOND_NS:.6f} s and known from "
                f"{self.stamps[0] / SECOND_NS:.6f} to {self.stamps[-1] / SECOND_NS:.6f} s",
            )
        pair = self.poses[after - 1 : after + 1]
        poses = Pose(np.stack([p.xyz for p in pair]), np.stack([p.quaternion for p in pair]))
        between = interpolate_poses(np.array(self.stamps[after - 1 : after + 1]), poses, np.array([stamp_ns]))
        return Pose(between.xyz[0], between.quaternion[0])


class TransformBuffer:
    """Transforms by frame name and stamp.

    Args:
        cache_ns: what is older than a frame's newest transform by more than this is dropped.
    """

    def __init__(self, cache_ns: int = 10 * SECOND_NS):
        self._cache_ns = cache_ns
        self._links: dict[str, _Link] = {}
        self._changed = threading.Condition()

    def set_transform(self, parent: str, child: str, stamp_ns: int, pose: Pose, static: bool = False) -> None:
        """Takes one transform, child to parent.

        Raises:
            ValueError: names that are empty or equal, a pose that is not finite, a rotation that is no rotation.
        """
        parent, child = parent.lstrip("/"), child.lstrip("/")
        if not parent or not child or parent == child:
            raise ValueError(f"a transform from {child!r} to {parent!r} needs two different frame names")
        values = np.concatenate([pose.xyz, pose.quaternion])
        if not np.isfinite(values).all() or abs(np.linalg.norm(pose.quaternion) - 1) > 1e-2:
            raise ValueError(f"the transform of {child!r} in {parent!r} is no rigid transform: {values.tolist()}")
        with self._changed:
            link = self._links.get(child)
            if static:
                self._links[child] = _Link(parent, static=pose)
            else:
                if link is None or link.static is not None or link.parent != parent:
                    link = self._links[child] = _Link(parent)
                self._insert(link, stamp_ns, pose)
            self._changed.notify_all()

    def lookup(self, target: str, source: str, stamp_ns: int) -> tuple[Pose, int]:
        """The pose of `source` in `target` at a stamp (0: the latest common one), and the stamp it is for.

        Raises:
            TransformError: with the kind that tf2 would raise.
        """
        target, source = target.lstrip("/"), source.lstrip("/")
        with self._changed:
            up, down = self._chains(target, source)
            stamp_ns = stamp_ns or self._latest_common(up + down)
            return self._compose(down, stamp_ns).inverse() @ self._compose(up, stamp_ns), stamp_ns

    def wait_for(self, target: str, source: str, stamp_ns: int, timeout: float) -> tuple[Pose, int]:
        """`lookup`, tried again as transforms come in, for at most `timeout` seconds.

        Raises:
            TransformError: the last one, when the time is over.
        """
        failure: list[TransformError] = []
        found: list[tuple[Pose, int]] = []

        def tried() -> bool:
            try:
                found.append(self.lookup(target, source, stamp_ns))
            except TransformError as error:
                failure[:] = [error]
            return bool(found)

        with self._changed:
            if self._changed.wait_for(tried, timeout):
                return found[0]
        raise failure[0]

    def clear(self) -> None:
        """Forgets all moving transforms; static ones stay, as they are sent only once."""
        with self._changed:
            self._links = {child: link for child, link in self._links.items() if link.static is not None}

    def _insert(self, link: _Link, stamp_ns: int, pose: Pose) -> None:
        if link.stamps and stamp_ns < link.stamps[-1] - self._cache_ns:
            return
        index = bisect_left(link.stamps, stamp_ns)
        if index < len(link.stamps) and link.stamps[index] == stamp_ns:
            return
        link.stamps.insert(index, stamp_ns)
        link.poses.insert(index, pose)
        expired = bisect_left(link.stamps, link.stamps[-1] - self._cache_ns)
        del link.stamps[:expired], link.poses[:expired]

    def _ancestors(self, frame: str) -> list[str]:
        """The frame, its parent, and so on."""
        chain = [frame]
        while chain[-1] in self._links:
            parent = self._links[chain[-1]].parent
            if parent in chain:
                self._break(chain[chain.index(parent) :])
                return self._ancestors(frame)
            chain.append(parent)
        return chain

    def _break(self, loop: list[str]) -> None:
        """Forgets the links of a loop that are no longer sent.

        Raises:
            TransformError: all of them are.
        """
        newest = {frame: self._links[frame].stamps[-1] for frame in loop if self._links[frame].stamps}
        ended = [frame for frame, stamp in newest.items() if stamp < max(newest.values()) - LOOP_ENDED_NS]
        if not ended:
            raise TransformError(LOOKUP, f"the tree has a loop: {' -> '.join([*loop, loop[0]])}")
        for frame in ended:
            del self._links[frame]

    def _chains(self, target: str, source: str) -> tuple[list[str], list[str]]:
        """The frames below the common ancestor on the source's side, and on the target's side."""
        known = self._links.keys() | {link.parent for link in self._links.values()}
        for frame in (target, source):
            if frame not in known and target != source:
                raise TransformError(
                    LOOKUP, f"frame {frame!r} does not exist; known: {', '.join(sorted(known)) or 'none'}"
                )
        above_source, above_target = self._ancestors(source), self._ancestors(target)
        common = next((frame for frame in above_source if frame in above_target), None)
        if common is None:
            raise TransformError(CONNECTIVITY, f"{source!r} and {target!r} are in different trees")
        return above_source[: above_source.index(common)], above_target[: above_target.index(common)]

    def _latest_common(self, frames: list[str]) -> int:
        links = [self._links[frame] for frame in frames]
        return min((link.stamps[-1] for link in links if link.static is None), default=0)

    def _compose(self, chain: list[str], stamp_ns: int) -> Pose:
        """The pose of the chain's first frame in the parent of its last one."""
        pose = IDENTITY
        for frame in chain:
            pose = self._links[frame].at(stamp_ns, frame) @ pose
        return pose
