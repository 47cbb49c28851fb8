"""`convert`: makes rosbag2 bags of what is no bag, with the topics named after the driver's roles."""

from __future__ import annotations

import sys
from importlib import import_module

# name -> (module with main(argv), what it makes bags of)
SOURCES = {
    "physical-ai-av": ("alpamayo_ros.convert.physical_ai_av", "clips of NVIDIA's PhysicalAI-Autonomous-Vehicles"),
    "world": ("alpamayo_ros.convert.world", "episodes of the small world, with their true causes"),
}


def main(argv: list[str]) -> int:
    if not argv or argv[0] not in SOURCES:
        print("usage: python -m alpamayo_ros convert SOURCE [--help] ...\n", file=sys.stderr)
        print("\n".join(f"  {name:<16} {what}" for name, (_, what) in SOURCES.items()), file=sys.stderr)
        return 0 if argv and argv[0] in ("-h", "--help") else 2
    return import_module(SOURCES[argv[0]][0]).main(argv[1:]) or 0
