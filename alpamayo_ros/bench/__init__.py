"""`python -m alpamayo_ros bench NAME`: one file a question, JSON out, no pass or fail."""

from __future__ import annotations

import sys
from importlib import import_module

# name -> (module with main(argv), the question)
BENCHES = {
    "autoware": ("alpamayo_ros.bench.autoware", "do the bridge's trajectories pass Autoware's conditions?"),
    "bridges": ("alpamayo_ros.bench.bridges", "does the closed loop hold over another stack's topics?"),
    "drive": ("alpamayo_ros.bench.drive", "how fast is a tick of the whole closed loop, world and DDS beside it?"),
    "engine": ("alpamayo_ros.bench.engine", "how long does a tick take with the real-time engine?"),
    "engine_kernels": ("alpamayo_ros.bench.engine_kernels", "how long does each kernel of the real-time engine take?"),
    "ingest": ("alpamayo_ros.bench.ingest", "what do camera frames cost on their way to a tick, and do any get lost?"),
    "observer": ("alpamayo_ros.bench.observer", "how long do a push and a window take?"),
    "path": ("alpamayo_ros.bench.path", "how long does it take from camera JPEGs to the serialized Path?"),
    "replay": ("alpamayo_ros.bench.replay", "how fast is a replay beside decoding alone, and how large?"),
    "tiny": ("alpamayo_ros.bench.tiny", "how long does a tick of the small model take on torch and on ONNX Runtime?"),
    "vla": ("alpamayo_ros.bench.vla", "how long does a tick of the plain PyTorch model take?"),
    "world": ("alpamayo_ros.bench.world", "how fast does the small world render?"),
}


def main(argv: list[str]) -> int:
    if not argv or argv[0] not in BENCHES:
        print("usage: python -m alpamayo_ros bench NAME [--help] ...\n", file=sys.stderr)
        print("\n".join(f"  {name:<10} {question}" for name, (_, question) in BENCHES.items()), file=sys.stderr)
        return 0 if argv and argv[0] in ("-h", "--help") else 2
    return import_module(BENCHES[argv[0]][0]).main(argv[1:]) or 0
