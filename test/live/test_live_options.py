import argparse

import pytest

from alpamayo_ros.live import options
from alpamayo_ros.world.scenario import Family


def parsed(*words):
    parser = argparse.ArgumentParser()
    options.add(parser)
    given = parser.parse_args(words)
    options.check(parser, given)
    return given


@pytest.mark.parametrize("command", ["turn left", "Turn  right", "go straight"])
def test_a_commanded_turn_gets_a_route_that_turns_so(command):
    drawn = options.scenario(parsed("--command", command, "--seed", "5"))
    assert drawn.family is Family.JUNCTION and drawn.seed >= 5
    assert drawn.command == " ".join(command.lower().split())


def test_a_scenario_with_a_light_is_searched_for_the_turn_too():
    drawn = options.scenario(parsed("--scenario", "light_turn", "--command", "turn right"))
    assert (drawn.family, drawn.turn) == (Family.LIGHT_TURN, "right")


def test_other_words_leave_the_scenario_as_it_is():
    drawn = options.scenario(parsed("--scenario", "cones", "--seed", "7", "--command", "mind the cones"))
    assert (drawn.family, drawn.seed) == (Family.CONES, 7)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--seconds", "0"), "--seconds is 0.0"),
        (("--real-time-factor", "-1"), "--real-time-factor is -1.0"),
        (("--seed", "-2"), "--seed is -2"),
        (("--image-size", "big"), "'big' is not ROWSxCOLUMNS"),
        (("--image-size", "9x9"), "too small for a camera"),
    ],
)
def test_values_that_are_no_good_are_refused_by_name(words, said, capsys):
    with pytest.raises(SystemExit):
        parsed(*words)
    assert said in capsys.readouterr().err
