"""`video.mp4`: every plan of a replay as a frame, the front camera with the plan in it and the view from above."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from alpamayo_ros.cdr import header_stamp_ns
from alpamayo_ros.contract import REFERENCE_ROLE, SECOND_NS
from alpamayo_ros.imaging import DECODERS, ImageError
from alpamayo_ros.projection import CameraModel
from alpamayo_ros.replay.bag import Bag, BagError
from alpamayo_ros.replay.evaluate import Driven
from alpamayo_ros.replay.picture import driven_in_ego, picture
from alpamayo_ros.replay.records import Record
from alpamayo_ros.replay.setup import Matched
from alpamayo_ros.rig import COMPRESSED

BEFORE, AFTER = 3.0, 6.4  # seconds of the drive around t0 that are shown


def write_video(
    path: Path, bag: Path, matched: Matched, values: Mapping[str, Any], records: Iterable[Record], driven: Driven
) -> None:
    """H.264, at the ticks' own pace."""
    import av

    working = path.with_name(path.name + ".part")
    with av.open(str(working), "w", format="mp4") as file:
        stream = None
        first = None
        for record, front in _fronts(bag, matched, values, records):
            image = _frame(record, front, matched.cameras.get(REFERENCE_ROLE), driven)
            if stream is None:
                first = record.t0_ns
                stream = file.add_stream("libx264", rate=10, options={"crf": "21", "preset": "veryfast"})
                stream.height, stream.width = image.shape[:2]
                stream.pix_fmt, stream.codec_context.time_base = "yuv420p", Fraction(1, 1000)
            shown = av.VideoFrame.from_ndarray(image, format="rgb24")
            shown.pts, shown.time_base = (record.t0_ns - first) // 1_000_000, Fraction(1, 1000)
            file.mux(stream.encode(shown))
        if stream is not None:
            file.mux(stream.encode())
    os.replace(working, path)


def _fronts(
    bag: Path, matched: Matched, values: Mapping[str, Any], records: Iterable[Record]
) -> Iterator[tuple[Record, np.ndarray]]:
    """The plans with their front image at t0, which is decoded once more at its full size."""
    topic = matched.rig.topics[REFERENCE_ROLE]
    offset = round(values[f"cameras.{REFERENCE_ROLE}.time_offset"] * SECOND_NS)
    with Bag(bag) as opened:
        decode = DECODERS["compressed" if opened.types[topic] == COMPRESSED else "raw"]
        messages = opened.messages([topic])
        waiting: dict[int, bytes] = {}
        for record in records:
            if record.planned is None:
                continue
            stamp = int(record.planned.stamps_ns[record.planned.roles.index(REFERENCE_ROLE), -1])
            try:
                while stamp not in waiting:
                    message = next(messages)
                    waiting[header_stamp_ns(message.data) + offset] = message.data
                yield record, decode(waiting.pop(stamp))
            except (StopIteration, BagError, ImageError):
                continue
            waiting = {known: data for known, data in waiting.items() if known > stamp - SECOND_NS}


def _frame(record: Record, front: np.ndarray, camera: CameraModel | None, driven: Driven) -> np.ndarray:
    plan = record.planned.plan
    around = driven_in_ego(driven.stamps_ns, driven.poses, plan.t0_ns, BEFORE, AFTER)
    caption = f"{plan.speed[plan.chosen, 0]:.1f} m/s   {plan.policy}"
    said = plan.reasoning[plan.chosen]
    return picture(front, camera, plan.xyz, plan.yaw, plan.chosen, around, said, caption)
