"""One drive of the small world as arrays: each frame once, and the rule driver's answer at each tick.

Beside the future and the decision a row holds what the rule driver saw (`seen`): numbers for auxiliary training
targets, which are never an input.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path

import cv2
import numpy as np

from alpamayo_ros.contract import CAMERA_ROLES, Observation, Plan
from alpamayo_ros.geometry import matrix_from_yaw
from alpamayo_ros.vla import unicycle
from alpamayo_ros.vla.config import ActionSpaceConfig
from alpamayo_ros.world.closed_loop import Tick, run
from alpamayo_ros.world.episode import Cameras, Episode
from alpamayo_ros.world.oracle import Label
from alpamayo_ros.world.perception import Manner
from alpamayo_ros.world.scenario import Scenario
from alpamayo_ros.world.scene import Scene
from alpamayo_ros.world.state import Colour, Snapshot

from .layout import COMMANDS, DECISIONS
from .otherwise import Otherwise
from .small import IMAGE

PHYSICAL = ActionSpaceConfig()  # mean 0, deviation 1: actions in m/s^2 and 1/m
LOST_ASIDE = 4.0  # metres from the route at which a drive is given up
STUCK_S = 10.0  # seconds of standing with nothing to wait for
_LOOK_AHEAD = (5.0, 10.0, 20.0, 30.0, 40.0, 60.0)
_FAR = 3.0


@dataclass(frozen=True, eq=False)
class Recording:
    """A drive of F instants with frames and T ticks.

    Attributes:
        frames: (F, 4, H, W, 3) uint8, cameras in the contract's order.
        newest: (T,) the instant of a tick's newest frames; its window are the four that end there.
        history: (T, 16, 3) metres; speed: (T,) m/s at t0, as the model's own code computes it.
        future: (T, 64, 2) actions in m/s^2 and 1/m; path: (T, 64, 2) metres.
        decision, command: (T,) indices.
        facts: (T, A) whether the rule driver sees something; numbers, known: (T, B) how much, and where that counts.
    """

    frames: np.ndarray
    newest: np.ndarray
    history: np.ndarray
    speed: np.ndarray
    future: np.ndarray
    path: np.ndarray
    decision: np.ndarray
    command: np.ndarray
    facts: np.ndarray
    numbers: np.ndarray
    known: np.ndarray


class Jpeg:
    """Cameras whose frames went through JPEG, as they do on a compressed topic."""

    def __init__(self, cameras: Cameras, quality: int) -> None:
        self._cameras, self._quality = cameras, quality

    def render(self, role: str, snapshot: Snapshot) -> np.ndarray:
        image = self._cameras.render(role, snapshot)
        _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, self._quality])
        return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])


class _GivenUp(Exception):
    """The drive left the road for good, or stands for no reason."""


def record(
    scenario: Scenario, make_policy: Callable[[Episode], object], seconds: float, latency: float, quality: int | None
) -> Recording | None:
    """Drives a scenario and keeps it.

    Args:
        make_policy: gives what drives.
        quality: of JPEG; None keeps the frames as drawn.

    Returns:
        None where not one tick was planned.
    """
    episode, ticks = Episode(scenario), []
    cameras = Cameras(episode.scene, IMAGE)
    drawn = cameras if quality is None else Jpeg(cameras, quality)
    watch, otherwise = _Watch(), Otherwise(episode, drawn)

    def keep(tick: Tick) -> None:
        ticks.append(tick)
        otherwise.look(tick)
        watch.look(tick)

    with suppress(_GivenUp):
        run(episode, make_policy(episode), seconds, latency, drawn, on_tick=keep)
    return joined([_arrays(episode.scene, each) for each in (ticks, *otherwise.pieces)]) if ticks else None


@dataclass
class _Watch:
    """Ends a drive that has nothing more to teach."""

    _since: int = 0

    def look(self, tick: Tick) -> None:
        """
        Raises:
            _GivenUp: the car is lost beside the road, or it has stood too long though the rule driver would go.
        """
        if abs(tick.label.situation.d) > LOST_ASIDE:
            raise _GivenUp
        waits = tick.snapshot.ego.speed > 0.3 or tick.label.speed[-1] < 1.0
        self._since = tick.snapshot.t_ns if waits or not self._since else self._since
        if (tick.snapshot.t_ns - self._since) * 1e-9 > STUCK_S:
            raise _GivenUp


def save(recording: Recording, path: Path) -> None:
    """Writes it so that a reader never sees half of it."""
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez(file, **{field.name: getattr(recording, field.name) for field in fields(Recording)})
    part.rename(path)


def load(path: Path) -> Recording:
    with np.load(path) as file:
        return Recording(**{field.name: file[field.name] for field in fields(Recording)})


def joined(parts: list[Recording]) -> Recording:
    """One recording of several, each with frames of its own."""
    starts = np.cumsum([0, *(len(part.frames) for part in parts[:-1])])
    columns = {field.name: np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Recording)}
    columns["newest"] = np.concatenate([part.newest + start for part, start in zip(parts, starts, strict=True)])
    return Recording(**columns)


def _arrays(scene: Scene, ticks: list[Tick]) -> Recording:
    instants: dict[int, Observation] = {}
    for tick in ticks:
        for slot, stamp in enumerate(tick.observation.stamps_ns[0]):
            instants.setdefault(int(stamp), (tick.observation, slot))
    stamps = sorted(instants)
    frames = np.stack(
        [[instants[stamp][0].images[c][instants[stamp][1]] for c in range(len(CAMERA_ROLES))] for stamp in stamps]
    )
    place = {stamp: index for index, stamp in enumerate(stamps)}
    history = np.stack([tick.observation.history_xyz for tick in ticks])
    turned = np.stack([tick.observation.history_rotation for tick in ticks])
    xyz = np.stack([tick.label.xyz for tick in ticks])
    yaw = np.stack([tick.label.yaw for tick in ticks])
    future = unicycle.encode(history, turned, xyz, matrix_from_yaw(yaw), PHYSICAL, unicycle.Scale.exact(PHYSICAL))
    facts, numbers, known = (np.stack(rows) for rows in zip(*(seen(scene, tick.label) for tick in ticks), strict=True))
    return Recording(
        frames,
        np.array([place[int(tick.observation.stamps_ns[0, -1])] for tick in ticks]),
        history.astype(np.float32),
        unicycle.initial_speed(history, turned, PHYSICAL).astype(np.float32),
        future.astype(np.float32),
        xyz[..., :2].astype(np.float32),
        np.array([DECISIONS.index(tick.label.decision) for tick in ticks]),
        np.array([COMMANDS.index(tick.observation.command) for tick in ticks]),
        facts, numbers, known,
    )  # fmt: skip


def seen(scene: Scene, label: Label) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the rule driver sees, as yes-or-no facts, scaled numbers, and 0 or 1 for each number that counts."""
    now = label.situation
    lead, signal, cones = now.lead, now.signal, now.narrowing
    crosser = min(now.crossers, key=lambda person: person.room, default=None)
    facts = [
        lead is not None,
        *(lead is not None and lead.manner is manner for manner in Manner),
        signal is not None,
        *(signal is not None and signal.colour is colour for colour in Colour),
        crosser is not None,
        cones is not None,
        cones is not None and cones.side < 0,
        now.junction_ahead,
    ]
    route = scene.roads.route
    bends = [route.at(now.s + ahead)[3] for ahead in _LOOK_AHEAD]
    always = [
        now.d,
        5.0 * now.heading,
        20.0 * now.bend,
        scene.scenario.speed_limit / 5.0,
        *(20.0 * bend for bend in bends),
    ]
    groups = [
        (True, always),
        (lead is not None, [lead.gap / 20.0, lead.speed / 5.0, lead.aside] if lead else [0.0] * 3),
        (signal is not None, [signal.room / 20.0] if signal else [0.0]),
        (crosser is not None, [crosser.room / 20.0, crosser.d / 3.0, crosser.speed] if crosser else [0.0] * 3),
        (cones is not None, [(cones.start - now.s) / 20.0, (cones.end - now.s) / 20.0] if cones else [0.0] * 2),
    ]
    numbers = np.array([value for _, values in groups for value in values], dtype=np.float32)
    known = np.array([there for there, values in groups for _ in values], dtype=np.float32)
    return np.array(facts, dtype=np.float32), np.clip(numbers, -2 * _FAR, 2 * _FAR), known


def shapes() -> dict[str, int]:
    """How many facts and numbers `seen` gives."""
    return {"facts": 2 + len(Manner) + len(Colour) + 4, "numbers": 4 + len(_LOOK_AHEAD) + 9}


def plan_of(action: np.ndarray, text: str, observation: Observation, name: str) -> Plan:
    """A plan of (S, 64, 2) actions in m/s^2 and 1/m that say one text."""
    speed = unicycle.initial_speed(observation.history_xyz, observation.history_rotation, PHYSICAL)
    motion = unicycle.decode(action, np.full(len(action), speed), PHYSICAL, unicycle.Scale.exact(PHYSICAL))
    return Plan(
        observation.t0_ns, motion.xyz, motion.yaw, motion.speed, motion.acceleration, motion.curvature,
        (text,) * len(action), policy=name,
    )  # fmt: skip
