"""The recorded runs of the released implementation, compared by the command that users have."""

import json
import shutil

import numpy as np
import pytest

from alpamayo_ros import parity
from alpamayo_ros.vla import recorded

COMPARED = ("step_logits", "velocity", "action", "pred_xyz", "pred_rot")


@pytest.mark.parametrize("variant", ["r1", "1_5"])
def test_everything_recorded_is_within_its_bound_in_float32(variant, folders, tmp_path, capsys):
    report = tmp_path / "parity.json"
    assert parity.main([str(folders[variant]), "--json", str(report)]) == 0
    content = json.loads(report.read_text())
    quantities = {quantity["name"]: quantity for quantity in content["quantities"]}
    bounded = {name for name, quantity in quantities.items() if quantity["bound"] is not None}
    expected = {f"{name}_{part}" for name in recorded.ROLLOUTS for part in COMPARED}
    expected |= {"greedy_generated_ids", "truncated_generated_ids"}
    expected |= {"prompt_text", "special_token_ids", "prompt_ids", "fused_ids", "image_grid_thw", "rope_delta"}
    expected |= {"pixel_values_head", "pixel_values_rowsum", "full_frame_grid", "full_frame_pixel_values_head"}
    expected |= {"full_frame_pixel_values_rowsum"}
    assert bounded == expected
    assert content["passed"] and all(quantity["passed"] for quantity in quantities.values())
    assert "within bounds" in capsys.readouterr().out


def test_bfloat16_agrees_with_float32_of_the_same_rounded_weights(folders):
    quantities = recorded.compare(folders["1_5"], "cpu", "bfloat16")
    names = {quantity.name for quantity in quantities}
    assert {"sampled_argmax_disagreement", "sampled_tie_fraction", "sampled_xyz_largest"} <= names
    assert all(quantity.passed for quantity in quantities)
    stated = {q.name: q.error for q in quantities if q.bound is None}
    # The comparison is of two precisions, not of one run with itself.
    assert 1e-4 < stated["sampled_velocity_median"] < 0.05


def test_absent_and_wrong_quantities_fail_the_command(folders, tmp_path, capsys):
    folder = tmp_path / "fixture"
    shutil.copytree(folders["r1"], folder)
    arrays = dict(np.load(folder / "golden.npz"))
    kept = {name: value for name, value in arrays.items() if not name.endswith("_velocity") and name != "rope_delta"}
    kept["prompt_ids"] = arrays["prompt_ids"].copy()
    kept["prompt_ids"][0, 5] += 1
    kept["pixel_values_rowsum"] = arrays["pixel_values_rowsum"] + 1e-3
    np.savez_compressed(folder / "golden.npz", **kept)
    assert parity.main([str(folder)]) == 1
    out = capsys.readouterr().out
    failed = {line.removeprefix("  not: ") for line in out.splitlines() if line.startswith("  not: ")}
    absent = {f"{name}_velocity" for name in recorded.ROLLOUTS}
    assert failed == {"rope_delta", "prompt_ids", "pixel_values_rowsum"} | absent
    assert out.count("absent") == 4
