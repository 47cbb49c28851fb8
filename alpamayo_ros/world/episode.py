"""One drive, step by step: the world's clock, the ego under an outside control, odometry, and the cameras' frames.

A fixed step of 10 ms is also the odometry's period (100 Hz). Frames are captured at their own times, between steps
by interpolation. The same scenario, rig timing and controls give the same numbers in every process.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from alpamayo_ros.contract import CAMERA_ROLES, SECOND_NS
from alpamayo_ros.geometry import quaternion_from_yaw
from alpamayo_ros.history import Sample
from alpamayo_ros.world.render.cast_meshes import SceneMeshes
from alpamayo_ros.world.render.renderer import Renderer
from alpamayo_ros.world.rig import RIG
from alpamayo_ros.world.scenario import Scenario
from alpamayo_ros.world.scene import Scene, build
from alpamayo_ros.world.state import EgoState, Snapshot, blend
from alpamayo_ros.world.traffic import Traffic
from alpamayo_ros.world.vehicle import Control, drive

STEP_NS = 10_000_000
STEP_S = STEP_NS / SECOND_NS
START_NS = 10 * SECOND_NS  # the first stamp; a stamp of zero would mean "no stamp"
KEPT_STEPS = 64  # snapshots kept for interpolation and for the image window


@dataclass(frozen=True)
class Timing:
    """When a camera exposes: frames a second, offset of the first one, and the largest jitter; seconds."""

    rate: float = 10.0
    offset: float = 0.0
    jitter: float = 0.0


@dataclass(frozen=True)
class Size:
    """Image height and width in pixels."""

    height: int = 320
    width: int = 576


class Cameras:
    """The rig's renderers for one scene; made only when a frame is asked for."""

    def __init__(self, scene: Scene, size: Size | Mapping[str, Size]) -> None:
        self._scene = scene
        self._sizes = dict.fromkeys(CAMERA_ROLES, size) if isinstance(size, Size) else dict(size)
        self._meshes: SceneMeshes | None = None
        self._renderers: dict[str, Renderer] = {}

    def render(self, role: str, snapshot: Snapshot) -> np.ndarray:
        """(H, W, 3) uint8 RGB of one camera at an instant."""
        if role not in self._renderers:
            self._meshes = self._meshes or SceneMeshes(self._scene)
            size = self._sizes[role]
            self._renderers[role] = Renderer(self._meshes, RIG[role], size.height, size.width)
        return self._renderers[role].render(snapshot)


@dataclass
class _Shutter:
    """The exposure times of one camera, in order."""

    role: str
    timing: Timing
    rng: np.random.Generator
    count: int = 0
    next_ns: int = field(init=False)

    def __post_init__(self) -> None:
        self._plan()

    def _plan(self) -> None:
        timing = self.timing
        ideal = timing.offset + self.count / timing.rate
        moved = self.rng.uniform(-timing.jitter, timing.jitter) if timing.jitter else 0.0
        self.next_ns = START_NS + max(int(round((ideal + moved) * 1e6)) * 1000, 0)
        self.count += 1

    def due(self, until_ns: int) -> Iterator[int]:
        while self.next_ns <= until_ns:
            yield self.next_ns
            self._plan()


class Episode:
    """A running scenario.

    `snapshot` is the whole present state: it is for the rule driver, the judge and the renderer, never for a model.
    """

    def __init__(self, scenario: Scenario, timings: Mapping[str, Timing] | None = None) -> None:
        self.scene = build(scenario)
        self._traffic = Traffic(self.scene.cast, self.scene.roads)
        timings = timings or dict.fromkeys(CAMERA_ROLES, Timing())
        self._shutters = [_Shutter(role, timings[role], scenario.stream(f"shutter {role}")) for role in timings]
        self._kept: deque[Snapshot] = deque(maxlen=KEPT_STEPS)
        x, y, yaw, _ = self.scene.roads.route.at(0.0, scenario.lateral_offset)
        ego = EgoState(x, y, yaw + scenario.heading_error, scenario.start_speed)
        self._kept.append(self._snapshot(START_NS, ego))

    @property
    def snapshot(self) -> Snapshot:
        """The present."""
        return self._kept[-1]

    @property
    def now_ns(self) -> int:
        return self._kept[-1].t_ns

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return (self.now_ns - START_NS) / SECOND_NS

    @property
    def odometry(self) -> Sample:
        """x y z and quaternion xyzw of base_link (rear axle, on the ground) in the world, now."""
        ego = self.snapshot.ego
        return (ego.x, ego.y, 0.0, *(float(part) for part in quaternion_from_yaw(ego.yaw)))

    def step(self, control: Control) -> Snapshot:
        """Moves the world by one step of 10 ms under this control; the new present."""
        before = self.snapshot
        ego = drive(before.ego, control, STEP_S)
        self._traffic.step(self.elapsed, STEP_S, ego)
        self._kept.append(self._snapshot(before.t_ns + STEP_NS, ego))
        return self.snapshot

    def at(self, t_ns: int) -> Snapshot:
        """A recent instant, interpolated.

        Raises:
            ValueError: it is later than the present, or longer ago than what is kept.
        """
        back = (self.now_ns - t_ns) // STEP_NS
        if t_ns > self.now_ns or back >= len(self._kept) or t_ns < self._kept[0].t_ns:
            raise ValueError(f"{t_ns} ns is outside the kept {self._kept[0].t_ns}..{self.now_ns} ns")
        after = self._kept[-1 - back]
        return after if after.t_ns == t_ns else blend(self._kept[-2 - back], after, t_ns)

    def exposures(self) -> list[tuple[int, str]]:
        """(stamp, role) of the frames that became due since the last call, by stamp, then in the rig's order."""
        due = [(stamp, shutter.role) for shutter in self._shutters for stamp in shutter.due(self.now_ns)]
        return sorted(due, key=lambda exposure: exposure[0])

    def _snapshot(self, t_ns: int, ego: EgoState) -> Snapshot:
        return Snapshot(t_ns, ego, self._traffic.cars, self._traffic.pedestrians, self._traffic.lights)
