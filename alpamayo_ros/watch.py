"""Watches a driver from outside: a line for each plan, its diagnostics, and a summary."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.qos import QoSProfile

from alpamayo_ros.contract import SECOND_NS
from alpamayo_ros.messages import stamp_ns
from alpamayo_ros.msg import DrivingPlan


@dataclass
class Watched:
    """What was seen: plans by t0, their ages in seconds, and the driver's last word on everything."""

    plans: list[DrivingPlan] = field(default_factory=list)
    ages: list[float] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)
    state: str = ""


class Watcher(Node):
    """Prints a line for every plan (t0 since the first, age, speed, distance planned, reasoning)."""

    def __init__(self, quiet: bool = False, **options):
        super().__init__("alpamayo_watch", **options)
        self.seen = Watched()
        self._quiet = quiet
        self.create_subscription(DrivingPlan, "/alpamayo_driver/plan", self._on_plan, QoSProfile(depth=20))
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, QoSProfile(depth=20))

    def _on_plan(self, plan: DrivingPlan) -> None:
        t0 = stamp_ns(plan.header.stamp)
        age = (self.get_clock().now().nanoseconds - t0) / SECOND_NS
        self.seen.plans.append(plan)
        self.seen.ages.append(age)
        if not self._quiet:
            first = stamp_ns(self.seen.plans[0].header.stamp)
            print(line(plan, (t0 - first) / SECOND_NS, age), flush=True)

    def _on_diagnostics(self, array: DiagnosticArray) -> None:
        for status in array.status:
            if status.name != "alpamayo_driver: plans":
                continue
            self.seen.values = {pair.key: pair.value for pair in status.values}
            if status.message != self.seen.state and not self._quiet:
                print(f"          driver: {status.message}", flush=True)
            self.seen.state = status.message


def line(plan: DrivingPlan, since: float, age: float) -> str:
    """One plan in one line."""
    sample = plan.samples[plan.chosen]
    points = np.array([(p.position.x, p.position.y) for p in sample.poses])
    distance = np.linalg.norm(np.diff(points, axis=0), axis=1).sum()
    flags = " *" if any(slot.stand_in for slot in plan.images) else ""
    text = f"t0 {since:7.2f} s  age {1e3 * age:4.0f} ms  {sample.speed[0]:5.1f} m/s  plans {distance:5.1f} m{flags}  "
    return text + plan.reasoning.replace("\n", " ")


def summary(seen: Watched) -> str:
    """What came of it: plans, refusals by name, latency."""
    rows = [f"plans        {len(seen.plans)}"]
    if seen.ages:
        p50, p95 = np.percentile(seen.ages, (50, 95)) * 1e3
        rows.append(f"age          p50 {p50:.0f} ms, p95 {p95:.0f} ms from t0 to here")
    stages: dict[str, list[float]] = {}
    for plan in seen.plans:
        for timing in plan.timings:
            stages.setdefault(timing.stage, []).append(timing.seconds)
    if stages:
        listed = ", ".join(f"{stage} {1e3 * float(np.median(times)):.1f} ms" for stage, times in stages.items())
        rows.append(f"stages       {listed}")
    refused = {k.removeprefix("refused."): v for k, v in seen.values.items() if k.startswith("refused.")}
    rows.append(f"refused      {', '.join(f'{name} {count}' for name, count in refused.items()) or 'nothing'}")
    stand_ins = sum(any(slot.stand_in for slot in plan.images) for plan in seen.plans)
    if stand_ins:
        rows.append(f"stand-ins    {stand_ins} plans (marked *) with a neighbour for a lost frame")
    if seen.values.get("windows_replaced", "0") != "0":
        rows.append(f"replaced     {seen.values['windows_replaced']} windows by newer ones before the policy was free")
    return "\n".join(rows)
