"""What a stream's messages themselves do not say: who sends them, how many come, and that none come any more.

Times are monotonic seconds of this process: a paused clock and a looped bag look the same to it as a live vehicle.
No ROS here; a publisher is any hashable value.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable

from alpamayo_ros.contract import CAMERA_ROLES, NotReady, Reason

# How long two publishers must not both have been heard on one stream (s): longer than the slowest camera's period.
ALONE = 0.4
# Messages a second that no honest source of a kind exceeds; cameras go to 60 Hz, odometry to 400 Hz.
MOST_CAMERA, MOST_ODOMETRY, MOST_TEXT = 80, 600, 20
# A stream's rate is that of the last so many seconds, and a flood is named once in so many.
COUNTED = 0.5
# The reference camera is silent after this long (s), or after so many of its own steps where it is slower.
SILENT, SILENT_STEPS = 0.6, 5.0
# A clock that stands still for this long (s) while frames come has stopped; a process that was not run for so long too.
STANDS, STALLED = 0.5, 0.5
# Steps between frames that are remembered for the pace.
PACE = 8


class InputWatch:
    """Refuses messages of a second publisher, and names floods, silence and stopped clocks.

    Args:
        reference: the camera whose frames are the ticks.
        simulated: whether the clock is a topic, which may stop.
    """

    def __init__(self, reference: str, simulated: bool):
        self._reference, self._simulated = reference, simulated
        self._heard: dict[str, dict[Hashable, float]] = {}
        self._arrivals: dict[str, int] = {}
        self._counts: deque[tuple[float, dict[str, int]]] = deque()
        self._flood_said: dict[str, float] = {}
        self._frames: deque[float] = deque(maxlen=PACE)
        self._stamp_ns: int | None = None
        self._silent_said = float("-inf")
        self._looked: float | None = None
        self._clock: tuple[int, float] | None = None

    def arrived(self, stream: str, publisher: Hashable, now: float) -> NotReady | None:
        """Notes a message; a refusal of it where another publisher is on its stream."""
        self._arrivals[stream] = self._arrivals.get(stream, 0) + 1
        if stream not in CAMERA_ROLES and stream != "odometry":
            return None
        heard = self._heard.setdefault(stream, {})
        heard[publisher] = now
        if len(heard) == 1:
            return None
        for other in [each for each, at in heard.items() if now - at > ALONE]:
            del heard[other]
        if len(heard) == 1:
            return None
        detail = f"{len(heard)} publishers send on one topic: end all but one"
        return NotReady(Reason.SEVERAL_PUBLISHERS, stream, detail, {"publishers": float(len(heard))})

    def frame(self, stamp_ns: int, now: float) -> None:
        """Notes a frame of the reference camera; one that is sent again and again is as good as none."""
        if stamp_ns != self._stamp_ns:
            self._stamp_ns = stamp_ns
            self._frames.append(now)

    def look(self, now: float, clock_ns: int) -> list[NotReady]:
        """What there is to say at this moment; to be called some twenty times a second."""
        found = [*self._stalled(now), *self._floods(now), *self._clock_stands(now, clock_ns)]
        self._looked = now
        return found

    def silent(self, now: float) -> NotReady | None:
        """The reference camera's silence, once a second, since then no tick begins and none can be refused."""
        if not self._frames or now - self._silent_said < 1.0:
            return None
        steps = [later - earlier for earlier, later in zip(self._frames, list(self._frames)[1:], strict=False)]
        pace = sorted(steps)[len(steps) // 2] if steps else 0.0
        since = now - self._frames[-1]
        if since < max(SILENT, SILENT_STEPS * pace):
            return None
        self._silent_said = now
        detail = "no frame of the reference camera comes, and without it no tick begins"
        return NotReady(Reason.CAMERA_STALE, self._reference, detail, {"silent": since})

    def _stalled(self, now: float) -> list[NotReady]:
        if self._looked is None or now - self._looked < STALLED:
            return []
        self._frames.clear()  # what waits in the queues has another pace
        self._clock = None
        self._counts.clear()
        detail = "this process was not run: stopped, or the machine is overloaded"
        return [NotReady(Reason.PROCESS_STALLED, "", detail, {"for": now - self._looked})]

    def _floods(self, now: float) -> list[NotReady]:
        self._counts.append((now, dict(self._arrivals)))
        while len(self._counts) > 1 and now - self._counts[1][0] >= COUNTED:
            self._counts.popleft()
        since, before = self._counts[0]
        over = now - since
        if over < COUNTED:
            return []
        rates = {stream: (count - before.get(stream, 0)) / over for stream, count in self._arrivals.items()}
        found = [
            NotReady(Reason.STREAM_FLOOD, stream, "more messages than any such source sends", {"rate": rate})
            for stream, rate in rates.items()
            if rate > _most(stream) and now - self._flood_said.get(stream, float("-inf")) >= COUNTED
        ]
        self._flood_said |= dict.fromkeys((each.stream for each in found), now)
        return found

    def _clock_stands(self, now: float, clock_ns: int) -> list[NotReady]:
        if not self._simulated:
            return []
        if self._clock is None or self._clock[0] != clock_ns:
            self._clock = (clock_ns, now)
            return []
        since = self._clock[1]
        coming = sum(at > since + STANDS / 2 for at in self._frames)
        if now - since < STANDS or coming < 2:
            return []
        detail = "/clock stands still while frames come"
        return [NotReady(Reason.CLOCK_STOPPED, "clock", detail, {"for": now - since})]


def _most(stream: str) -> int:
    if stream in CAMERA_ROLES:
        return MOST_CAMERA
    return MOST_ODOMETRY if stream == "odometry" else MOST_TEXT
