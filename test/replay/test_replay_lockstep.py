"""The same bag gives the same results, whatever the load, and after a kill."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from replay_reads import metrics, records

from alpamayo_ros import params
from alpamayo_ros.contract import CAMERA_ROLES
from alpamayo_ros.replay.bag import Bag
from alpamayo_ros.replay.journal import Journal
from alpamayo_ros.replay.lockstep import Lockstep
from alpamayo_ros.rig import propose_rig


def test_the_same_bag_gives_the_same_hash_with_one_thread_and_with_many(bag, replay, tmp_path):
    codes = [replay(bag, "--threads", n, "--no-report", out=tmp_path / str(n))[0] for n in (1, 4)]
    assert codes == [0, 0]
    one, many = metrics(tmp_path / "1" / "turn"), metrics(tmp_path / "4" / "turn")
    assert one == many and one["plans"] > 10 and len(one["hash"]) == 64


def test_other_parameters_give_another_hash(bag, replay, tmp_path):
    replay(bag, "--no-report", out=tmp_path / "a")
    replay(bag, "--no-report", "-p", "baseline.curvature_decay:=0.1", out=tmp_path / "b")
    assert metrics(tmp_path / "a" / "turn")["hash"] != metrics(tmp_path / "b" / "turn")["hash"]


def test_every_tick_of_the_bags_own_time_is_planned_or_refused_by_name(bag, replay, tmp_path):
    replay(bag, "--no-report", out=tmp_path)
    told = list(records(tmp_path / "turn"))
    t0s = [record.t0_ns for record in told]
    assert t0s == sorted(t0s) and np.diff(t0s).max() < 0.15e9
    assert {r.refusal.reason.value for r in told if r.refusal} == {"camera_gap", "history_short"}
    assert all(r.planned.command == "turn left" for r in told if r.planned)


def test_a_killed_replay_goes_on_where_it_stopped(bag, replay, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    replay(bag, out=whole)
    script = (
        "import sys, time; from alpamayo_ros.policies import baseline\n"
        "plain = baseline.Baseline.__call__\n"
        "baseline.Baseline.__call__ = lambda self, seen: (time.sleep(0.15), plain(self, seen))[1]\n"
        "from alpamayo_ros.replay.main import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", script, str(bag), "--out", str(killed)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    journal = killed / "turn" / "journal"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (journal.exists() and len(list(records(killed / "turn"))) >= 20):
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = len(list(records(killed / "turn")))
    assert 20 <= done < len(list(records(whole / "turn"))) and not (killed / "turn" / "metrics.json").exists()
    with journal.open("ab") as file:  # as if it had been killed while it wrote
        file.write(b"\x40\0\0\0half a record")
    began = os.stat(journal).st_size
    code, said = replay(bag, out=killed)
    assert code == 0, said
    assert metrics(killed / "turn") == metrics(whole / "turn")
    assert os.stat(journal).st_size > began
    assert (killed / "turn" / "report.html").exists()


def test_frames_that_do_not_decode_are_told_of_once_also_after_a_stop(bag, tmp_path):
    def lockstep(opened):
        made = Lockstep(opened, propose_rig(opened.types), _Baseline(), params.defaults())
        for role in CAMERA_ROLES:  # every seventh image is none
            whole = made._decoding._decoders[role]
            made._decoding._decoders[role] = lambda data, whole=whole: whole(data if data[8] % 7 else data[:60])
        return made

    digests = []
    for stop in (None, 18, 25):
        path = tmp_path / f"journal-{stop}"
        with Bag(bag) as opened, Journal(path) as journal:
            running = lockstep(opened)
            for record in running.run():
                journal.append(record)
                if journal.count == stop:
                    break
            running.close()
        with Bag(bag) as opened, Journal(path) as journal:
            running = lockstep(opened)
            for record in running.run(journal.count):
                journal.append(record)
            running.close()
            digests.append(str(journal.digest))
    assert len(set(digests)) == 1
    from alpamayo_ros.replay.journal import read

    assert any(record.refused for record in read(tmp_path / "journal-None"))


def test_a_finished_replay_is_not_done_again_and_another_one_is_not_mixed_in(bag, replay, tmp_path):
    replay(bag, out=tmp_path)
    before = os.stat(tmp_path / "turn" / "report.html").st_mtime_ns
    assert replay(bag, out=tmp_path)[0] == 0
    assert os.stat(tmp_path / "turn" / "report.html").st_mtime_ns == before
    code, said = replay(bag, "--drop", "front_tele", out=tmp_path)
    assert code == 1 and "differs in drop" in said and "--fresh" in said
    assert replay(bag, "--drop", "front_tele", "--fresh", out=tmp_path)[0] == 0


def test_what_if_is_named_and_done(bag, replay, tmp_path):
    code, _ = replay(bag, "--command", "go straight", "--drop", "front_tele", out=tmp_path)
    said = metrics(tmp_path / "turn")
    assert code == 0 and said["what_if"] == {"command": "go straight", "dropped": ["front_tele"]}
    plans = [record.planned for record in records(tmp_path / "turn") if record.planned]
    assert plans and all(p.command == "go straight" and "front_tele" not in p.roles for p in plans)
    assert "without" in (tmp_path / "turn" / "report.html").read_text()


def test_a_long_run_says_how_far_it_is(bag, tmp_path, monkeypatch, capsys):
    from alpamayo_ros.replay import main as command

    monkeypatch.setattr(command, "LINE_EVERY", 0.0)
    assert command.main([str(bag), "--out", str(tmp_path), "--no-report"]) == 0
    lines = [line for line in capsys.readouterr().err.replace("\r", "\n").splitlines() if " to go" in line]
    assert len(lines) > 20
    shares = [int(line.split(": ")[1].split("%")[0]) for line in lines]
    assert shares == sorted(shares) and shares[-1] >= 90


def test_the_policys_own_pictures_reach_it(even_bag, replay, tmp_path, monkeypatch):
    """The images of a window are those of the stamps that are recorded with it."""
    from alpamayo_ros.cdr import header_stamp_ns
    from alpamayo_ros.imaging import decode_compressed
    from alpamayo_ros.policies import baseline

    seen, plain = [], baseline.Baseline.__call__
    monkeypatch.setattr(baseline.Baseline, "__call__", lambda self, o: (seen.append(o), plain(self, o))[1])
    replay(even_bag, "--no-report", out=tmp_path)
    with Bag(even_bag) as opened:
        frames = {
            (m.topic.split("/")[2], header_stamp_ns(m.data)): m.data
            for m in opened.messages([t for t in opened.types if t.endswith("compressed")])
        }
    assert len(seen) == metrics(tmp_path / "empty")["plans"]
    for o in seen[::5]:
        for role, images, stamps in zip(o.cameras, o.images, o.stamps_ns.tolist(), strict=True):
            for image, stamp in zip(images, stamps, strict=True):
                assert np.array_equal(image, decode_compressed(frames[role, stamp]))


@pytest.mark.parametrize("policy", ["baseline", "vla"])
def test_policies_by_name_are_the_nodes(policy, even_bag, replay, tmp_path):
    words = ["--policy", policy, "--no-report"]
    if policy == "vla":
        pytest.importorskip("torch")
        base = "test/fixtures/alpamayo_1_5_tiny"
        words += ["--checkpoint", f"{base}/checkpoint", "-p", f"vla.base:={base}/vlm_base"]
        words += ["-p", "vla.max_reasoning_tokens:=4", "-p", "vla.samples:=2", "-p", "plan_period:=1.0"]
    results = []
    for name in ("first", "second"):
        code, said = replay(even_bag, *words, out=tmp_path / name)
        assert code == 0, said
        results.append(metrics(tmp_path / name / "empty"))
    assert results[0] == results[1] and results[0]["plans"] + sum(results[0]["refusals"]["by_name"].values()) > 0
    assert json.loads((tmp_path / "first" / "empty" / "run.json").read_text())["asked"]["policy"] == policy


def _Baseline():
    from alpamayo_ros.policies.baseline import Baseline

    return Baseline()
