"""The figures of docs/autoware.md are those of the committed benches."""

import json
import statistics
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "autoware.md").read_text().partition("<!-- autoware -->")[2].partition("<!-- /autoware -->")[0]


def report(name: str) -> dict:
    return json.loads((ROOT / "results" / "cpu" / f"{name}.json").read_text())


def row(name: str) -> list[str]:
    (line,) = [line for line in TEXT.splitlines() if f"/{name}.json)" in line]
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


@pytest.mark.parametrize("name", ["autoware_rule_driver", "autoware"])
def test_drives_in_one_process(name):
    found = report(name)
    broken = [str(sum(found[f"broken_{whose}"].values())) for whose in ("autoware", "strict")]
    jerk, steering, along = (found["worst"][what]["value"] for what in ("lateral_jerk", "steering_rate", "jerk"))
    assert row(name) == [
        str(found["episodes"]), str(found["ticks"]), f"{100 * found['published_share']:.0f} %", *broken,
        f"{jerk:.1f} m/s³, {steering:.2f} rad/s, {along:.1f} m/s³",
    ]  # fmt: skip


def test_the_small_model_behind_the_bridge():
    found = report("autoware")
    said = " ".join(TEXT.split())
    assert f"left the road in {found['off_road']} of {found['episodes']} half minutes" in said
    assert found["red_light_runs"] == 0 and "ran no red light" in said
    assert f"had {found['collisions_at_fault']} collisions of its fault" in said


def test_drives_over_dds():
    found = report("autoware_loop")
    heard = sum(drive["measured"]["trajectories"] for drive in found["drives"])
    broken = sum(len(drive["measured"]) - 1 for drive in found["drives"])
    assert row("autoware_loop")[:5] == [str(found["episodes"]), f"{heard} heard", "", str(broken), ""]
    age = statistics.median(drive["plan_age_ms"]["p50"] for drive in found["drives"])
    said = " ".join(TEXT.split())
    assert f"plans were {age:.0f} ms old in the median ({found['plan_age_ms_p95']:.0f} ms at p95)" in said
    assert f"came {found['plans_per_s']:.1f} times a second" in said
    assert not (found["off_road"] or found["collisions"] or found["red_light_runs"]) and "it did none of these" in said
