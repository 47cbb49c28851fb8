"""Vehicles and plans of known motion, as the bridge meets them."""

from __future__ import annotations

import math

import numpy as np

from alpamayo_ros.contract import PLAN_STEPS, Plan
from alpamayo_ros.follow.intent import intent
from alpamayo_ros.follow.keeper import heard
from alpamayo_ros.follow.vehicle import Vehicle
from alpamayo_ros.geometry import Pose, quaternion_from_yaw
from alpamayo_ros.unicycle import integrate

T0 = 5_000_000_000
MS = 1_000_000
# Far from the map's origin, as MGRS coordinates are, and turned.
ORIGIN, HEADING = np.array([65_123.4, 43_210.9, 12.5]), 0.7


def plan(speed=8.0, acceleration=0.0, curvature=0.0, t0=T0, samples=1, chosen=0) -> Plan:
    """A plan from (64,) or constant controls; further samples bend a little more."""
    controls = np.zeros((samples, PLAN_STEPS)) + acceleration
    bends = np.zeros((samples, PLAN_STEPS)) + curvature + 0.002 * np.arange(samples)[:, None]
    xyz, yaw, speeds = integrate(np.full(samples, speed), controls, bends)
    words = tuple(f"Keep lane {number}." for number in range(samples))
    return Plan(t0, xyz, yaw, speeds, controls, bends, words, chosen, "onnx")


def place(s=0.0, curvature=0.0) -> Pose:
    """The pose after `s` metres of an arc that begins at ORIGIN."""
    turn = curvature * s
    ahead, left = (math.sin(turn) / curvature, (1 - math.cos(turn)) / curvature) if curvature else (s, 0.0)
    cos, sin = math.cos(HEADING), math.sin(HEADING)
    return Pose(
        ORIGIN + [cos * ahead - sin * left, sin * ahead + cos * left, 0.0], quaternion_from_yaw(HEADING + turn)
    )


def vehicle(speed=8.0, s=0.0, curvature=0.0, stamp=T0, acceleration=0.0) -> Vehicle:
    return Vehicle(stamp, place(s, curvature), speed, speed * curvature, acceleration)


def meant(made: Plan, sample=0):
    """A plan's sample as an intent that starts at ORIGIN."""
    told = heard(made, place(), "map")
    return intent(
        made.t0_ns, place(), Pose(told.poses.xyz[sample], told.poses.quaternion[sample]), told.speed[sample],
        told.acceleration[sample],
    )  # fmt: skip


def sample(of: Vehicle) -> tuple:
    """An odometry message's numbers."""
    return (*of.pose.xyz.tolist(), *of.pose.quaternion.tolist(), of.speed, of.yaw_rate)
