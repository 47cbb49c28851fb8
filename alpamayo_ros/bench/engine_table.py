"""The README's tables of the engine, from the JSON of `bench engine`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Device:
    """By its data sheet: memory in GB, TB/s, dense bfloat16 TFLOP/s, and whether it multiplies in float8."""

    name: str
    memory: float
    bandwidth: float
    compute: float
    fp8: bool = True


_MEASURED = Device("H200, 141 GB", 141, 4.8, 989)
_OTHERS = (
    Device("H100 SXM, 80 GB", 80, 3.35, 989),
    Device("L40S, 48 GB", 48, 0.864, 362),
    Device("RTX 4090, 24 GB", 24, 1.008, 165),
    Device("Jetson AGX Thor, 128 GB", 128, 0.273, 258),
    Device("Jetson AGX Orin, 64 GB", 64, 0.205, 42, False),
)
# What the released model's weights take in bfloat16 (11.07 B of them).
_WEIGHTS_GB = 22.1
# Of a device's memory, what driver, context and libraries leave.
_USABLE = 0.93


def markdown(report: dict[str, Any], small: dict[str, Any] | None = None) -> str:
    """Both tables, of the bench's report and of that of a model held in eight bits on a card of 24 GB."""
    reports = [report, small] if small else [report]
    return "\n".join([*_modes(reports), "", *_devices(reports)]) + "\n"


def _modes(reports: Sequence[dict[str, Any]]) -> list[str]:
    lines = [
        "| mode | p50 ms | p90 | p99 | worst | times faster | vision | prefill | a token | a flow step |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    modes = [mode for report in reports for mode in report["modes"]]
    reference = {mode["samples"]: mode["reference_ms"] for mode in modes if "reference_ms" in mode}
    for mode in modes:
        tick, stage = mode["tick_ms"], mode["stage_ms"]
        engine = mode["preset"] != "plain" and mode["samples"] in reference
        faster = f"{reference[mode['samples']] / tick['p50']:.1f}" if engine else ""
        token = "" if mode["decode_ms_per_token"] is None else f"{mode['decode_ms_per_token']:.2f}"
        cells = [
            mode["mode"], *(f"{tick[key]:.0f}" for key in ("p50", "p90", "p99", "worst")), faster,
            f"{stage['vision']:.1f}", f"{stage['prefill']:.1f}", token, f"{mode['flow_ms_per_step']:.2f}",
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _devices(reports: Sequence[dict[str, Any]]) -> list[str]:
    """Ticks elsewhere: decoding and flow by bandwidth, vision and prefill by arithmetic, preprocessing as measured."""
    modes = {mode["mode"]: mode for report in reports for mode in report["modes"]}
    pairs = {}
    for kind, name in (("bf16", "exact"), ("fp8", "fp8"), ("int8", "int8")):
        pair = [modes.get(f"{name}, {mode}") for mode in ("stateless", "4 new images, draft accepted")]
        if all(pair):
            pairs[kind] = pair
    needed = {kind: _needed(kind, pair[0], reports) for kind, pair in pairs.items()}
    columns = " | ".join(f"{kind}, {needed[kind]:.0f} GB" for kind in pairs)
    measured = " | ".join(_cell(mode["tick_ms"]["p50"] for mode in pair) for pair in pairs.values())
    lines = [
        f"| device | {columns} | figures |",
        f"|---|{'---|' * len(pairs)}---|",
        f"| {_MEASURED.name} | {measured} | measured |",
    ]
    for device in _OTHERS:
        cells = []
        for kind, pair in pairs.items():
            if needed[kind] >= _USABLE * device.memory:
                cells.append("does not fit")
            elif kind == "fp8" and not device.fp8:
                cells.append("has no fp8")
            else:
                cells.append(_cell(_scaled(mode["stage_ms"], device) for mode in pair))
        lines.append(f"| {device.name} | {' | '.join(cells)} | computed |")
    return lines


def _needed(kind: str, stateless: dict[str, Any], reports: Sequence[dict[str, Any]]) -> float:
    """GB that model and engine take."""
    if kind == "int8":
        return stateless["peak_bytes"] / 1e9
    engines = [one for report in reports for one in report["engines"]]
    wanted = stateless["preset"], stateless["samples"]
    return _WEIGHTS_GB + next(one["bytes"] for one in engines if (one["preset"], one["samples"]) == wanted) / 1e9


def _scaled(stages: dict[str, float], device: Device) -> float:
    """Milliseconds of a tick at the same share of the roofline as measured."""
    slower = {
        "preprocess": 1.0,
        "vision": _MEASURED.compute / device.compute,
        "prefill": _MEASURED.compute / device.compute,
        "decode": _MEASURED.bandwidth / device.bandwidth,
        "flow": _MEASURED.bandwidth / device.bandwidth,
    }
    return sum(slower[stage] * milliseconds for stage, milliseconds in stages.items())


def _cell(milliseconds: Iterable[float]) -> str:
    ticks = list(milliseconds)
    times, rates = (" / ".join(parts) for parts in ([f"{t:.0f}" for t in ticks], [f"{1e3 / t:.1f}" for t in ticks]))
    return f"{times} ms, {rates} Hz"
