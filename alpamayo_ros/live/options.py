"""What a live drive is told on its command line, and the scenario that follows from it."""

from __future__ import annotations

import argparse
from itertools import count, islice
from pathlib import Path

from alpamayo_ros.paths import share
from alpamayo_ros.world.episode import Size
from alpamayo_ros.world.scenario import TURN_COMMANDS, TURN_FAMILIES, Family, Scenario, draw

# Seeds that are looked through for a scenario whose route does what the command says.
SEARCHED = 1000
# A seed that no model was trained on (`world/split.py`): as light_turn a red light, then a turn to the left.
HELD_OUT = 9


def add(parser: argparse.ArgumentParser) -> None:
    """Adds the options of a live drive."""
    families = [family.value for family in Family]
    parser.add_argument("--scenario", choices=families, help="what happens (default: light_turn)")
    parser.add_argument("--seed", type=int, default=HELD_OUT, help="which of the endless drives of that kind")
    parser.add_argument("--command", help='navigation text, e.g. "turn left" (default: the scenario\'s own)')
    parser.add_argument("--seconds", type=float, default=30.0, help="of world time")
    parser.add_argument("--real-time-factor", type=float, default=1.0, help="world seconds a second")
    parser.add_argument("--image-size", type=_size, default=Size(192, 384), help="ROWSxCOLUMNS of each camera")
    parser.add_argument("--out", type=Path, default=share() / "out", help="where drive.mp4 goes")
    parser.add_argument("--no-film", action="store_true", help="draw no pictures afterwards")


def check(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Ends the program where a value is no good."""
    for name in ("seconds", "real_time_factor"):
        if getattr(options, name) <= 0:
            parser.error(f"--{name.replace('_', '-')} is {getattr(options, name)}; it has to be above 0")
    if options.seed < 0:
        parser.error(f"--seed is {options.seed}; it is zero or more")


def scenario(options: argparse.Namespace) -> Scenario:
    """The drive that the options name; with a turn commanded, the first from the seed on whose route turns so."""
    wanted = " ".join((options.command or "").lower().split())
    turning = wanted in TURN_COMMANDS.values()
    family = Family(options.scenario or (Family.JUNCTION if turning else Family.LIGHT_TURN))
    if turning and family in TURN_FAMILIES:
        for drawn in islice((draw(family, seed) for seed in count(options.seed)), SEARCHED):
            if drawn.command == wanted:
                return drawn
    return draw(family, options.seed)


def _size(text: str) -> Size:
    rows, _, columns = text.partition("x")
    try:
        size = Size(int(rows), int(columns))
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not ROWSxCOLUMNS, e.g. 192x384") from None
    if min(size.height, size.width) < 32:
        raise argparse.ArgumentTypeError(f"{text} is too small for a camera")
    return size
