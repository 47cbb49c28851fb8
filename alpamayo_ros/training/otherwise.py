"""Short pieces of a drive as they would look with one thing changed, and what the rule driver would do then.

Past, speed and place stay as they are, so nothing but the images tells such a piece from the drive itself: a learner
cannot get along by what it was doing anyway. A thing that is stopped for is taken away, or a green light is red.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from alpamayo_ros.contract import CAMERA_ROLES, SLOT_OFFSETS_NS
from alpamayo_ros.world.closed_loop import Tick
from alpamayo_ros.world.counterfactual import Apply, applied, change_for
from alpamayo_ros.world.driver import LINE_MARGIN
from alpamayo_ros.world.episode import Episode
from alpamayo_ros.world.state import Colour

LENGTH = 6  # ticks of a piece
MOST = 5  # pieces of a drive
CHANCE = 0.08  # of beginning one at a tick where one is possible
STILL_STOPS = 4.0  # m/s^2 that a stop at a light that turns red may take
RED = 0.7  # share of the lights that are made red; the others yellow


@dataclass
class Otherwise:
    """Call `look` at every tick; `pieces` are lists of changed ticks. `cameras`: what renders the drive's frames."""

    episode: Episode
    cameras: object
    pieces: list[list[Tick]] = field(default_factory=list)
    _apply: Apply | None = None
    _frames: dict[int, list[np.ndarray]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._rng = self.episode.scene.scenario.stream("otherwise")

    def look(self, tick: Tick) -> None:
        """Goes on with the piece that is being made, or begins one."""
        if self._apply is not None and len(self.pieces[-1]) == LENGTH:
            self._apply = None
        if self._apply is None and len(self.pieces) < MOST and self._rng.random() < CHANCE:
            self._apply = self._change(tick)
            if self._apply is not None:
                self.pieces.append([])
                self._frames.clear()
        if self._apply is not None:
            self.pieces[-1].append(self._changed(tick, self._apply))

    def _change(self, tick: Tick) -> Apply | None:
        """Something that changes what the rule driver does here; None where there is nothing."""
        signal, speed = tick.label.situation.signal, tick.snapshot.ego.speed
        if signal is not None and signal.colour is Colour.GREEN:
            room = signal.room - LINE_MARGIN
            if room <= 0.0 or speed**2 / (2.0 * room) > STILL_STOPS:
                return None
            colour = Colour.RED if self._rng.random() < RED else Colour.YELLOW
            return lambda snapshot: snapshot.with_lights(colour)
        change = change_for(tick.label)
        return None if change is None else applied(change)

    def _changed(self, tick: Tick, apply: Apply) -> Tick:
        stamps = [tick.observation.t0_ns + offset for offset in SLOT_OFFSETS_NS]
        for stamp in stamps:
            if stamp not in self._frames:
                snapshot = apply(self.episode.at(stamp))
                self._frames[stamp] = [self.cameras.render(role, snapshot) for role in CAMERA_ROLES]
        images = tuple(tuple(self._frames[stamp][index] for stamp in stamps) for index in range(len(CAMERA_ROLES)))
        return replace(tick, observation=replace(tick.observation, images=images), snapshot=apply(tick.snapshot))
