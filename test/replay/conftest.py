"""Small bags of the small world, and the way to replay them."""

import pytest

from alpamayo_ros.contract import CAMERA_ROLES
from alpamayo_ros.replay.main import main
from alpamayo_ros.world.bags import record
from alpamayo_ros.world.episode import Size, Timing
from alpamayo_ros.world.scenario import draw

SMALL = Size(72, 128)


@pytest.fixture(scope="session")
def bag(tmp_path_factory):
    """Four seconds of a turn at a light, with a command, cameras of four rates."""
    return record(tmp_path_factory.mktemp("bags") / "turn", draw("light_turn", 0), 4.0, size=SMALL)


@pytest.fixture(scope="session")
def even_bag(tmp_path_factory):
    """Three seconds of an empty road, all cameras at 10 Hz."""
    timings = dict.fromkeys(CAMERA_ROLES, Timing())
    return record(tmp_path_factory.mktemp("bags") / "empty", draw("empty_road", 1), 3.0, timings, SMALL)


@pytest.fixture
def replay(capsys):
    """`replay(bag, ..., out=...)`: the command's exit status and what it said."""

    def run(*words, out):
        code = main([*map(str, words), "--out", str(out)])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run
