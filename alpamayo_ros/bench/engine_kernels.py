"""`python -m alpamayo_ros bench engine_kernels`: the engine's kernels alone, against twins and against the roofline.

Each kernel runs at the released sizes with weights of several layers in turn, so that none comes from the cache, in a
CUDA graph. A kernel that fails is reported with its traceback; the others go on.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from alpamayo_ros.bench.engine_kernel_parts import COMPILED, PARTS
from alpamayo_ros.bench.engine_timing import COMPILE


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="alpamayo_ros bench engine_kernels", description=__doc__.partition("\n")[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", nargs="+", choices=tuple(PARTS), default=list(PARTS))
    parser.add_argument("--share", type=int, nargs=2, metavar=("K", "N"), help="only compile every Nth kernel")
    options = parser.parse_args(argv)
    if options.share:
        COMPILE[:] = [0, *options.share]
    else:
        _compile_ahead(options.only)
    torch.manual_seed(0)
    report = {"device": torch.cuda.get_device_name(), "torch": torch.__version__, "parts": []}
    with torch.inference_mode():
        for name in options.only:
            part, started = PARTS[name], time.perf_counter()
            try:
                for line in part():
                    report["parts"].append({"part": name} | line)
                    _show(name, line)
            except Exception:
                report["parts"].append({"part": name, "failed": traceback.format_exc()})
                print(f"{name} FAILED\n{traceback.format_exc()}", flush=True)
            print(f"  ({name}: {time.perf_counter() - started:.1f} s)", flush=True)
            if options.json:
                options.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0


def _compile_ahead(parts: Sequence[str], processes: int = 12) -> None:
    """Fills Triton's cache by several processes, each of which compiles a share of the kernels."""
    command = [sys.executable, "-m", "alpamayo_ros", "bench", "engine_kernels", "--only"]
    shared = [part for part in parts if part in COMPILED]
    started = time.perf_counter()
    workers = [
        subprocess.Popen([*command, *shared, "--share", str(k), str(processes)], stdout=subprocess.DEVNULL)
        for k in range(processes if shared else 0)
    ]
    for worker in workers:
        worker.wait()
    print(f"compiled ahead in {time.perf_counter() - started:.1f} s", flush=True)


def _show(part: str, line: dict[str, Any]) -> None:
    print(part, " ".join(f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in line.items()), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
