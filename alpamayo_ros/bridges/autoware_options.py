"""The Autoware bridge's parameters, and the rules that follow from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from alpamayo_ros.follow.keeper import Rules
from alpamayo_ros.follow.tracking import Bounds
from alpamayo_ros.follow.validator import AUTOWARE
from alpamayo_ros.params import Parameter, Value

_RULES, _BOUNDS = Rules(), Bounds()

TABLE = (
    Parameter(
        "frame", "odometry", "Frame of the trajectories: odometry's own (map), or the vehicle's at their stamp.",
        choices=("odometry", "base_link"),
    ),
    Parameter("ego_frame", "base_link", "The vehicle's frame, which odometry's child frame has to be."),
    Parameter("compensate", _RULES.compensate, "Begin where the vehicle is now, stamped now; else at t0, stamped t0."),
    Parameter("trim", _RULES.trim, "Without compensate: leave points out whose time has passed."),
    Parameter("smooth", _RULES.smooth, "Follow the plan within the bounds below; else publish its own waypoints."),
    Parameter("validate", _RULES.validate, "Publish nothing that Autoware's planning validator would refuse."),
    Parameter("max_plan_age", _RULES.max_age, "An older plan is not published, s.", (0.05, 60.0)),
    Parameter("watchdog", _RULES.watchdog, "Age of the newest plan that brings a stop, s; 0: never.", (0.0, 60.0)),
    Parameter("stop_deceleration", _RULES.braking, "Of that stop, m/s^2.", (0.3, 5.0)),
    Parameter("again_after", 0.15, "Silence after which the newest plan is entered anew, s; 0: never.", (0.0, 5.0)),
    Parameter("max_odometry_age", _RULES.max_odometry_age, "How long odometry is predicted ahead, s.", (0.01, 1.0)),
    Parameter("max_deviation", _RULES.max_deviation, "How far smoothing may leave the path aside, m.", (0.05, 10.0)),
    Parameter("wheel_base", _BOUNDS.wheel_base, "Between the axles, m: wheel angles follow from it.", (0.5, 10.0)),
    Parameter("max_acceleration", _BOUNDS.acceleration, "When smoothing, m/s^2.", (0.3, 5.0)),
    Parameter("max_deceleration", _BOUNDS.deceleration, "When smoothing, m/s^2; above 3 is refused.", (0.5, 9.0)),
    Parameter("max_jerk", _BOUNDS.jerk, "When smoothing, m/s^3.", (0.3, 30.0)),
    Parameter("max_lateral_acceleration", _BOUNDS.lateral_acceleration, "When smoothing, m/s^2.", (0.5, 9.0)),
    Parameter("max_lateral_jerk", _BOUNDS.lateral_jerk, "When smoothing, 3 v^2 a k; above 7 is refused.", (0.5, 100.0)),
    Parameter("max_steering", _BOUNDS.steering, "Of the front wheels, when smoothing, rad.", (0.1, 1.4)),
    Parameter("max_steering_rate", _BOUNDS.steering_rate, "Of the front wheels, when smoothing, rad/s.", (0.05, 5.0)),
    Parameter(
        "engage_speed", 0.25, "Least speed of the points where a standing vehicle sets off, m/s: Autoware's controller "
        "takes a first point of 0 for a stop; 0: the true speeds.", (0.0, 1.0),
    ),
    Parameter("candidates", True, "Publish every sample as CandidateTrajectories."),
    Parameter("diagnostics_period", 1.0, "Seconds between diagnostics.", (0.1, 60.0)),
)  # fmt: skip


def rules(values: Mapping[str, Value]) -> Rules:
    """What the keeper is told.

    Raises:
        ValueError: two parameters that contradict each other.
    """
    if values["frame"] == "base_link" and values["trim"] and not values["compensate"]:
        raise ValueError(
            "frame: base_link needs compensate, or trim: false: a trimmed trajectory that is stamped t0 does not begin "
            "in the vehicle's frame at its stamp"
        )
    wheel_base = float(values["wheel_base"])
    bounds = Bounds(
        wheel_base, float(values["max_acceleration"]), float(values["max_deceleration"]), float(values["max_jerk"]),
        float(values["max_lateral_acceleration"]), float(values["max_lateral_jerk"]), float(values["max_steering"]),
        float(values["max_steering_rate"]),
    )  # fmt: skip
    return Rules(
        bool(values["compensate"]), bool(values["trim"]), bool(values["smooth"]), float(values["max_plan_age"]),
        float(values["watchdog"]), float(values["stop_deceleration"]), float(values["max_odometry_age"]),
        float(values["max_deviation"]), bool(values["validate"]), bounds, replace(AUTOWARE, wheel_base=wheel_base),
    )  # fmt: skip


def defaults() -> dict[str, Value]:
    """Every parameter's default."""
    return {parameter.name: parameter.default for parameter in TABLE}
