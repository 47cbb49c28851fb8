"""Which scenarios are kept from training: held-out seeds, and held-out combinations of factors.

The one place of this fact. A training set takes only scenarios for which `split_of` says TRAIN; an evaluation takes
only the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

from alpamayo_ros.world.scenario import Bend, Daylight, Family, Layout, Scenario, Zone, draw


class Split(str, Enum):
    TRAIN = "train"
    HELD_OUT_SEED = "held_out_seed"
    HELD_OUT_COMBINATION = "held_out_combination"


SEED_MODULUS = 5  # one seed in five is never trained on


def held_out_combination(scenario: Scenario) -> bool:
    """True where this combination of factors is never trained on, though each factor by itself is.

    One pair of factors a family, and two that hold for all: about a fifth of what is drawn.
    """
    zone, dusk = scenario.zone, scenario.daylight is Daylight.DUSK
    if zone is Zone.TOWN and dusk and scenario.bend is Bend.WINDING:
        return True
    if zone is Zone.RURAL and dusk and scenario.layout is Layout.ONE_LANE:
        return True
    side = scenario.behaviour.split("_")[0]
    return {
        Family.EMPTY_ROAD: scenario.bend is Bend.SHARP_LEFT and zone is Zone.SUBURB,
        Family.LEAD_STEADY: dusk and scenario.layout is Layout.DUAL,
        Family.LEAD_BRAKING: zone is Zone.TOWN and scenario.bend is Bend.GENTLE,
        Family.LEAD_STOPPED: zone is Zone.SUBURB and dusk,
        Family.CUT_IN: zone is Zone.RURAL and side == "right",
        Family.PEDESTRIAN: zone is Zone.RURAL and side == "left",
        Family.TRAFFIC_LIGHT: dusk and scenario.behaviour == "turns_red_far",
        Family.LIGHT_QUEUE: zone is Zone.TOWN and dusk,
        Family.CONES: dusk and side == "left",
        Family.JUNCTION: zone is Zone.TOWN and side == "right",
        Family.LIGHT_TURN: dusk and scenario.behaviour == "left_red",
    }[scenario.family]


def split_of(scenario: Scenario) -> Split:
    """The split that a scenario belongs to, from its factors and its seed alone."""
    if held_out_combination(scenario):
        return Split.HELD_OUT_COMBINATION
    return Split.HELD_OUT_SEED if scenario.seed % SEED_MODULUS == SEED_MODULUS - 1 else Split.TRAIN


def scenarios(
    split: Split | None, families: tuple[Family, ...] = tuple(Family), first_seed: int = 0
) -> Iterator[Scenario]:
    """Endless scenarios of one split, the families in turn; None: of both held-out splits, in turn.

    The stream depends on its arguments alone.
    """
    wanted = (Split.HELD_OUT_SEED, Split.HELD_OUT_COMBINATION) if split is None else (split,)
    streams = {(family, kind): _of(family, kind, first_seed) for family in families for kind in wanted}
    while True:
        for kind in wanted:
            for family in families:
                yield next(streams[family, kind])


def _of(family: Family, split: Split, seed: int) -> Iterator[Scenario]:
    while True:
        scenario = draw(family, seed)
        if split_of(scenario) is split:
            yield scenario
        seed += 1
