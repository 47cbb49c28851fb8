"""`convert physical-ai-av`: a clip of NVIDIA's PhysicalAI-Autonomous-Vehicles as a bag, through its own reader.

All seven cameras with CameraInfo, egomotion as odometry and /tf, the rig as /tf_static; roles named. `--check` then
compares the bag with the reader: with `pick: at_or_before` the observer has to choose the same frames, and its poses
have to be the reader's. The data set is NVIDIA's: accept its licence on Hugging Face and log in (`hf auth login`).
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from alpamayo_ros.contract import HISTORY_OFFSETS_NS, SECOND_NS, SLOT_OFFSETS_NS
from alpamayo_ros.geometry import Pose, matrix_to_quaternion, quaternion_to_matrix, rotate
from alpamayo_ros.replay import plain

# Feature of the data set -> the role of its camera. The last three are no input of R1 and 1.5.
CAMERAS = {
    "camera_cross_left_120fov": "cross_left",
    "camera_front_wide_120fov": "front_wide",
    "camera_cross_right_120fov": "cross_right",
    "camera_front_tele_30fov": "front_tele",
    "camera_rear_left_70fov": "rear_left",
    "camera_rear_tele_30fov": "rear_tele",
    "camera_rear_right_70fov": "rear_right",
}
FEATURES = (*CAMERAS, "egomotion", "sensor_extrinsics", "camera_intrinsics")
# The clips' times count from the clip's beginning; a bag's stamps look like a vehicle's.
EPOCH_NS = 1_795_000_000 * SECOND_NS
ODOM, BASE = "odom", "base_link"
JPEG_QUALITY = 95
_FRAMES_AT_A_TIME = 10  # seven cameras hold that many 1080p images each


class ConvertError(Exception):
    """A clip that cannot be converted, and what to do."""


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="alpamayo_ros convert physical-ai-av", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("clips", nargs="+", metavar="CLIP", help="clip ids")
    parser.add_argument("--out", type=Path, required=True, help="directory of the bags, one a clip")
    parser.add_argument("--revision", help="of the data set (default: the newest)")
    parser.add_argument("--cache-dir", type=Path, help="Hugging Face's cache (default: its own)")
    parser.add_argument("--start", type=float, default=0.0, help="seconds of the clip to leave out")
    parser.add_argument("--seconds", type=float, help="of the clip to take (default: all)")
    parser.add_argument("--check", action="store_true", help="compare the bag with the data set's own reader")
    options = parser.parse_args(argv)
    try:
        data = dataset(options.revision, options.cache_dir)
        for clip_id in options.clips:
            clip = Clip.of(data, clip_id)
            path = convert(clip, options.out / clip_id, options.start, options.seconds)
            print(path)
            if options.check:
                print(json.dumps(check(clip, path).__dict__))
    except ConvertError as error:
        print(f"convert: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"convert: {error.filename or options.out}: {error.strerror or error}", file=sys.stderr)
        return 2
    return 0


def dataset(revision: str | None = None, cache_dir: Path | None = None) -> Any:
    """NVIDIA's interface to the data set.

    Raises:
        ConvertError: the package is not there, or the data set is not to be had.
    """
    try:
        from physical_ai_av import PhysicalAIAVDatasetInterface
    except ImportError:
        raise ConvertError("needs NVIDIA's package: pip install 'alpamayo_ros[physical_ai_av]'") from None
    try:
        return PhysicalAIAVDatasetInterface(revision, cache_dir=cache_dir)
    except Exception as error:
        raise ConvertError(
            f"the data set cannot be opened ({type(error).__name__}: {error}); accept its licence on "
            "huggingface.co/datasets/nvidia/PhysicalAI-Autonomous-Vehicles and log in with `hf auth login`"
        ) from None


@dataclass(frozen=True, eq=False)
class Clip:
    """One clip's readers, by NVIDIA's package."""

    cameras: Mapping[str, Any]  # role -> video reader
    egomotion: Any
    models: Mapping[str, Any]  # role -> f-theta model
    mounted: Mapping[str, Pose]  # role -> pose of the optical frame in the rig

    @staticmethod
    def of(data: Any, clip_id: str) -> Clip:
        """Raises ConvertError where the data set has no such clip."""
        try:
            parts = {feature: data.get_clip_feature(clip_id, feature, maybe_stream=True) for feature in FEATURES}
        except KeyError as error:
            raise ConvertError(f"the data set has no clip {clip_id!r} ({error})") from None
        except Exception as error:
            raise ConvertError(f"clip {clip_id}: {type(error).__name__}: {error}") from None
        poses = parts["sensor_extrinsics"].sensor_poses
        return Clip(
            {role: parts[feature] for feature, role in CAMERAS.items()},
            parts["egomotion"],
            {role: parts["camera_intrinsics"].camera_models[feature] for feature, role in CAMERAS.items()},
            {
                role: Pose(np.array(poses[feature].translation), np.array(poses[feature].rotation.as_quat()))
                for feature, role in CAMERAS.items()
            },
        )

    def ego(self, at_us: np.ndarray) -> Pose:
        """The rig in the clip's anchor frame at times that the package interpolates to."""
        state = self.egomotion(np.asarray(at_us))
        return Pose(np.asarray(state.pose.translation), np.asarray(state.pose.rotation.as_quat()))


