"""One scenario's trial of a policy: a closed-loop drive, and an open-loop pass beside the rule driver.

The open-loop pass asks the policy, as it would be asked while the rule driver drives, for its plan at the same
instants for every policy; there the cause is also taken away, and the cameras blanked. Plain values come out, which
travel between processes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from alpamayo_ros.contract import Observation, Plan, Policy
from alpamayo_ros.world.causes import Decision, parse
from alpamayo_ros.world.closed_loop import Tick, run
from alpamayo_ros.world.counterfactual import Apply, Flip, flip, redrawn
from alpamayo_ros.world.episode import Cameras, Episode, Size
from alpamayo_ros.world.judge import Verdict
from alpamayo_ros.world.oracle import OraclePolicy, as_plan, label
from alpamayo_ros.world.scenario import Scenario
from alpamayo_ros.world.scoring import Score, score
from alpamayo_ros.world.sources import ObserverSource
from alpamayo_ros.world.split import Split, split_of
from alpamayo_ros.world.state import Snapshot


@dataclass(frozen=True)
class Setup:
    """How trials are run: seconds a drive, the policy's latency, image size, ticks between two scores of the closed
    loop and between two open-loop questions, blanked ones and counterfactual pairs."""

    seconds: float = 30.0
    latency: float = 0.1
    size: Size = Size()
    open_every: int = 10
    blank_every: int = 30
    flips_a_drive: int = 2
    flip_apart: int = 30
    score_every: int = 1


@dataclass(frozen=True)
class Trial:
    """What came of one scenario. `blanked` are pairs of the true and the said decision without images."""

    scenario: Scenario
    split: Split
    verdict: Verdict
    planned: int
    refused: int
    rule_verdict: Verdict
    closed: tuple[Score, ...]
    opened: tuple[Score, ...]
    blanked: tuple[tuple[Decision, Decision | None], ...]
    flips: tuple[Flip, ...]


def run_trial(scenario: Scenario, policy: Policy | None, setup: Setup, draws: bool) -> Trial:
    """Tries a policy on a scenario.

    Args:
        policy: None: the rule driver itself.
        draws: whether the cameras are rendered; a policy that looks at no image needs none.
    """
    episode = Episode(scenario)
    scene = episode.scene
    watched = _Watched(setup.score_every)
    cameras = Cameras(scene, setup.size) if draws else None
    drive = run(
        episode, policy or OraclePolicy(episode), setup.seconds, setup.latency, cameras, ObserverSource(),
        on_tick=watched.look,
    )  # fmt: skip
    beside = Episode(scenario)
    questions = _Questions(beside, policy, setup, cameras)
    if policy is not None:
        policy.reset()
    rule = run(beside, OraclePolicy(beside), setup.seconds, 0.0, on_tick=questions.ask)
    return Trial(
        scenario, split_of(scenario), drive.verdict, drive.planned, drive.refused, rule.verdict,
        tuple(watched.scores), tuple(questions.scores), tuple(questions.blanked), tuple(questions.flips),
    )  # fmt: skip


@dataclass
class _Watched:
    """Scores the ticks of a closed loop, every so many."""

    every: int
    scores: list[Score] = field(default_factory=list)
    _count: int = 0

    def look(self, tick: Tick) -> None:
        if self._count % self.every == 0:
            self.scores.append(score(tick.scene, tick.snapshot, tick.label, tick.plan))
        self._count += 1


@dataclass
class _Questions:
    """Asks a policy beside the rule driver's drive."""

    episode: Episode
    policy: Policy | None
    setup: Setup
    cameras: Cameras | None
    scores: list[Score] = field(default_factory=list)
    blanked: list[tuple[Decision, Decision | None]] = field(default_factory=list)
    flips: list[Flip] = field(default_factory=list)
    _count: int = 0
    _next_flip: int = 0

    def ask(self, tick: Tick) -> None:
        """At every tick of the rule driver's drive."""
        count, self._count = self._count, self._count + 1
        if count % self.setup.open_every:
            return
        if self.cameras is not None:
            # The rule driver looks at no image, so only what is asked about is drawn.
            tick = replace(tick, observation=redrawn(self.episode, self.cameras, tick.observation, _as_it_is))
        plan = tick.plan if self.policy is None else self.policy(tick.observation)
        self.scores.append(score(self.episode.scene, tick.snapshot, tick.label, plan))
        if self.cameras is not None and self.policy is not None and count % self.setup.blank_every == 0:
            blind = self.policy(_without_images(tick.observation))
            self.blanked.append((tick.label.decision, parse(blind.reasoning[blind.chosen])))
        if count >= self._next_flip and len(self.flips) < self.setup.flips_a_drive:
            found = flip(self.episode.scene, tick, plan, lambda apply: self._changed(tick, apply))
            if found is not None:
                self.flips.append(found)
                self._next_flip = count + self.setup.flip_apart

    def _changed(self, tick: Tick, apply: Apply) -> Plan:
        if self.policy is None:
            return as_plan(label(self.episode.scene, apply(tick.snapshot)), tick.snapshot.t_ns)
        if self.cameras is None:
            return self.policy(tick.observation)
        return self.policy(redrawn(self.episode, self.cameras, tick.observation, apply))


def _as_it_is(snapshot: Snapshot) -> Snapshot:
    return snapshot


def _without_images(observation: Observation) -> Observation:
    images = tuple(tuple(np.zeros_like(image) for image in row) for row in observation.images)
    return replace(observation, images=images)
