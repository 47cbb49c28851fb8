"""`python -m alpamayo_ros parity FOLDER`: this implementation against a recorded run of the released one.

A fixture folder holds a checkpoint, its base VLM's files, and `golden.json` and `golden.npz` with inputs and expected
values. Everything is computed here from the checkpoint and the inputs; each quantity's largest error is printed
beside its bound. In float32 the recorded values are the reference. In bfloat16 it is this implementation in float32
with the same rounded weights, tokens and noise, since kernels differ from machine to machine.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alpamayo_ros.vla.recorded import Quantity


def main(argv: Sequence[str]) -> int:
    """Prints the table; 0 where every quantity is there and within its bound."""
    parser = argparse.ArgumentParser(prog="alpamayo_ros parity", description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="holds checkpoint/, golden.json and golden.npz")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:0 ... (default: cpu)")
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--engine", help="preset of the real-time engine (default: the plain path)")
    parser.add_argument("--json", type=Path, help="also write the table to this file")
    options = parser.parse_args(argv)
    from alpamayo_ros.vla.recorded import compare

    quantities = compare(options.folder, options.device, options.dtype, options.engine)
    _show(quantities)
    failed = [quantity.name for quantity in quantities if not quantity.passed]
    if options.json:
        _write(options, quantities, not failed)
    print(f"{len(quantities) - len(failed)} of {len(quantities)} within bounds")
    for name in failed:
        print(f"  not: {name}")
    return 1 if failed else 0


def _show(quantities: Sequence[Quantity]) -> None:
    for quantity in quantities:
        error = "absent" if quantity.error is None else f"{quantity.error:.3g}"
        bound = "stated" if quantity.bound is None else f"<= {quantity.bound:.3g}"
        verdict = "ok" if quantity.passed else "FAILED"
        print(f"{quantity.name:32s} {error:>10s}   {bound:10s} {quantity.unit:15s} {verdict}")


def _write(options: argparse.Namespace, quantities: Sequence[Quantity], passed: bool) -> None:
    import torch
    import transformers

    report = {
        "folder": options.folder.name,
        "device": options.device,
        "dtype": options.dtype,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "passed": passed,
        "quantities": [asdict(quantity) | {"passed": quantity.passed} for quantity in quantities],
    }
    options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
