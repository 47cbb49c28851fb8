"""From cases to the report that is committed, its summary, and the README's reliability table."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from alpamayo_ros.faults.kinds import KINDS, Told
from alpamayo_ros.faults.lane import BACK_WITHIN, MEMORY_MB, NAMED_WITHIN, POLICY_TIMEOUT, Case

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
        "machine": {"cpus": os.cpu_count(), "python": sys.version.split()[0]},
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


def summary(found: Mapping[str, Any]) -> str:
    """A line a kind, and the totals."""
    lines = [
        f"{name:<26} {one['detectable']:<12} {_seconds(one['named_after_s']):>7} {one['plans_on_bad_input']:>4} "
        f"{_seconds(one['plans_again_after_s']):>7}  {'; '.join(one['failed']) or 'as it should'}"
        for name, one in found["kinds"].items()
    ]
    return "\n".join([*lines, f"{found['passed']} of {found['cases']} cases as they should"])


def markdown(found: Mapping[str, Any]) -> str:
    """The README's table: the figures of the kinds that can be told, and what cannot be."""
    kinds = found["kinds"]
    yes = {name: one for name, one in kinds.items() if one["detectable"] == "yes"}
    rows = [
        "| | kinds | cases | named within 1 s | plans on bad input | plans again within 2.5 s | worst s |",
        "|---|---|---|---|---|---|---|",
    ]
    for title, answer in (("can be told", "yes"), ("put up with", "put up with"), ("cannot be told", "no")):
        of = [case for case in found["every_case"] if kinds[case["kind"]]["detectable"] == answer]
        live = [case for case in of if kinds[case["kind"]]["driver"] != "replay"]
        named = f"{_quick(live, 'named_after', 'named_within_s', found)} of {len(live)}" if answer == "yes" else ""
        back = [case["back_after"] for case in live if case["back_after"] is not None]
        rows.append(
            f"| {title} | {len({case['kind'] for case in of})} | {len(of)} | {named} "
            f"| {sum(case['wrong_plans'] for case in of)} "
            f"| {_quick(live, 'back_after', 'plans_again_within_s', found)} of {len(live)} | {max(back):.2f} |"
        )
    slowest = max((one["named_after_s"] or 0.0 for one in yes.values()), default=0.0)
    untold = "; ".join(one["what"] for one in kinds.values() if one["detectable"] == "no")
    rows += ["", f"The slowest name came after {slowest:.2f} s. What cannot be told from the messages: {untold}."]
    return "\n".join(rows) + "\n"


def _quick(cases: Sequence[Mapping[str, Any]], figure: str, bound: str, found: Mapping[str, Any]) -> int:
    return sum(case[figure] is not None and case[figure] <= found["bounds"][bound] for case in cases)


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
