"""A report as text for a terminal."""

from __future__ import annotations

from typing import Any

from alpamayo_ros.world.intervals import Number


def table(summary: dict[str, Any]) -> str:
    """What `report.summarise` gave, as lines."""
    columns = ("off_road", "at_fault_collision", "red_light_run", "progress", "comfort")
    lines = [f"{'family':<15}" + "".join(f"{name.replace('_', ' '):>21}" for name in columns)]
    for name, row in (*summary["families"].items(), ("all", summary["closed_loop"])):
        lines.append(f"{name:<15}" + "".join(f"{percent(row[column]):>21}" for column in columns))
    lines += ["", f"open loop minADE at 6.4 s   {metres(summary['open_loop']['min_ade'])}"]
    for title, key in (("closed loop", "reasoning_closed_loop"), ("open loop", "reasoning_open_loop")):
        row = summary[key]
        shares = ("macro_recall", "accuracy", "agreement", "absent_cause")
        words = ", ".join(f"{name.replace('_', ' ')} {percent(row[name])}" for name in shares)
        lines.append(f"{title:<12} decisions: {words}")
    flips, blanked = summary["counterfactual"]["all"], summary["blanked"]
    lines.append(f"counterfactuals: {flips['pairs']} pairs, text and path change in {percent(flips['both'])}")
    if blanked["ticks"]:
        accuracy, majority = 100 * blanked["accuracy"], 100 * blanked["majority_rate"]
        lines.append(f"cameras blanked: accuracy {accuracy:.1f} %, commonest decision {majority:.1f} %")
    lines += ["", f"{'decision (closed loop)':<24}{'ticks':>8}{'recall':>9}{'precision':>11}  said instead"]
    for name, row in summary["reasoning_closed_loop"]["classes"].items():
        if row["ticks"]:
            instead = ", ".join(f"{other} {n}" for other, n in row["said_instead"].items())
            precision = "-" if row["precision"] is None else f"{100 * row['precision']:.1f}"
            lines.append(f"{name:<24}{row['ticks']:>8}{100 * row['recall']:>9.1f}{precision:>11}  {instead}")
    return "\n".join(lines)


def percent(number: Number) -> str:
    """Per cent and its interval; "-" where there is nothing to count."""
    if number["value"] is None:
        return "-"
    return f"{100 * number['value']:.1f} [{100 * number['low']:.1f}, {100 * number['high']:.1f}]"


def metres(number: Number) -> str:
    """Metres and their interval."""
    return "-" if number["value"] is None else f"{number['value']:.3f} m [{number['low']:.3f}, {number['high']:.3f}]"
