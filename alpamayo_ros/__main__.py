"""`python -m alpamayo_ros COMMAND`: one command line for everything."""

from __future__ import annotations

import os
import sys
from importlib import import_module

# command -> (module with main(argv) -> int | None, what it does)
COMMANDS = {
    "drive": ("alpamayo_ros.drive", "run the driver node (same YAML and transport as driver.launch.py)"),
    "demo": ("alpamayo_ros.demo", "drive the small world, or play a bag into the driver (make drive)"),
    "world": ("alpamayo_ros.live.node", "the small world on topics in real time, and its follower"),
    "evaluate-world": ("alpamayo_ros.world.evaluate", "a policy's drives and reasons in held-out scenarios"),
    "replay": ("alpamayo_ros.replay.main", "bags in lockstep: plans, metrics and a report"),
    "compare": ("alpamayo_ros.replay.compare", "two replays of the same bags, side by side"),
    "convert": ("alpamayo_ros.convert", "make bags of other data"),
    "play": ("alpamayo_ros.replay.play", "publish a bag's messages at their times"),
    "autoware": ("alpamayo_ros.bridges.autoware", "plans as Autoware's trajectories, its route as a command"),
    "alpasim": ("alpamayo_ros.bridges.alpasim", "drive for NVIDIA's simulator AlpaSim, over gRPC"),
    "alpasim-play": ("alpamayo_ros.bridges.alpasim_play", "ask an alpasim driver for plans, in the small world"),
    "carla": ("alpamayo_ros.bridges.carla", "hold a CARLA vehicle's wheel and pedals, and say where its rear axle is"),
    "carla-odometry": ("alpamayo_ros.bridges.carla_odometry", "the odometry that CARLA's own ROS 2 lacks"),
    "parity": ("alpamayo_ros.parity", "compare the model with the reference's recorded outputs"),
    "parameters": ("alpamayo_ros.reference", "the reference of all parameters, as Markdown"),
    "faults": ("alpamayo_ros.faults.main", "every fault of a vehicle, injected into the driver, and what came of it"),
    "soak": ("alpamayo_ros.faults.soak", "random faults for a long time"),
    "fuzz": ("alpamayo_ros.faults.fuzz", "mutated bytes into everything that reads bytes"),
    "bench": ("alpamayo_ros.bench", "measure one thing, JSON out"),
}


def usage() -> str:
    lines = "\n".join(f"  {name:<15} {what}" for name, (_, what) in COMMANDS.items())
    return f"usage: python -m alpamayo_ros COMMAND [--help] ...\n\n{lines}"


def main(argv: list[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    if not argv or argv[0] in ("-h", "--help"):
        print(usage())
        return 0 if argv else 2
    if argv[0] not in COMMANDS:
        print(f"no command is called {argv[0]!r}\n\n{usage()}", file=sys.stderr)
        return 2
    # Before numpy is loaded: its products are small here, and a second BLAS thread would only take a core away.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    module = import_module(COMMANDS[argv[0]][0])
    return module.main(argv[1:]) or 0


if __name__ == "__main__":
    sys.exit(main())
