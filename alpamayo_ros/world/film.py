"""Pictures into a film: mp4 where an encoder is there, else a contact sheet of every so many pictures."""

from __future__ import annotations

import subprocess
from pathlib import Path

import cv2
import numpy as np

SHEET_COLUMNS, SHEET_ROWS = 4, 6
SHEET_WIDTH = 640  # pixels of one picture on a sheet


class Film:
    """Takes RGB pictures of one size; `close` returns the path of what was written.

    ffmpeg of imageio-ffmpeg makes H.264, which plays everywhere; OpenCV's own writer MPEG-4; a contact sheet needs
    neither.
    """

    def __init__(self, path: Path, rate: float = 10.0) -> None:
        self._path, self._rate = Path(path), rate
        self._sink: _Ffmpeg | _OpenCv | _Sheet | None = None

    def add(self, picture: np.ndarray) -> None:
        """One (H, W, 3) uint8 RGB picture."""
        if self._sink is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            height, width = picture.shape[:2]
            self._sink = _sink(self._path, self._rate, width, height)
        self._sink.add(picture)

    def close(self) -> Path | None:
        """The file that was written, None where no picture came."""
        return None if self._sink is None else self._sink.close()


def contact_sheet(pictures: list[np.ndarray], columns: int = SHEET_COLUMNS, width: int = SHEET_WIDTH) -> np.ndarray:
    """Equal pictures in rows, each made `width` pixels wide; RGB."""
    height = round(pictures[0].shape[0] * width / pictures[0].shape[1])
    small = [cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA) for picture in pictures]
    small += [np.zeros_like(small[0])] * (-len(small) % columns)
    rows = [np.concatenate(small[k : k + columns], axis=1) for k in range(0, len(small), columns)]
    return np.concatenate(rows, axis=0)


def _sink(path: Path, rate: float, width: int, height: int) -> _Ffmpeg | _OpenCv | _Sheet:
    try:
        from imageio_ffmpeg import get_ffmpeg_exe

        return _Ffmpeg(path, rate, width, height, get_ffmpeg_exe())
    except (ImportError, RuntimeError):  # not installed, or without a binary for this machine
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), rate, (width, height))
        return _OpenCv(path, writer) if writer.isOpened() else _Sheet(path)


class _Ffmpeg:
    def __init__(self, path: Path, rate: float, width: int, height: int, executable: str) -> None:
        self._path = path
        command = [
            executable, "-y", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}",
            "-r", str(rate), "-i", "-", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-movflags", "+faststart", str(path),
        ]  # fmt: skip
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE)

    def add(self, picture: np.ndarray) -> None:
        self._process.stdin.write(np.ascontiguousarray(picture).tobytes())

    def close(self) -> Path:
        self._process.stdin.close()
        if self._process.wait() != 0:
            raise OSError(f"ffmpeg could not write {self._path}; see its message above")
        return self._path


class _OpenCv:
    def __init__(self, path: Path, writer: cv2.VideoWriter) -> None:
        self._path, self._writer = path, writer

    def add(self, picture: np.ndarray) -> None:
        self._writer.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))

    def close(self) -> Path:
        self._writer.release()
        return self._path


class _Sheet:
    """Keeps at most a sheet of pictures: when it is full, every other one goes and the stride doubles."""

    def __init__(self, path: Path) -> None:
        self._path, self._kept, self._stride, self._count = path.with_suffix(".jpg"), [], 1, 0

    def add(self, picture: np.ndarray) -> None:
        if self._count % self._stride == 0:
            self._kept.append(picture.copy())
        self._count += 1
        if len(self._kept) > SHEET_COLUMNS * SHEET_ROWS:
            self._kept, self._stride = self._kept[::2], 2 * self._stride

    def close(self) -> Path:
        sheet = contact_sheet(self._kept)
        if not cv2.imwrite(str(self._path), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR)):
            raise OSError(f"cannot write {self._path}")
        return self._path
