"""A fake at the policy seam: the baseline, with a hook that a test sets to make it slow, wrong or broken."""

from dataclasses import dataclass, field

from alpamayo_ros.policies.baseline import Baseline

seen = []  # every observation since the test began
hook = None  # called with (observation, the baseline's plan); what it returns is the plan


@dataclass(frozen=True)
class Config:
    fail_to_load: bool = field(default=False, metadata={"description": "Raise when loaded."})


class Fake(Baseline):
    name = "fake"
    closed = False

    def __call__(self, observation):
        seen.append(observation)
        plan = super().__call__(observation)
        return hook(observation, plan) if hook is not None else plan

    def ask(self, observation, question):
        yield ""
        yield f"You asked: {question}"

    def close(self):
        Fake.closed = True


def create(config):
    if config.fail_to_load:
        raise FileNotFoundError("no checkpoint at /nowhere: set vla.checkpoint")
    return Fake()
