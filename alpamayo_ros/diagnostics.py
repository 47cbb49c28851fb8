"""Statistics to /diagnostics: a status each for the inputs, the plans, the consistency guard and the rig.

Levels: WARN where plans are missing or an input is, ERROR where the policy fails or none of the inputs will do for
seconds, OK else. (diagnostic_updater's frequency and age tasks keep a clock of their own that ignores /clock, so
it is not used.)
"""

from __future__ import annotations

from dataclasses import dataclass

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from alpamayo_ros.contract import Reason
from alpamayo_ros.guard import Agreement
from alpamayo_ros.messages import time_msg
from alpamayo_ros.observer import Observer
from alpamayo_ros.rig_check import RigCheck, warnings
from alpamayo_ros.statistics import WARMING_UP, Statistics
from alpamayo_ros.worker import WorkerCounts

# Without a plan for this long (s) a warning becomes an error.
SILENCE = 2.5
# A history needs 1.5 s; until then its absence is no fault.
WARM_UP = 3.0
_POLICY_FAULTS = frozenset({Reason.POLICY_FAILED, Reason.POLICY_TIMEOUT, Reason.PLAN_INVALID, Reason.TICK_FAILED})


@dataclass(frozen=True)
class State:
    """What a change of is published at once: the level and the reason."""

    level: bytes
    message: str


def state_of(statistics: Statistics, now: float) -> State:
    """The driver's state, in a word."""
    refusal = statistics.root_cause(now)
    if statistics.last_tick_planned and now - statistics.last_plan_at < SILENCE:
        return State(DiagnosticStatus.OK, "planning")
    since = now - max(statistics.started_at, statistics.last_plan_at)
    if refusal is None or statistics.last_refusal_at < now - SILENCE:
        level = DiagnosticStatus.OK if since < WARM_UP else DiagnosticStatus.ERROR
        return State(level, "waiting for the reference camera")
    if not statistics.plans and refusal.reason in WARMING_UP and now - statistics.started_at < WARM_UP:
        return State(DiagnosticStatus.OK, "warming up")
    severe = refusal.reason in _POLICY_FAULTS or since >= SILENCE
    where = f" {refusal.stream}" if refusal.stream else ""
    return State(DiagnosticStatus.ERROR if severe else DiagnosticStatus.WARN, f"{refusal.reason.value}{where}")


def diagnostics_msg(
    name: str, state: State, statistics: Statistics, observer: Observer, counts: WorkerCounts, rig: RigCheck | None,
    now_ns: int, now: float,
) -> DiagnosticArray:  # fmt: skip
    """The whole array; `now_ns` stamps it, `now` is monotonic seconds."""
    plans = {
        "policy": name,
        "epoch": observer.epoch,
        "epoch_cause": observer.epoch_cause,
        "plans": statistics.plans,
        "seconds_since_plan": now - statistics.last_plan_at if statistics.plans else "never",
        "latency_p50": statistics.latency(0.5),
        "latency_p95": statistics.latency(0.95),
        "tick_p50": statistics.tick(0.5),
        "tick_p95": statistics.tick(0.95),
        "windows_replaced": counts.replaced,
        "results_of_ended_epochs": counts.outdated,
        "policy_timeouts": counts.timed_out,
        "last_refusal": str(statistics.last_refusal) if statistics.last_refusal else "none",
        "refused_lately": "; ".join(statistics.recent(now)) or "nothing",
        **{f"refused.{reason.value}": count for reason, count in sorted(statistics.refused.items())},
    }
    rates, ages = observer.stream_rates, observer.stream_ages_ns
    inputs: dict[str, object] = {}
    for stream in rates:
        age = ages[stream]
        inputs[f"{stream}.rate"] = rates[stream]
        inputs[f"{stream}.age"] = "never seen" if age is None else age / 1e9
    for (stream, push), count in sorted(observer.tally.items(), key=lambda item: (item[0][0], item[0][1].value)):
        inputs[f"{stream}.{push.value}"] = count
    missing = [stream for stream, age in ages.items() if age is None]
    warning = f"nothing from {', '.join(missing)}" if missing else "all streams"
    status = [
        _status("alpamayo_driver: plans", state.level, state.message, plans),
        _status("alpamayo_driver: inputs", DiagnosticStatus.WARN if missing else DiagnosticStatus.OK, warning, inputs),
    ]
    status.append(_guard(statistics))
    if rig is not None:
        status.append(_rig(rig))
    array = DiagnosticArray(status=status)
    array.header.stamp = time_msg(now_ns)
    return array


def _guard(statistics: Statistics) -> DiagnosticStatus:
    """Whether the last plan's words and path contradict each other."""
    said = statistics.last_guarded
    contradicted = said not in ("", *(each.value for each in Agreement))
    values = {f"plans.{name}": count for name, count in sorted(statistics.guarded.items())}
    level = DiagnosticStatus.WARN if contradicted else DiagnosticStatus.OK
    return _status("alpamayo_driver: guard", level, said or "no plan yet", values)


def _rig(rig: RigCheck) -> DiagnosticStatus:
    """Whether the cameras look where the model's do."""
    swaps, remarks = rig.swaps(), rig.remarks()
    values = {f"{role}.{name}": value for role, seen in rig.views.items() for name, value in vars(seen).items()}
    level = DiagnosticStatus.ERROR if swaps else DiagnosticStatus.WARN if warnings(rig.views) else DiagnosticStatus.OK
    return _status("alpamayo_driver: rig", level, "; ".join(remarks) or "as the model's", values)


def _status(name: str, level: bytes, message: str, values: dict[str, object]) -> DiagnosticStatus:
    pairs = [KeyValue(key=key, value=_text(value)) for key, value in values.items()]
    return DiagnosticStatus(name=name, hardware_id="alpamayo", level=level, message=message, values=pairs)


def _text(value: object) -> str:
    if value is None:
        return "unknown"
    return f"{value:.4f}" if isinstance(value, float) else str(value)
