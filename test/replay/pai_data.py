"""A small data set in the layout of NVIDIA's PhysicalAI-Autonomous-Vehicles, in Hugging Face's cache: one clip.

H.264 videos at 30 fps with their frames' times, egomotion at 100 Hz, f-theta intrinsics, extrinsics. What is read
from it is read by NVIDIA's own package.
"""

import io
import json
import zipfile

import av
import numpy as np
import pandas as pd
from scipy.spatial.transform import Rotation

from alpamayo_ros.convert.physical_ai_av import CAMERAS
from alpamayo_ros.world.rig import OPTICAL_IN_BODY

CLIP = "11111111-2222-3333-4444-555555555555"
REVISION = "0123456789abcdef0123456789abcdef01234567"
SECONDS, FPS, HEIGHT, WIDTH = 4.0, 30, 96, 160
YAWS = dict(zip(CAMERAS.values(), (60, 0, -60, 0, 130, 180, -130), strict=True))


def write(cache):
    """Writes it below a cache directory."""
    root = cache / "datasets--nvidia--PhysicalAI-Autonomous-Vehicles" / "snapshots" / REVISION
    rows = []
    for camera in CAMERAS:
        members = {"video": f"{{clip_id}}.{camera}.mp4", "frame_timestamps": f"{{clip_id}}.{camera}.timestamps.parquet"}
        rows.append((camera, "camera", f"camera/{camera}/{camera}.chunk_{{chunk_id:04d}}.zip", json.dumps(members)))
    rows += [("egomotion", "labels", "labels/egomotion/egomotion.chunk_{chunk_id:04d}.zip",
              json.dumps({"egomotion": "{clip_id}.egomotion.parquet"}))]  # fmt: skip
    rows += [(name, "calibration", f"calibration/{name}/{name}.chunk_{{chunk_id:04d}}.parquet", None)
             for name in ("sensor_extrinsics", "camera_intrinsics")]  # fmt: skip
    put(root / "features.csv", pd.DataFrame(rows, columns=["feature", "directory", "chunk_path", "clip_files_in_zip"])
        .to_csv(index=False).encode())  # fmt: skip
    parquet(root / "clip_index.parquet", pd.DataFrame({"chunk": [0]}, index=pd.Index([CLIP], name="clip_id")))
    presence = pd.DataFrame({row[0]: [True] for row in rows}, index=pd.Index([CLIP], name="clip_id"))
    parquet(root / "metadata/feature_presence.parquet", presence)
    parquet(root / "metadata/data_collection.parquet", pd.DataFrame({"country": ["here"]}, index=[CLIP]))
    for number, camera in enumerate(CAMERAS):
        stamps = pd.DataFrame({"timestamp": frame_times(number)})
        files = {f"{CLIP}.{camera}.mp4": video(number), f"{CLIP}.{camera}.timestamps.parquet": table(stamps)}
        archive(root / f"camera/{camera}/{camera}.chunk_0000.zip", files)
    archive(root / "labels/egomotion/egomotion.chunk_0000.zip", {f"{CLIP}.egomotion.parquet": table(egomotion())})
    parquet(root / "calibration/sensor_extrinsics/sensor_extrinsics.chunk_0000.parquet", extrinsics())
    parquet(root / "calibration/camera_intrinsics/camera_intrinsics.chunk_0000.parquet", intrinsics())


def frame_times(number):
    """Microseconds; each camera a little later than the one before, and a microsecond of unevenness."""
    frames = np.arange(round(SECONDS * FPS))
    return (frames * 1e6 / FPS).round().astype(np.int64) + 2100 * number + frames % 2


def picture(number, frame):
    """Its brightness tells the camera and the frame apart."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[:, : WIDTH * (frame + 1) // round(SECONDS * FPS)] = 60 + 20 * number
    image[: HEIGHT // 3] += 40
    return image


def video(number):
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as file:
        stream = file.add_stream("libx264", rate=FPS, options={"crf": "10", "g": "15", "bf": "0"})
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv420p"
        for frame in range(round(SECONDS * FPS)):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture(number, frame), format="rgb24")))
        file.mux(stream.encode())
    return out.getvalue()


def egomotion():
    """A braking bend with some pitch, from before the clip to after it."""
    seconds = np.arange(-2.0, SECONDS + 2.0, 0.01)
    speed = 9.0 - 0.8 * seconds
    yaw = 0.25 * seconds + 0.03 * np.sin(2 * seconds)
    xy = np.cumsum(np.stack([speed * np.cos(yaw), speed * np.sin(yaw)], axis=1) * 0.01, axis=0)
    quaternions = Rotation.from_euler("zyx", np.stack([yaw, 0.02 * np.sin(seconds), 0 * yaw], axis=1)).as_quat()
    frame = pd.DataFrame(quaternions, columns=["qx", "qy", "qz", "qw"])
    frame["timestamp"] = (seconds * 1e6).round().astype(np.int64)
    frame[["x", "y", "z"]] = np.column_stack([xy, 0.1 * np.sin(seconds)])
    frame[["vx", "vy", "vz"]] = np.column_stack([speed * np.cos(yaw), speed * np.sin(yaw), 0 * yaw])
    frame[["ax", "ay", "az"]] = 0.0
    frame["curvature"] = 0.25 / speed
    return frame


def extrinsics():
    rows = []
    for feature, role in CAMERAS.items():
        rotation = Rotation.from_euler("z", YAWS[role], degrees=True).as_matrix() @ OPTICAL_IN_BODY
        rows.append((CLIP, feature, *Rotation.from_matrix(rotation).as_quat(), 1.5, 0.1, 1.4))
    frame = pd.DataFrame(rows, columns=["clip_id", "sensor_name", "qx", "qy", "qz", "qw", "x", "y", "z"])
    return frame.set_index(["clip_id", "sensor_name"])


def intrinsics():
    """f-theta: radius in pixels as a polynomial of the angle; a little off a pure equidistant lens."""
    rows = []
    for feature in CAMERAS:
        fov = np.radians(float(feature.rpartition("_")[2].removesuffix("fov")))
        f = WIDTH / fov
        forward = [0.0, f, 0.02 * f, -0.05 * f, 0.01 * f]
        backward = [0.0, 1 / f, 0.0, 0.0, 0.0]
        rows.append((CLIP, feature, WIDTH, HEIGHT, WIDTH / 2 + 1.5, HEIGHT / 2 - 2.0, *forward, *backward))
    names = [f"{way}_poly_{k}" for way in ("fw", "bw") for k in range(5)]
    frame = pd.DataFrame(rows, columns=["clip_id", "camera_name", "width", "height", "cx", "cy", *names])
    return frame.set_index(["clip_id", "camera_name"])


def table(frame):
    out = io.BytesIO()
    frame.to_parquet(out)
    return out.getvalue()


def parquet(path, frame):
    put(path, table(frame))


def archive(path, files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name, data in files.items():
            file.writestr(name, data)
    put(path, out.getvalue())


def put(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
