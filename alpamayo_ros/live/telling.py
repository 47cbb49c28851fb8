"""What a live drive says: a line for the terminal now and then, and a summary at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from alpamayo_ros.world.judge import Verdict
from alpamayo_ros.world.scene import Scene
from alpamayo_ros.world.state import Snapshot

# How far ahead a light is told (m).
LIGHT_AHEAD = 90.0


@dataclass(frozen=True)
class Heard:
    """One plan as it came: its t0, wall seconds of its stages and from its last image to here, and its words."""

    t0_ns: int
    stages: dict[str, float]
    since_images: float
    age: float
    reasoning: str


@dataclass(frozen=True)
class Account:
    """What is told of a whole drive; seconds are the world's unless they are latencies.

    `tick` are the driver's own p50 and p95 of decoding, policy and publishing together, over its last minute;
    `messages` counts what the world heard on each topic that can move the vehicle.
    """

    heard: Sequence[Heard]
    driven: float
    slipped: float
    stale_for: float
    tick: tuple[float, float]
    verdict: Verdict | None
    messages: Mapping[str, int] = field(default_factory=dict)

    @property
    def plans_a_second(self) -> float:
        """World seconds."""
        return len(self.heard) / self.driven if self.driven else 0.0

    @property
    def stages(self) -> dict[str, float]:
        """Median seconds of each stage."""
        names = dict.fromkeys(name for plan in self.heard for name in plan.stages)
        return {name: float(np.median([p.stages[name] for p in self.heard if name in p.stages])) for name in names}


def light_ahead(scene: Scene, snapshot: Snapshot) -> str:
    """The colour of the next light along the route, "-" where none is near."""
    ego = snapshot.ego
    s, _, _ = scene.roads.route.frenet_pose(ego.x, ego.y, ego.yaw)
    ahead = {scene.roads.junctions[light.junction].stop_s - s: light.colour.value for light in snapshot.lights}
    near = [distance for distance in ahead if 0.0 < distance < LIGHT_AHEAD]
    return ahead[min(near)] if near else "-"


def line(seconds: float, scene: Scene, snapshot: Snapshot, age: float | None, reasoning: str) -> str:
    """Time, speed, light, age of the plan in force, reasoning."""
    old = "   - ms" if age is None else f"{1e3 * age:4.0f} ms"
    words, light = " ".join(reasoning.split()), light_ahead(scene, snapshot)
    return f"{seconds:6.1f} s  {3.6 * snapshot.ego.speed:3.0f} km/h  light {light:<6}  {old}  {words}"


def summary(account: Account) -> str:
    """Plans and latency, then what the vehicle did."""
    rows = [f"plans        {len(account.heard)}, {account.plans_a_second:.1f} a second"]
    if account.heard:
        p50, p95 = (1e3 * seconds for seconds in account.tick)
        whole = np.percentile([plan.since_images for plan in account.heard], (50, 95)) * 1e3
        rows.append(f"tick         p50 {p50:.0f} ms, p95 {p95:.0f} ms (decode, policy, publish)")
        rows.append(f"stages       {', '.join(f'{stage} {1e3 * s:.1f} ms' for stage, s in account.stages.items())}")
        rows.append(f"last image   p50 {whole[0]:.0f} ms, p95 {whole[1]:.0f} ms from it to the plan's arrival")
    if account.slipped > 0.1:
        rows.append(f"slowed       by {account.slipped:.1f} s: this machine could not keep the world's pace")
    if account.stale_for:
        rows.append(f"braked       {account.stale_for:.1f} s for want of a fresh plan")
    verdict = account.verdict
    if verdict is None:
        return "\n".join([*rows, "driven       by the rule driver alone: no plan came"])
    hit = "none"
    if verdict.collided_with:
        hit = f"{verdict.collided_with} after {verdict.collided_at:.1f} s" + (", at fault" if verdict.at_fault else "")
    off = f"after {verdict.off_road_at:.1f} s" if verdict.off_road else "no"
    rows.append(f"driven       {verdict.progress:.0f} m in {verdict.seconds:.1f} s by the driver's paths")
    rows.append(f"off the road {off}   collision {hit}   red lights run {verdict.red_light_runs}")
    return "\n".join(rows)
