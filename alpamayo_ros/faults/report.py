"""From cases to the report that is committed, its summary, and the README's reliability table."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from alpamayo_ros.faults.kinds import KINDS, Told
from alpamayo_ros.faults.lane import BACK_WITHIN, MEMORY_MB, NAMED_WITHIN, POLICY_TIMEOUT, Case

_TITLES = {"can be told": "yes", "is put up with": "put up with", "cannot be told": "no"}
_ANSWER = {Told.YES: "yes", Told.HARMLESS: "put up with", Told.NO: "no"}


def report(cases: Sequence[Case], command: str) -> dict[str, Any]:
    """Every kind's worst figures over its seeds, and every case."""
    kinds = {}
    for name, kind in KINDS.items():
        of = [case for case in cases if case.kind == name]
        if not of:
            continue
        named = [case.named_after for case in of if case.named_after is not None]
        back = [case.back_after for case in of if case.back_after is not None]
        kinds[name] = {
            "what": kind.note,
            "detectable": _ANSWER[kind.told],
            "driver": kind.group.value,
            "seeds": len(of),
            "named": sorted({case.named.split()[0] for case in of if case.named and kind.told is Told.YES}),
            "named_after_s": max(named) if named and kind.told is Told.YES else None,
            "plans_on_bad_input": sum(case.wrong_plans for case in of),
            "plans_again_after_s": max(back) if back else None,
            "failed": [f"seed {case.seed}: {case.failed}" for case in of if case.failed],
        }
    return {
        "command": command,
        "machine": machine(),
        "bounds": {
            "named_within_s": NAMED_WITHIN, "plans_again_within_s": BACK_WITHIN, "memory_within_mb": MEMORY_MB,
            "policy_timeout_s": float(POLICY_TIMEOUT),
        },
        "cases": len(cases),
        "passed": sum(not case.failed for case in cases),
        "failed": sum(bool(case.failed) for case in cases),
        "kinds": kinds,
        "every_case": [asdict(case) for case in cases],
    }  # fmt: skip


def machine() -> dict[str, Any]:
    """What it ran on, how busy that was (the load average over the last quarter of an hour), and of which commit."""
    found = {"cpus": os.cpu_count(), "python": sys.version.split()[0], "load": round(os.getloadavg()[2], 1)}
    asked = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    with suppress(OSError, subprocess.CalledProcessError):  # an installation is no checkout
        found["commit"] = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    return found


def summary(found: Mapping[str, Any]) -> str:
    """A line a kind, and the totals."""
    lines = [
        f"{name:<26} {one['detectable']:<12} {_seconds(one['named_after_s']):>7} {one['plans_on_bad_input']:>4} "
        f"{_seconds(one['plans_again_after_s']):>7}  {'; '.join(one['failed']) or 'as it should'}"
        for name, one in found["kinds"].items()
    ]
    return "\n".join([*lines, f"{found['passed']} of {found['cases']} cases as they should"])


def markdown(found: Mapping[str, Any], soak: Mapping[str, Any], fuzz: Mapping[str, Any]) -> str:
    """The README's block: faults by whether they can be told, what cannot be, the soak, the fuzzer."""
    kinds = found["kinds"]
    rows = [
        "| fault | kinds | cases | named within 1 s | plans on bad input | plans again within 2.5 s | slowest |",
        "|---|---|---|---|---|---|---|",
    ]
    for title, answer in _TITLES.items():
        of = [case for case in found["every_case"] if kinds[case["kind"]]["detectable"] == answer]
        live = [case for case in of if kinds[case["kind"]]["driver"] != "replay"]
        named = _share(live, "named_after", "named_within_s", found) if answer == _ANSWER[Told.YES] else ""
        back = max((case["back_after"] for case in live if case["back_after"] is not None), default=0.0)
        rows.append(
            f"| {title} | {len({case['kind'] for case in of})} | {len(of)} | {named} "
            f"| {sum(case['wrong_plans'] for case in of)} "
            f"| {_share(live, 'back_after', 'plans_again_within_s', found)} | {back:.2f} s |"
        )
    slowest = max((one["named_after_s"] or 0.0 for one in kinds.values()), default=0.0)
    untold = "; ".join(one["what"] for one in kinds.values() if one["detectable"] == _ANSWER[Told.NO])
    share = f"{100 * soak['share']:.1f} %" if soak["share"] is not None else "none"
    return "\n".join(
        [
            *rows,
            "",
            f"On {found['machine']['cpus']} cores at a load of {found['machine']['load']:.0f}, {found['passed']} of "
            f"{found['cases']} cases keep every bound, threads and memory too; the slowest name came after "
            f"{slowest:.2f} s. After sensors were killed the count begins when DDS has introduced the new ones to the "
            "driver, for which Fast DDS may take 3 s. Wrong and plausible, so not to be told from the messages: "
            f"{untold}.",
            "",
            f"Soak, {soak['minutes']:.0f} minutes of {soak['faults']} random faults of {soak['kinds']} kinds on one "
            f"driver at a load of {soak['machine']['load']:.0f}: "
            f"{'a crash' if soak['crashed'] else 'no crash'}, {soak['plans_on_bad_input']} plans on bad input, "
            f"{soak['failed']} beyond a bound, {share} of {soak['fault_free_ticks']} fault-free ticks planned, "
            f"memory {soak['memory_mb_second_quarter']:.0f} MB in the second quarter and "
            f"{soak['memory_mb_last_quarter']:.0f} MB in the last. "
            f"Fuzzer: {fuzz['inputs']:,} inputs, {len(fuzz['escaped'])} escaped.",
        ]
    ) + "\n"


def _share(cases: Sequence[Mapping[str, Any]], figure: str, bound: str, found: Mapping[str, Any]) -> str:
    kept = sum(case[figure] is not None and case[figure] <= found["bounds"][bound] for case in cases)
    return f"{kept} of {len(cases)}"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
