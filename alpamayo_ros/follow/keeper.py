"""Which plan holds, whether it may still be driven, and the trajectory that follows from it now.

A plan is taken only in odometry's own frame, while it is young, in the newest epoch and in order; it is anchored where
the vehicle was at its t0. Whatever is refused has a name. When plans stop coming there is a comfortable stop instead.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from alpamayo_ros.checks import MAX_SPEED, MAX_START_ERROR
from alpamayo_ros.contract import PLAN_PERIOD, SECOND_NS, NotReady, Plan, Reason
from alpamayo_ros.follow.intent import Intent, intent
from alpamayo_ros.follow.stopping import stop
from alpamayo_ros.follow.tracking import Bounds, as_planned, deviation, track
from alpamayo_ros.follow.trajectory import Trajectory
from alpamayo_ros.follow.validator import AUTOWARE, Limits, broken
from alpamayo_ros.follow.vehicle import Sample, Vehicle, VehicleLog
from alpamayo_ros.geometry import Pose, quaternion_from_yaw

# A plan may be this far ahead of the clock that ages it: clocks of two machines (s).
AHEAD = 0.1


@dataclass(frozen=True)
class Rules:
    """What is done to plans, and how old they may be (s).

    Attributes:
        compensate: the trajectory starts at the vehicle's place now, stamped now; else where it was at t0, stamped t0.
        trim: without `compensate`, points whose time has passed are left out.
        smooth: within `bounds`; else the plan's own places at their times.
        max_age: of a plan when it comes.
        watchdog: age of the newest plan at which the vehicle is to stop; 0 never.
        braking: of that stop, m/s^2.
        max_odometry_age: how long the vehicle's place is predicted ahead.
        max_deviation: how far smoothing may leave the plan's path to the side, m.
        validate: nothing that breaks `limits` is published.
    """

    compensate: bool = True
    trim: bool = True
    smooth: bool = True
    max_age: float = 1.0
    watchdog: float = 1.0
    braking: float = 1.5
    max_odometry_age: float = 0.2
    max_deviation: float = 1.0
    validate: bool = True
    bounds: Bounds = field(default_factory=Bounds)
    limits: Limits = AUTOWARE


@dataclass(frozen=True, eq=False)
class Heard:
    """A plan as it was published: `poses` (S, 64, 3) and (S, 64, 4) in `frame_id`, `speed`, `acceleration` (S, 64)."""

    t0_ns: int
    epoch: int
    frame_id: str
    policy: str
    chosen: int
    reasoning: tuple[str, ...]
    poses: Pose
    speed: np.ndarray
    acceleration: np.ndarray


@dataclass(frozen=True, eq=False)
class Followable:
    """What to publish: the chosen sample's trajectory and every sample's that passes.

    Attributes:
        candidates: sample number -> trajectory; the chosen one among them. Empty for a stop.
        aside: metres by which smoothing leaves the plan's path at the most.
        overrun: metres by which it ends beyond the plan's last place (behind it where negative).
        stopping: why it is a stop; "" where it follows a plan.
    """

    frame_id: str
    trajectory: Trajectory
    heard: Heard | None
    candidates: dict[int, Trajectory] = field(default_factory=dict)
    aside: float = 0.0
    overrun: float = 0.0
    stopping: str = ""


class Keeper:
    """Odometry and plans in, what to publish out. Times are nanoseconds on the stamps' own clock."""

    def __init__(self, rules: Rules | None = None) -> None:
        self.rules = rules or Rules()
        self._log = VehicleLog()
        self._frame = ""
        self._heard: Heard | None = None
        self._intents: dict[int, Intent] = {}
        self._before: Trajectory | None = None

    def clear(self) -> None:
        """Time has jumped: nothing of before holds."""
        self._log.clear()
        self._heard, self._before = None, None
        self._intents.clear()

    @property
    def newest_odometry_ns(self) -> int | None:
        return self._log.newest_ns

    @property
    def frame_id(self) -> str:
        """Odometry's frame."""
        return self._frame

    @property
    def plan_t0_ns(self) -> int | None:
        """The t0 of the plan that holds."""
        return None if self._heard is None else self._heard.t0_ns

    def push_odometry(self, stamp_ns: int, sample: Sample, frame_id: str) -> NotReady | None:
        """One odometry message of the rear axle; another frame than before starts anew."""
        newest = self._log.newest_ns
        rewound = newest is not None and stamp_ns < newest - SECOND_NS // 2
        if rewound or (self._frame and frame_id != self._frame):
            self.clear()
        self._frame = frame_id
        return self._log.push(stamp_ns, sample)

    def vehicle(self, now_ns: int) -> Vehicle | NotReady:
        """The vehicle now: odometry's newest, predicted ahead."""
        newest = self._log.newest()
        if newest is None:
            return NotReady(Reason.ODOMETRY_MISSING, "odometry", "no odometry has come")
        age = (now_ns - newest.stamp_ns) / SECOND_NS
        if age > self.rules.max_odometry_age:
            numbers = {"age": age, "max_odometry_age": self.rules.max_odometry_age}
            return NotReady(Reason.ODOMETRY_STALE, "odometry", "nobody knows where the vehicle is", numbers)
        return newest.after(age) if age > 0.0 else newest

    def hear(self, heard: Heard, now_ns: int) -> Followable | NotReady:
        """A plan has come: what to publish of it, or why nothing."""
        refusal = self._refusal(heard, now_ns)
        if refusal is not None:
            return refusal
        start = self._log.at(heard.t0_ns)
        vehicle = self.vehicle(now_ns)
        if isinstance(vehicle, NotReady):
            return replace(vehicle, t0_ns=heard.t0_ns)
        if start is None:
            return NotReady(Reason.ODOMETRY_STALE, "odometry", "it does not reach the plan's t0", {}, heard.t0_ns)
        gap = float(np.linalg.norm(heard.poses.xyz[heard.chosen, 0, :2] - start.pose.xyz[:2]))
        reach = abs(start.speed) * PLAN_PERIOD + MAX_START_ERROR
        if gap > reach:
            detail = "the plan does not begin at the vehicle: another map, or another vehicle's"
            return NotReady(Reason.PLAN_INVALID, "", detail, {"gap": gap, "reach": reach}, heard.t0_ns)
        intents = {
            number: intent(
                heard.t0_ns, start.pose, Pose(heard.poses.xyz[number], heard.poses.quaternion[number]),
                heard.speed[number], heard.acceleration[number],
            )
            for number in range(len(heard.reasoning))
        }  # fmt: skip
        made = self._make(heard, intents, vehicle)
        if isinstance(made, NotReady):
            return made
        self._heard, self._intents, self._before = heard, intents, made.trajectory
        return made

    def again(self, now_ns: int) -> Followable | NotReady | None:
        """What to publish though no plan has come: the plan that holds from here on, or a stop; None for nothing."""
        if self._heard is None:
            return None
        vehicle = self.vehicle(now_ns)
        if isinstance(vehicle, NotReady):
            return vehicle
        age = (now_ns - self._heard.t0_ns) / SECOND_NS
        if self.rules.watchdog and age > self.rules.watchdog:
            made = self._stop(vehicle, f"no plan for {age:.1f} s")
        elif not self.rules.compensate or age > self.rules.max_age:
            return None
        else:
            made = self._make(self._heard, self._intents, vehicle)
        if isinstance(made, Followable):
            self._before = made.trajectory
        return made

    def _refusal(self, heard: Heard, now_ns: int) -> NotReady | None:
        t0, held, rules = heard.t0_ns, self._heard, self.rules
        if heard.frame_id != self._frame:
            detail = f"the plan is in '{heard.frame_id}', odometry in '{self._frame}'"
            return NotReady(Reason.FRAME_MISMATCH, "", detail, {}, t0)
        values = heard.poses.xyz, heard.poses.quaternion, heard.speed, heard.acceleration
        if not all(np.isfinite(each).all() for each in values):
            return NotReady(Reason.PLAN_INVALID, "", "it is not finite", {}, t0)
        step = float(np.abs(np.diff(heard.poses.xyz, axis=1)).max())
        reach = MAX_SPEED * PLAN_PERIOD + MAX_START_ERROR
        if step > reach or float(np.abs(heard.speed).max()) > MAX_SPEED:
            return NotReady(Reason.PLAN_INVALID, "", "no vehicle moves like it", {"step": step, "reach": reach}, t0)
        age = (now_ns - t0) / SECOND_NS
        if age > rules.max_age:
            return NotReady(Reason.PLAN_TOO_OLD, "", "", {"age": age, "max_plan_age": rules.max_age}, t0)
        if age < -AHEAD:
            return NotReady(Reason.STAMP_INVALID, "", "the plan is of the future", {"age": age}, t0)
        # A driver that was started again counts its epochs from 1: then the old one's last plan has to have aged.
        if held is not None and (now_ns - held.t0_ns) / SECOND_NS <= rules.max_age:
            if heard.epoch < held.epoch:
                detail = f"epoch {heard.epoch}, {held.epoch} has begun"
                return NotReady(Reason.EPOCH_ENDED, "", detail, {}, t0)
            if heard.epoch == held.epoch and t0 <= held.t0_ns:
                behind = {"behind": (held.t0_ns - t0) / SECOND_NS}
                return NotReady(Reason.PLAN_TOO_OLD, "", "a newer one has come", behind, t0)
        return None

    def _make(self, heard: Heard, intents: dict[int, Intent], vehicle: Vehicle) -> Followable | NotReady:
        candidates, refusals = {}, {}
        for number, meant in intents.items():
            found = self._trajectory(meant, vehicle)
            (refusals if isinstance(found, NotReady) else candidates)[number] = found
        if heard.chosen in refusals:
            return refusals[heard.chosen]
        trajectory = candidates[heard.chosen]
        aside, overrun = deviation(intents[heard.chosen], trajectory)
        return Followable(heard.frame_id, trajectory, heard, candidates, aside, overrun)

    def _trajectory(self, meant: Intent, vehicle: Vehicle) -> Trajectory | NotReady:
        """A sample's trajectory, or the conditions that it breaks."""
        rules = self.rules
        start = vehicle if rules.compensate else self._log.at(meant.t0_ns)
        if start is None:
            return NotReady(Reason.ODOMETRY_STALE, "odometry", "it does not reach the plan's t0", {}, meant.t0_ns)
        found = self._smoothed(meant, start) if rules.smooth else as_planned(meant, start, rules.bounds)
        if rules.trim and not rules.compensate:
            found = found.from_point(_past(found, vehicle.stamp_ns))
        if rules.smooth:
            aside, _ = deviation(meant, found)
            if aside > rules.max_deviation:
                numbers = {"aside": aside, "max_deviation": rules.max_deviation}
                detail = "a vehicle cannot follow the path within its bounds"
                return NotReady(Reason.PLAN_INVALID, "", detail, numbers, meant.t0_ns)
        return self._valid(found, vehicle, meant.t0_ns)

    def _smoothed(self, meant: Intent, start: Vehicle) -> Trajectory:
        return track(meant, start, self.rules.bounds, self._steering(start))

    def _stop(self, vehicle: Vehicle, why: str) -> Followable | NotReady:
        meant = self._intents[self._heard.chosen]
        made = stop(vehicle, self.rules.bounds, self.rules.braking, meant, self._steering(vehicle))
        found = self._valid(made, vehicle, self._heard.t0_ns)
        return found if isinstance(found, NotReady) else Followable(self._frame, found, self._heard, stopping=why)

    def _valid(self, found: Trajectory, vehicle: Vehicle, t0_ns: int) -> Trajectory | NotReady:
        wrong = broken(found, vehicle, self._before, self.rules.limits) if self.rules.validate else {}
        if not wrong:
            return found
        numbers = {name: value for name, (value, _) in wrong.items()}
        return NotReady(Reason.PLAN_INVALID, "", f"it breaks {', '.join(wrong)}", numbers, t0_ns)

    def _steering(self, vehicle: Vehicle) -> float | None:
        return None if self._before is None else self._before.steering_at(vehicle.stamp_ns)


def heard(plan: Plan, ego: Pose, frame_id: str, epoch: int = 1) -> Heard:
    """A plan placed by the vehicle's pose at its t0, as the driver publishes it."""
    poses = ego @ Pose(plan.xyz, quaternion_from_yaw(plan.yaw))
    return Heard(
        plan.t0_ns, epoch, frame_id, plan.policy, plan.chosen, plan.reasoning, poses, plan.speed, plan.acceleration
    )


def _past(trajectory: Trajectory, now_ns: int) -> int:
    """How many of its points lie before now; at least two stay."""
    passed = int(np.searchsorted(trajectory.times, (now_ns - trajectory.stamp_ns) / SECOND_NS, side="left"))
    return min(passed, len(trajectory.times) - 2)
