"""Training samples: observations with the rule driver's future and cause, from drives that stray from its line.

The rule driver alone would show only its own line and speeds, and a learner's first error would lead to scenes that
it has never seen. So the car is driven by a wandering copy of it, and each instant is labelled by what the rule
driver itself would do there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from alpamayo_ros.contract import PLAN_PERIOD, Observation, Plan
from alpamayo_ros.world.closed_loop import Tick, run
from alpamayo_ros.world.driver import Stray
from alpamayo_ros.world.episode import Cameras, Episode, Size
from alpamayo_ros.world.oracle import Label, OraclePolicy, as_plan, label
from alpamayo_ros.world.scenario import Scenario

ASIDE = 0.4  # metres, standard deviation of the wandering to the side
ASIDE_TIME, PACE_TIME = 2.5, 4.0  # s, over which it is remembered
PACE = 0.12  # standard deviation of the speed limit's factor
ROOM, ROOM_TIME = 1.6, 3.0  # metres, standard deviation of the mistake about where a stop ends; s


@dataclass(frozen=True, eq=False)
class Sample:
    """One labelled instant; `observation.command` and images are all that a model may see beside the history."""

    scenario: Scenario
    observation: Observation
    label: Label

    @property
    def text(self) -> str:
        return self.label.decision.text


class Wanderer:
    """The rule driver with a line, a pace and stops that stray slowly (Ornstein-Uhlenbeck), seeded by the scenario.

    Where stops stray, a speed does not tell the room that is left: a learner has to look at the road for it.
    """

    name = "wanderer"

    def __init__(self, episode: Episode, stream: str = "wander") -> None:
        self._episode = episode
        self._rng = episode.scene.scenario.stream(stream)
        self._aside = self._pace = self._room = 0.0

    def __call__(self, observation: Observation) -> Plan:
        self._aside = self._stray(self._aside, ASIDE, ASIDE_TIME)
        self._pace = self._stray(self._pace, PACE, PACE_TIME)
        self._room = self._stray(self._room, ROOM, ROOM_TIME)
        snapshot = self._episode.at(observation.t0_ns)
        found = label(self._episode.scene, snapshot, Stray(self._aside, 1.0 + self._pace, self._room))
        return as_plan(found, observation.t0_ns)

    def _stray(self, value: float, deviation: float, memory: float) -> float:
        keep = math.exp(-PLAN_PERIOD / memory)
        value = keep * value + deviation * math.sqrt(1.0 - keep * keep) * float(self._rng.standard_normal())
        return min(max(value, -2.0 * deviation), 2.0 * deviation)

    def reset(self) -> None:
        """The wandering goes on; a drive has but one."""

    def close(self) -> None:
        """It holds nothing."""


def samples(
    scenario: Scenario, size: Size, every: int = 2, seconds: float = 30.0, wander: bool = True
) -> Iterator[Sample]:
    """Labelled instants of one drive, every `every` tenths of a second, with four cameras of `size`."""
    episode = Episode(scenario)
    ticks: list[Tick] = []
    policy = Wanderer(episode) if wander else OraclePolicy(episode)
    run(episode, policy, seconds, cameras=Cameras(episode.scene, size), on_tick=ticks.append)
    for tick in ticks[::every]:
        yield Sample(scenario, tick.observation, tick.label)
