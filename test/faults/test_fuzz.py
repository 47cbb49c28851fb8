import random

from alpamayo_ros.faults import fuzz


def test_nothing_escapes_from_mutated_bytes():
    outcome = fuzz.fuzz(10_000, seed=7)
    assert outcome.escaped == []
    assert set(outcome.inputs) == set(outcome.refused) == set(fuzz.REFUSALS)
    assert all(100 < outcome.refused[kind] < outcome.inputs[kind] for kind in outcome.inputs), outcome.refused


def test_what_escapes_is_kept_with_its_bytes(monkeypatch):
    monkeypatch.setattr(fuzz.Readers, "command", lambda self, data: 1 // 0)
    outcome = fuzz.fuzz(60, seed=7)
    assert {each["kind"] for each in outcome.escaped} == {"command"} and outcome.inputs["command"] == 10
    assert all("ZeroDivisionError" in each["error"] for each in outcome.escaped)
    # Some are hardly changed.
    assert any(bytes.fromhex(each["bytes"]).endswith(b"junction\0") for each in outcome.escaped)


def test_the_same_seed_gives_the_same_inputs():
    good = fuzz.originals()["odometry"][0]
    one, other, third = (fuzz.mutated(random.Random(seed), good) for seed in (1, 1, 2))
    assert one == other != third
