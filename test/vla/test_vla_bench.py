"""The bench's own path on a toy model: every figure is there, and the checkpoint survives the disk."""

import json

from alpamayo_ros.bench import vla as bench


def test_ticks_are_summed_up(tmp_path, capsys):
    report = tmp_path / "bench.json"
    few = ["--ticks", "2", "--warmup", "0", "--tokens", "5", "--flow-steps", "2", "--samples", "1", "2"]
    assert bench.main(["--size", "tiny", "--device", "cpu", "--json", str(report), *few]) == 0
    content = json.loads(report.read_text())
    assert json.loads(capsys.readouterr().out) == content
    assert content["prompt_tokens"] == 3006 and content["settings"]["variant"] == "r1"
    assert [run["samples"] for run in content["runs"]] == [1, 2]
    for run in content["runs"]:
        assert set(run["stage_ms"]) == {"preprocess", "vision", "prefill", "decode", "flow"}
        assert run["tokens"] == run["samples"] * [5] and run["finite"] and run["peak_bytes"] > 0
        assert sum(run["stage_ms"].values()) <= run["tick_ms"]["p99"] * 1.5


def test_a_checkpoint_is_written_and_loaded_in_a_fresh_process(tmp_path, capsys):
    assert bench.main(["--size", "tiny", "--device", "cpu", "--checkpoint-io", str(tmp_path / "made")]) == 0
    content = json.loads(capsys.readouterr().out)["checkpoint_io"]
    assert content["equal"] and content["weights_bytes"] > 40_000_000
    assert content["host_beyond_weights_bytes"] < 3e9
