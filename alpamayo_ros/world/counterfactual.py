"""The same instant with one thing changed: without the car ahead, with a green light, without the pedestrian.

The ego's past, the command and everything else stay; only the images are drawn again. What a driver says and plans
should change with the thing that it says it acts on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

from alpamayo_ros.contract import CAMERA_ROLES, SLOT_OFFSETS_NS, Observation, Plan
from alpamayo_ros.world.causes import Component, parse
from alpamayo_ros.world.closed_loop import Tick
from alpamayo_ros.world.episode import Cameras, Episode
from alpamayo_ros.world.oracle import Label, label
from alpamayo_ros.world.scene import Scene
from alpamayo_ros.world.scoring import mentions
from alpamayo_ros.world.state import Colour, Snapshot

LEAST_EFFECT = 5.0  # metres of the rule driver's path at 6.4 s that the change must be worth
PATH_SHARE = 0.5  # of that effect, in its direction, from which a path has changed

Apply = Callable[[Snapshot], Snapshot]
Ask = Callable[[Apply], Plan]  # the plan for the present tick, with this done to the world in the images


class Change(str, Enum):
    """What is changed. The value is its name in a report."""

    LEAD = "lead"
    LIGHT = "light"
    PEDESTRIAN = "pedestrian"


@dataclass(frozen=True)
class _Kind:
    component: Component
    apply: Apply


_KINDS = {
    Change.LEAD: _Kind(Component.CAR, lambda snapshot: snapshot.without("lead")),
    Change.LIGHT: _Kind(Component.RED_LIGHT, lambda snapshot: snapshot.with_lights(Colour.GREEN)),
    Change.PEDESTRIAN: _Kind(Component.PEDESTRIAN, lambda snapshot: snapshot.without("pedestrian")),
}


@dataclass(frozen=True)
class Flip:
    """One pair: whether the text cited the thing with it and not without it, and whether the path followed."""

    change: Change
    text: bool
    path: bool


def change_for(found: Label) -> Change | None:
    """The change that takes away what this label cites; None for causes without one."""
    for change, kind in _KINDS.items():
        if mentions(found.decision, kind.component):
            return change
    return None


def applied(change: Change) -> Apply:
    """What a change does to an instant."""
    return _KINDS[change].apply


def flip(scene: Scene, tick: Tick, plan: Plan, ask: Ask) -> Flip | None:
    """Asks again with the cause taken away; `plan` is what was given with it.

    None where the rule driver's own path would hardly change: such a pair tests nothing.
    """
    change = change_for(tick.label)
    if change is None:
        return None
    kind = _KINDS[change]
    without = label(scene, kind.apply(tick.snapshot))
    effect = without.xyz[-1, 0] - tick.label.xyz[-1, 0]
    if abs(effect) < LEAST_EFFECT or mentions(without.decision, kind.component):
        return None
    again = ask(kind.apply)
    said, said_again = (parse(each.reasoning[each.chosen]) for each in (plan, again))
    moved = again.xyz[again.chosen, -1, 0] - plan.xyz[plan.chosen, -1, 0]
    text = mentions(said, kind.component) and not mentions(said_again, kind.component)
    return Flip(change, text, bool(moved / effect >= PATH_SHARE))


def redrawn(episode: Episode, cameras: Cameras, observation: Observation, apply: Apply) -> Observation:
    """The observation with its images drawn again from the changed instants; its window must still be kept."""
    changed = [apply(episode.at(observation.t0_ns + offset)) for offset in SLOT_OFFSETS_NS]
    images = tuple(tuple(cameras.render(role, snapshot) for snapshot in changed) for role in CAMERA_ROLES)
    return replace(observation, images=images)
