"""A replay's results as files: a bag of what the driver would have published, and tables.

All are made from the journal, record by record, so that a long replay takes no more memory than a short one.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from alpamayo_ros.replay import plain
from alpamayo_ros.replay.evaluate import Judged
from alpamayo_ros.replay.records import Record, placed

NODE = "/alpamayo_driver"
TOPICS = {"path": "Path", "reasoning": "String", "plan": "DrivingPlan", "markers": "MarkerArray"}
DIAGNOSTICS = "/diagnostics"
_BATCH = 256


def write_bag(path: Path, records: Iterable[Record]) -> None:
    """An mcap bag: every plan's messages, and every refusal as a diagnostic, at the bag's own times.

    The plan's message carries the stamps of the sixteen images it was made from. Timings are left out of it: they
    are in timings.parquet, and equal replays give equal bags.
    """
    from rosbags.rosbag2 import StoragePlugin, Writer

    composer = plain.composer()
    shutil.rmtree(path, ignore_errors=True)
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        names = {f"{NODE}/{name}": plain.FULL_NAME[kind] for name, kind in TOPICS.items()}
        names[DIAGNOSTICS] = plain.FULL_NAME["DiagnosticArray"]
        open_topics = {
            topic: writer.add_connection(topic, kind, typestore=plain.store()) for topic, kind in names.items()
        }

        def write(topic: str, at_ns: int, message: Any) -> None:
            writer.write(open_topics[topic], at_ns, plain.serialize(message))

        for record in records:
            if record.planned is None:
                write(DIAGNOSTICS, record.received_ns, _diagnostic(record))
                continue
            messages = composer.outgoing(placed(record), markers=True)
            for name in TOPICS:
                write(f"{NODE}/{name}", record.received_ns, getattr(messages, name))


def write_tables(folder: Path, rows: Iterable[Judged]) -> Iterator[Judged]:
    """Writes plans.parquet (a row a tick, refused ones too) and timings.parquet; passes the rows on."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    plans, timings = [], []
    with (
        _written(folder / "plans.parquet") as plans_path,
        _written(folder / "timings.parquet") as timings_path,
        pq.ParquetWriter(plans_path, _plans_schema(), compression="zstd") as plans_file,
        pq.ParquetWriter(timings_path, _timings_schema(), compression="zstd") as timings_file,
    ):

        def flush() -> None:
            plans_file.write_table(pa.Table.from_pylist(plans, _plans_schema()))
            timings_file.write_table(pa.Table.from_pylist(timings, _timings_schema()))
            plans.clear()
            timings.clear()

        for judged in rows:
            plans.append(_plan_row(judged))
            record = judged.record
            timings += [{"t0_ns": record.t0_ns, "stage": stage, "seconds": s} for stage, s in record.timings.items()]
            if len(plans) >= _BATCH:
                flush()
            yield judged
        flush()


def write_json(path: Path, value: Any) -> None:
    with _written(path) as whole:
        whole.write_text(json.dumps(value, indent=1) + "\n")


class _written:
    """A file that is there whole or not at all."""

    def __init__(self, path: Path):
        self._path, self._part = path, path.with_name(path.name + ".part")

    def __enter__(self) -> Path:
        return self._part

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            os.replace(self._part, self._path)
        else:
            self._part.unlink(missing_ok=True)


def _diagnostic(record: Record) -> Any:
    """A refused tick or message, in the words of the driver's diagnostics."""
    refusal = record.refusal
    m = plain.classes()
    values = [m.KeyValue(key=key, value=f"{value:.6g}") for key, value in refusal.numbers.items()]
    stamp = record.t0_ns if record.t0_ns is not None else record.received_ns
    status = m.DiagnosticStatus(
        level=1, name="alpamayo_driver: refused", message=str(refusal), hardware_id=refusal.stream, values=values
    )
    return m.DiagnosticArray(header=m.Header(stamp=plain.composer().time(stamp)), status=[status])


def _plans_schema() -> Any:
    import pyarrow as pa

    floats = pa.list_(pa.float64())
    return pa.schema(
        [
            ("t0_ns", pa.int64()), ("received_ns", pa.int64()), ("epoch", pa.int64()),
            ("refusal", pa.string()), ("refusal_stream", pa.string()), ("refusal_detail", pa.string()),
            ("policy", pa.string()), ("command", pa.string()), ("reasoning", pa.list_(pa.string())),
            ("chosen", pa.int32()), ("samples", pa.int32()), ("notes", pa.list_(pa.string())),
            ("cameras", pa.list_(pa.string())), ("image_stamps_ns", pa.list_(pa.int64())),
            ("stand_in", pa.list_(pa.bool_())), ("odometry_frame", pa.string()), ("ego_pose", floats),
            ("xyz", floats), ("yaw", floats), ("speed", floats), ("acceleration", floats), ("curvature", floats),
            ("driven_xyz", floats), ("metrics", pa.map_(pa.string(), pa.float64())),
        ]
    )  # fmt: skip


def _timings_schema() -> Any:
    import pyarrow as pa

    return pa.schema([("t0_ns", pa.int64()), ("stage", pa.string()), ("seconds", pa.float64())])


def _plan_row(judged: Judged) -> dict[str, Any]:
    record, numbers, future = judged
    line: dict[str, Any] = {"t0_ns": record.t0_ns, "received_ns": record.received_ns, "epoch": record.epoch}
    if record.planned is None:
        refusal = record.refusal
        return line | {
            "refusal": refusal.reason.value, "refusal_stream": refusal.stream, "refusal_detail": str(refusal)
        }  # fmt: skip
    p = record.planned
    return line | {
        "policy": p.plan.policy, "command": p.command, "reasoning": list(p.plan.reasoning),
        "chosen": p.plan.chosen, "samples": len(p.plan.reasoning), "notes": list(p.plan.notes),
        "cameras": list(p.roles), "image_stamps_ns": p.stamps_ns.ravel().tolist(),
        "stand_in": p.stand_in.ravel().tolist(), "odometry_frame": p.odometry_frame,
        "ego_pose": np.concatenate([p.ego.xyz, p.ego.quaternion]).tolist(),
        **{name: getattr(p.plan, name).ravel() for name in ("xyz", "yaw", "speed", "acceleration", "curvature")},
        "driven_xyz": future.ravel(), "metrics": {name: float(value) for name, value in numbers.items()},
    }  # fmt: skip
