"""What the driver counts about itself, as plain values that a diagnostic is made from."""

from __future__ import annotations

import threading
from collections import Counter, deque
from dataclasses import dataclass, field

from alpamayo_ros.contract import NotReady, Reason

REMEMBERED_LATENCIES = 600  # a minute at the model's own rate
# A message refused this lately (s) explains why a tick of its stream was refused.
RECENT = 1.0
# Reasons that are no fault: the ticks of the first second and a half, before there is a history.
WARMING_UP = frozenset({Reason.HISTORY_SHORT, Reason.ODOMETRY_MISSING, Reason.CAMERA_MISSING, Reason.CAMERA_GAP})


@dataclass
class Statistics:
    """Counts and latencies since activation; `now` is monotonic seconds throughout.

    The executor's thread and the worker's both write.
    """

    plans: int = 0
    refused: Counter[Reason] = field(default_factory=Counter)
    last_refusal: NotReady | None = None
    last_refusal_at: float = float("-inf")
    last_plan_at: float = float("-inf")
    last_tick_planned: bool = False
    message_refusals: dict[str, tuple[NotReady, float]] = field(default_factory=dict)  # the last one of each stream
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED_LATENCIES))
    ticks: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED_LATENCIES))
    started_at: float = 0.0
    guarded: Counter[str] = field(default_factory=Counter)  # plans by what the consistency guard said of them
    last_guarded: str = ""
    _recent: dict[str, float] = field(default_factory=dict)  # "reason stream" -> when it was last refused for
    _told: frozenset[str] = frozenset()
    _writing: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def plan(self, latency: float, now: float, tick: float) -> None:
        """A plan was published `latency` seconds after its t0, `tick` seconds after the work on it began."""
        with self._writing:
            self.plans += 1
            self.latencies.append(latency)
            self.ticks.append(tick)
            self.last_plan_at = now
            self.last_tick_planned = True

    def guard(self, said: str) -> None:
        """What the consistency guard said of a plan."""
        with self._writing:
            self.guarded[said] += 1
            self.last_guarded = said

    def tick_refusal(self, refusal: NotReady, now: float) -> None:
        """A tick came to nothing."""
        with self._writing:
            self.refused[refusal.reason] += 1
            self._note(refusal, now)
            self.last_refusal, self.last_refusal_at = refusal, now
            self.last_tick_planned = False

    def message_refusal(self, refusal: NotReady, now: float) -> None:
        """One message or frame was no good; its tick may still come to a plan."""
        with self._writing:
            self.refused[refusal.reason] += 1
            self._note(refusal, now)
            self.message_refusals[refusal.stream] = (refusal, now)

    def recent(self, now: float) -> tuple[str, ...]:
        """What was refused within the last second, ticks, messages and frames alike: "reason stream", sorted."""
        with self._writing:
            return tuple(sorted(name for name, at in self._recent.items() if now - at < RECENT))

    def news(self, now: float) -> bool:
        """Whether something is refused now that was not when this was asked last."""
        before, self._told = self._told, frozenset(self.recent(now))
        return bool(self._told - before)

    def _note(self, refusal: NotReady, now: float) -> None:
        if len(self._recent) > 100:
            self._recent = {name: at for name, at in self._recent.items() if now - at < RECENT}
        self._recent[f"{refusal.reason.value} {refusal.stream}".strip()] = now

    def root_cause(self, now: float) -> NotReady | None:
        """Why there is no plan: the last refused tick's reason, or what that stream's messages were refused for."""
        refusal = self.last_refusal
        if refusal is None:
            return None
        cause, at = self.message_refusals.get(refusal.stream, (refusal, float("-inf")))
        return cause if now - at < RECENT else refusal

    def latency(self, quantile: float) -> float | None:
        """Seconds, over the last plans; None before the first."""
        return _quantile(self.latencies, quantile)

    def tick(self, quantile: float) -> float | None:
        """Seconds of decoding, policy and publishing together, over the last plans; None before the first."""
        return _quantile(self.ticks, quantile)


def _quantile(values: deque[float], quantile: float) -> float | None:
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(quantile * len(ordered)))]
