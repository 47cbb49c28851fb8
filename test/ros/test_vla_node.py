"""The node drives with the VLA. The fixture has random weights: words and path are nonsense, every part runs."""

from pathlib import Path

import numpy as np
from waiting import wait_for

CHECKPOINT = Path(__file__).parent.parent / "fixtures" / "alpamayo_r1_tiny" / "checkpoint"


def test_the_vla_plans_from_topics(graph):
    graph.start(
        policy="vla", vla__checkpoint=str(CHECKPOINT), vla__max_reasoning_tokens=12, vla__samples=2, max_plan_age=60.0
    )
    graph.play(seconds=2.0)
    wait_for(lambda: graph.plans)
    plan = graph.plans[0]
    assert plan.policy == "vla" and len(plan.samples) == 2
    assert {"policy.vision", "policy.prefill", "policy.decode", "policy.flow"} <= {t.stage for t in plan.timings}
    assert all(np.isfinite(p.position.x) for sample in plan.samples for p in sample.poses)


def test_a_missing_checkpoint_says_what_to_do(graph, capfd):
    driver = graph.start(active=False, policy="vla", vla__checkpoint="/nowhere/alpamayo")
    assert driver.trigger_configure().name == "FAILURE"
    said = capfd.readouterr().err
    assert "/nowhere/alpamayo" in said and "cannot configure" in said
