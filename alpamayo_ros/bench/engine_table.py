"""The README's tables of the engine, from the JSON of `bench engine`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Device:
    """By its data sheet: memory in GB, TB/s, and dense bfloat16 TFLOP/s."""

    name: str
    memory: float
    bandwidth: float
    compute: float


_MEASURED = Device("H200, 141 GB", 141, 4.8, 989)
_OTHERS = (
    Device("H100 SXM, 80 GB", 80, 3.35, 989),
    Device("L40S, 48 GB", 48, 0.864, 362),
    Device("RTX 4090, 24 GB", 24, 1.008, 165),
    Device("Jetson AGX Thor, 128 GB", 128, 0.273, 258),
    Device("Jetson AGX Orin, 64 GB", 64, 0.205, 42),
)
# What the released model's weights take in bfloat16 (11.07 B of them).
_WEIGHTS_GB = 22.1
# Of a device's memory, what driver, context and libraries leave.
_USABLE = 0.93


def markdown(report: dict[str, Any]) -> str:
    """Both tables."""
    return "\n".join([*_modes(report), "", *_devices(report)]) + "\n"


def _modes(report: dict[str, Any]) -> list[str]:
    lines = [
        "| mode | p50 ms | p90 | p99 | worst | times faster | vision | prefill | a token | a flow step |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for mode in report["modes"]:
        tick, stage = mode["tick_ms"], mode["stage_ms"]
        faster = f"{mode['times_faster']:.1f}" if "times_faster" in mode else ""
        token = "" if mode["decode_ms_per_token"] is None else f"{mode['decode_ms_per_token']:.2f}"
        cells = [
            mode["mode"], *(f"{tick[key]:.0f}" for key in ("p50", "p90", "p99", "worst")), faster,
            f"{stage['vision']:.1f}", f"{stage['prefill']:.1f}", token, f"{mode['flow_ms_per_step']:.2f}",
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _devices(report: dict[str, Any]) -> list[str]:
    """Rates elsewhere: decoding and flow by bandwidth, vision and prefill by arithmetic, preprocessing as measured."""
    modes = {mode["mode"]: mode for mode in report["modes"]}
    stateless, accepted = modes["exact, stateless"], modes["exact, 4 new images, draft accepted"]
    engine = next(
        one["bytes"] for one in report["engines"] if (one["preset"], one["samples"]) == ("exact_stateless", 1)
    )
    needed = _WEIGHTS_GB + engine / 1e9
    lines = [
        f"| device | bf16, {needed:.0f} GB | stateless | draft accepted | figures |",
        "|---|---|---|---|---|",
        f"| {_MEASURED.name} | fits | {_rate(stateless['tick_ms']['p50'])} | {_rate(accepted['tick_ms']['p50'])} | "
        "measured |",
    ]
    for device in _OTHERS:
        fits = "fits" if needed < _USABLE * device.memory else "does not fit"
        rates = [_rate(_scaled(mode["stage_ms"], device)) if fits == "fits" else "" for mode in (stateless, accepted)]
        lines.append(f"| {device.name} | {fits} | {' | '.join(rates)} | computed |")
    return lines


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


def _rate(milliseconds: float) -> str:
    return f"{milliseconds:.0f} ms, {1e3 / milliseconds:.1f} Hz"