def convert(clip: Clip, path: Path, start: float = 0.0, seconds: float | None = None) -> Path:
    """Writes the clip as an mcap bag.

    Raises:
        ConvertError: the bag exists already.
    """
    from rosbags.rosbag2 import StoragePlugin, Writer

    if path.exists():
        raise ConvertError(f"{path} exists already; remove it, or give another --out")
    path.parent.mkdir(parents=True, exist_ok=True)
    first = min(int(reader.timestamps[0]) for reader in clip.cameras.values()) + round(start * 1e6)
    last = first + round(seconds * 1e6) if seconds is not None else 2**62
    infos = {role: _camera_info(role, model) for role, model in clip.models.items()}
    kinds = {"odometry": "Odometry", "tf": "TFMessage", "tf_static": "TFMessage"}
    kinds |= {f"camera/{role}/image/compressed": "CompressedImage" for role in clip.cameras}
    kinds |= {f"camera/{role}/camera_info": "CameraInfo" for role in clip.cameras}
    try:
        with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
            topics = {
                name: writer.add_connection(f"/{name}", plain.FULL_NAME[kind], typestore=plain.store())
                for name, kind in kinds.items()
            }

            def write(name: str, at_ns: int, message: Any) -> None:
                writer.write(topics[name], at_ns, plain.serialize(message))

            write("tf_static", stamp_ns(first), _mounting(clip, stamp_ns(first)))
            for at_us, role, image in _merged(clip, first, last):
                if role is None:
                    for name, message in _motion(clip, at_us):
                        write(name, stamp_ns(at_us), message)
                else:
                    header = _header(stamp_ns(at_us), f"{role}_optical")
                    m = plain.classes()
                    write(f"camera/{role}/image/compressed", stamp_ns(at_us),
                          m.CompressedImage(header=header, format="jpeg", data=_jpeg(image)))  # fmt: skip
                    write(f"camera/{role}/camera_info", stamp_ns(at_us), m.CameraInfo(header=header, **infos[role]))
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)  # half a clip would look like a whole one
        raise
    return path


def stamp_ns(clip_us: int) -> int:
    """A clip's time as a bag's stamp."""
    return EPOCH_NS + int(clip_us) * 1000


@dataclass(frozen=True)
class Check:
    """A bag against the reader: ticks compared, images that are another frame, worst pose error."""

    ticks: int
    images: int
    other_frames: int
    worst_position_mm: float
    worst_rotation_rad: float


