from alpamayo_ros.answers import NO_ANSWER, Answering
from alpamayo_ros.contract import make_example
from alpamayo_ros.policies.baseline import Baseline


class FakeTalker(Baseline):
    """A fake at the policy seam: answers in slices, or fails."""

    def __init__(self, pieces):
        super().__init__()
        self.pieces = pieces

    def ask(self, observation, question):
        for piece in self.pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece


def run(policy, observation):
    published = []
    answering = Answering(policy, observation, "What is ahead?", published.append)
    steps = 1
    while answering.step():
        steps += 1
    return published, steps


def test_an_answer_comes_whole_after_its_slices():
    published, steps = run(FakeTalker(["", "A red", "A red light."]), make_example())
    assert published == ["A red light."] and steps == 4


def test_a_failure_is_said_as_the_answer():
    published, _ = run(FakeTalker(["", ValueError("the prompt is too long")]), make_example())
    assert published == [f"{NO_ANSWER}ValueError: the prompt is too long"]


def test_a_policy_without_questions_says_so():
    published, _ = run(Baseline(), make_example())
    assert published[0].startswith(NO_ANSWER) and "baseline" in published[0]


def test_before_the_first_tick_there_is_nothing_to_ask_about():
    published, _ = run(FakeTalker(["x"]), None)
    assert published[0].startswith(NO_ANSWER)
