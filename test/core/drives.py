"""Message streams for the observer's tests: rates, jitter, loss, latency, and a smooth drive for the odometry."""

from __future__ import annotations

import numpy as np
from core.rule_oracle import Message

from alpamayo_ros.contract import CAMERA_ROLES

START_NS = 1_700_000_000_000_000_000


def pose_at(seconds: float, origin=(0.0, 0.0, 0.0), speed: float = 9.0, yaw_rate: float = 0.2) -> tuple:
    """A constant turn at constant speed, pitching a little: x, y, z, qx, qy, qz, qw."""
    yaw = yaw_rate * seconds
    radius = speed / yaw_rate
    pitch = 0.02 * np.sin(seconds)
    cy, sy, cp, sp = np.cos(yaw / 2), np.sin(yaw / 2), np.cos(pitch / 2), np.sin(pitch / 2)
    return (
        origin[0] + radius * np.sin(yaw),
        origin[1] + radius * (1 - np.cos(yaw)),
        origin[2],
        -sp * sy,
        sp * cy,
        cp * sy,
        cp * cy,
    )


def drive(
    seconds=3.0, rates=(10.0, 10.0, 10.0, 10.0), odometry_rate=50.0, jitter=0.0, loss=0.0, latency=None, seed=0,
    phases=None, origin=(0.0, 0.0, 0.0), start_ns=START_NS,
) -> list[Message]:  # fmt: skip
    """Messages in order of receipt. `latency[stream]` seconds after the stamp; jitter in seconds, both ways."""
    rng = np.random.default_rng(seed)
    latency = latency or {}
    arrivals = []
    for number, (role, rate) in enumerate(zip(CAMERA_ROLES, rates, strict=True)):
        phase = phases[number] if phases else 0.0
        for k in range(int(seconds * rate)):
            at = k / rate + phase + rng.uniform(-jitter, jitter)
            if rng.random() < loss:
                continue
            stamp = start_ns + int(round(at * 1e9))
            arrivals.append((at + latency.get(role, 0.01), Message(role, stamp)))
    for k in range(int(seconds * odometry_rate) + 2):
        at = k / odometry_rate
        stamp = start_ns + int(round(at * 1e9))
        arrivals.append((at + latency.get("odometry", 0.0), Message("odometry", stamp, pose_at(at, origin))))
    arrivals.sort(key=lambda arrival: arrival[0])
    return [message for _, message in arrivals]


def feed(observer, messages):
    """Pushes messages in order; returns every outcome."""
    outcomes = []
    for message in messages:
        if message.stream == "odometry":
            outcomes += observer.push_odometry(message.stamp_ns, message.pose, "odom", "base_link")
        else:
            outcomes += observer.push_frame(message.stream, message.stamp_ns, f"{message.stream}@{message.stamp_ns}")
    return outcomes