def check(clip: Clip, bag: Path) -> Check:
    """What our observer chooses in the bag, beside what the package decodes and interpolates at the same t0."""
    from alpamayo_ros import params
    from alpamayo_ros.history import centred
    from alpamayo_ros.replay.bag import Bag
    from alpamayo_ros.replay.lockstep import windows
    from alpamayo_ros.rig import propose_rig

    values = params.defaults() | {"pick": "at_or_before"}
    ticks = images = others = 0
    worst, worst_turn = 0.0, 0.0
    with Bag(bag) as opened:
        for window in windows(opened, propose_rig(opened.types), values):
            t0_us = (window.t0_ns - EPOCH_NS) // 1000
            slots = t0_us + np.asarray(SLOT_OFFSETS_NS) // 1000
            for role, frames in window.frames.items():
                _, theirs = clip.cameras[role].decode_images_from_timestamps(slots)
                ours = np.array([(frame.stamp_ns - EPOCH_NS) // 1000 for frame in frames])
                images, others = images + len(ours), others + int((theirs != ours).sum())
            xyz, rotation = centred(window.poses)
            poses = clip.ego(t0_us + np.asarray(HISTORY_OFFSETS_NS) // 1000)
            back = quaternion_to_matrix(poses.quaternion[-1]).T
            worst = max(worst, float(np.linalg.norm(xyz - (poses.xyz - poses.xyz[-1]) @ back.T, axis=1).max()))
            turned = matrix_to_quaternion(np.swapaxes(rotation, 1, 2) @ (back @ quaternion_to_matrix(poses.quaternion)))
            worst_turn = max(worst_turn, float(2 * np.linalg.norm(turned[:, :3], axis=1).max()))
            ticks += 1
    return Check(ticks, images, others, 1000 * worst, worst_turn)


def fisheye(model: Any) -> tuple[np.ndarray, np.ndarray, float]:
    """An f-theta camera as ROS's "equidistant" model: (3, 3) K, (4,) distortion, and the worst pixel of the fit.

    Both say how far from the centre a ray at an angle lies: r = p0 + p1 a + p2 a^2 ... there, r = f (a + k1 a^3 +
    k2 a^5 + k3 a^7 + k4 a^9) here; linear least squares, over the angles that fall into the image.
    """
    corners = np.array([[x, y] for x in (0.0, model.width) for y in (0.0, model.height)])
    farthest = float(np.linalg.norm(corners - model.principal_point, axis=1).max())
    angles = np.linspace(0.0, np.radians(100.0), 2000)
    radii = model.th2r(angles)
    seen = radii <= farthest
    angles, radii = angles[seen], radii[seen]
    powers = np.stack([angles ** (2 * k + 1) for k in range(5)], axis=-1)
    solved = np.linalg.lstsq(powers, radii, rcond=None)[0]
    f = float(solved[0])
    cx, cy = model.principal_point
    k = np.array([[f, 0.0, cx], [0.0, f, cy], [0.0, 0.0, 1.0]])
    return k, solved[1:] / f, float(np.abs(powers @ solved - radii).max())


def _merged(clip: Clip, first_us: int, last_us: int) -> Iterator[tuple[int, str | None, np.ndarray | None]]:
    """(time, role, image) of all frames and (time, None, None) of all egomotion, in order of time."""
    import heapq

    def frames(role: str) -> Iterator[tuple[int, str, np.ndarray]]:
        reader = clip.cameras[role]
        stamps = reader.timestamps
        wanted = np.flatnonzero((stamps >= first_us) & (stamps < last_us)).astype(np.int64)
        for some in np.split(wanted, range(_FRAMES_AT_A_TIME, len(wanted), _FRAMES_AT_A_TIME)):
            if len(some):
                images = reader.decode_images_from_frame_indices(some)
                yield from ((int(stamps[k]), role, image) for k, image in zip(some, images, strict=True))

    def motions() -> Iterator[tuple[int, None, None]]:
        for at in clip.egomotion.timestamps.tolist():
            if first_us - 2_000_000 <= at < last_us:  # the history before the first frame
                yield at, None, None

    yield from heapq.merge(motions(), *(frames(role) for role in clip.cameras), key=lambda each: each[0])


def _motion(clip: Clip, at_us: int) -> Iterator[tuple[str, Any]]:
    m, at = plain.classes(), stamp_ns(at_us)
    state = clip.egomotion(np.array([at_us]))
    xyz, quaternion = np.asarray(state.pose.translation)[0], np.asarray(state.pose.rotation.as_quat())[0]
    velocity = rotate(quaternion * [-1.0, -1.0, -1.0, 1.0], np.asarray(state.velocity)[0])  # the twist is the body's
    pose = m.Pose(position=_make("Point", xyz), orientation=_make("Quaternion", quaternion))
    yield "odometry", m.Odometry(
        header=_header(at, ODOM), child_frame_id=BASE, pose=m.PoseWithCovariance(pose=pose),
        twist=m.TwistWithCovariance(twist=m.Twist(linear=_make("Vector3", velocity))),
    )  # fmt: skip
    yield "tf", m.TFMessage(transforms=[_transform(at, ODOM, BASE, xyz, quaternion)])


def _mounting(clip: Clip, at_ns: int) -> Any:
    placed = [_transform(at_ns, BASE, f"{role}_optical", p.xyz, p.quaternion) for role, p in clip.mounted.items()]
    return plain.classes().TFMessage(transforms=placed)


def _transform(at_ns: int, parent: str, child: str, xyz: np.ndarray, quaternion: np.ndarray) -> Any:
    m = plain.classes()
    moved = m.Transform(translation=_make("Vector3", xyz), rotation=_make("Quaternion", quaternion))
    return m.TransformStamped(header=_header(at_ns, parent), child_frame_id=child, transform=moved)


def _camera_info(role: str, model: Any) -> dict[str, Any]:
    k, distortion, _ = fisheye(model)
    projection = np.hstack([k, np.zeros((3, 1))])
    return {"height": int(model.height), "width": int(model.width), "distortion_model": "equidistant", "d": distortion,
            "k": k.reshape(-1), "r": np.eye(3).reshape(-1), "p": projection.reshape(-1)}  # fmt: skip


def _header(at_ns: int, frame_id: str) -> Any:
    return plain.classes().Header(stamp=plain.composer().time(at_ns), frame_id=frame_id)


def _make(name: str, values: np.ndarray) -> Any:
    return getattr(plain.classes(), name)(**dict(zip("xyzw", map(float, values), strict=False)))


def _jpeg(image: np.ndarray) -> np.ndarray:
    import simplejpeg

    return np.frombuffer(simplejpeg.encode_jpeg(np.ascontiguousarray(image), JPEG_QUALITY, "RGB", "420"), np.uint8)
