"""Answers a question about what the policy saw last, slice by slice, so that a due tick never waits for long.

No ROS: the caller publishes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from alpamayo_ros.contract import Observation, Policy

NO_ANSWER = "(no answer) "


class Answering:
    """One question under way; `step` is background work for the worker.

    Args:
        policy: any policy; those without `ask` say so.
        observation: what the question is about; None before the first tick.
        publish: takes the whole answer, or a sentence that begins with "(no answer)".
    """

    def __init__(self, policy: Policy, observation: Observation | None, question: str, publish: Callable[[str], None]):
        self._publish = publish
        self._answer = ""
        self._pieces = self._begin(policy, observation, question)

    def step(self) -> bool:
        """Decodes one slice; False when the answer is out."""
        try:
            piece = next(self._pieces, None)
        except Exception as error:  # a question must never end the worker
            self._publish(f"{NO_ANSWER}{type(error).__name__}: {error}")
            return False
        if piece is None:
            self._publish(self._answer)
            return False
        self._answer = piece
        return True

    @staticmethod
    def _begin(policy: Policy, observation: Observation | None, question: str) -> Iterator[str]:
        ask = getattr(policy, "ask", None)
        if ask is None:
            return iter([f"{NO_ANSWER}policy {policy.name!r} answers no questions; Alpamayo 1.5 does (policy vla)"])
        if observation is None:
            return iter([f"{NO_ANSWER}nothing has been seen yet in this epoch"])
        return ask(observation, question)
