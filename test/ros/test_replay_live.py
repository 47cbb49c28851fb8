"""A drive of the small world played into the live node, and replayed in lockstep: equal frames, equal plans."""

import subprocess
import sys

import numpy as np
import pytest
from waiting import wait_for

from alpamayo_ros.contract import CAMERA_ROLES
from alpamayo_ros.messages import stamp_ns
from alpamayo_ros.replay import journal
from alpamayo_ros.replay.main import main
from alpamayo_ros.world.bags import record
from alpamayo_ros.world.episode import Size
from alpamayo_ros.world.scenario import draw


@pytest.fixture(scope="module")
def drive(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drive")
    bag = record(folder / "turn", draw("light_turn", 0), 4.0, size=Size(72, 128))
    assert main([str(bag), "--out", str(folder / "lockstep"), "--no-report"]) == 0
    records = journal.read(folder / "lockstep" / "turn" / "journal")
    return bag, {r.t0_ns: r for r in records if r.planned}


def frames(plan):
    return [stamp_ns(slot.stamp) for slot in plan.images]


def test_where_live_and_lockstep_used_the_same_frames_their_plans_are_equal(graph, drive):
    bag, lockstep = drive
    graph.start(policy="baseline", use_sim_time=True)
    command = [sys.executable, "-m", "alpamayo_ros", "play", str(bag), "--clock", "--rate", "0.7"]
    player = subprocess.run(command, capture_output=True, text=True, timeout=90)
    assert player.returncode == 0, player.stderr
    wait_for(lambda: len(graph.plans) > 5)
    graph.settle()
    same = 0
    for plan in graph.plans:
        twin = lockstep.get(stamp_ns(plan.header.stamp))
        if twin is None or frames(plan) != twin.planned.stamps_ns.ravel().tolist():
            continue
        same += 1
        first, ego = plan.samples[0], twin.planned.ego
        live = np.array([(p.position.x, p.position.y, p.position.z) for p in first.poses])
        assert np.array_equal(live, ego.apply(twin.planned.plan.xyz[0]))
        assert np.array_equal(np.array(first.speed, np.float32), twin.planned.plan.speed[0].astype(np.float32))
        assert plan.reasoning == twin.planned.plan.reasoning[0] and plan.header.frame_id == "map"
        assert plan.command == twin.planned.command == "turn left"
    assert same > 0.6 * len(lockstep), f"{same} of {len(lockstep)} ticks had the same frames"
    assert [slot.camera for slot in graph.plans[0].images][::4] == list(CAMERA_ROLES)
