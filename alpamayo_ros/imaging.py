"""Serialized sensor_msgs/Image and CompressedImage to RGB.

Raw images are viewed in place wherever their layout allows it. Whatever cannot be read is an `ImageError` that
names what is wrong; nothing here knows of topics, windows or ROS.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from alpamayo_ros.cdr import CdrError, CdrReader
from alpamayo_ros.contract import NotReady, Reason
from alpamayo_ros.spare import SpareArrays

_memory = SpareArrays()


@dataclass(frozen=True)
class Limits:
    """What a frame may make this process hold: pixels a side, and bytes of its message (8K in bgra8 has 133 MB)."""

    width: int = 8192
    height: int = 8192
    bytes: int = 1 << 27


LIMITS = Limits()


class ImageError(ValueError):
    """A frame that cannot be decoded: `reason` is its public name."""

    def __init__(self, reason: Reason, detail: str):
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True)
class _Encoding:
    """How one `encoding` lies in memory: bytes a row, rows, and what makes RGB of it.

    `rows` is the number of rows of `step` bytes for an image of a height (nv12 has half as many again).
    """

    row_bytes: Callable[[int], int]
    to_rgb: Callable[[np.ndarray, int], np.ndarray]
    rows: Callable[[int], int] = staticmethod(lambda height: height)
    even: bool = False  # needs an even width (and, for nv12 and Bayer, height)


def _channels(count: int, convert: int | None) -> _Encoding:
    def to_rgb(plane: np.ndarray, width: int) -> np.ndarray:
        image = plane[:, : width * count].reshape(plane.shape[0], width, count)
        return np.ascontiguousarray(image) if convert is None else cv2.cvtColor(image, convert)

    return _Encoding(lambda width: width * count, to_rgb)


def _plane(convert: int, bytes_per_pixel: int = 1, even: bool = False) -> _Encoding:
    def to_rgb(plane: np.ndarray, width: int) -> np.ndarray:
        image = np.ascontiguousarray(plane[:, : width * bytes_per_pixel])
        if bytes_per_pixel > 1:
            image = image.reshape(plane.shape[0], width, bytes_per_pixel)
        return cv2.cvtColor(image, convert)

    return _Encoding(lambda width: width * bytes_per_pixel, to_rgb, even=even)


def _nv12() -> _Encoding:
    def to_rgb(plane: np.ndarray, width: int) -> np.ndarray:
        return cv2.cvtColor(np.ascontiguousarray(plane[:, :width]), cv2.COLOR_YUV2RGB_NV12)

    return _Encoding(lambda width: width, to_rgb, rows=lambda height: height * 3 // 2, even=True)


# sensor_msgs/image_encodings.hpp. OpenCV names a Bayer pattern by the second row's second and third pixel, ROS by
# the first row's first two: rggb is OpenCV's BG.
ENCODINGS: dict[str, _Encoding] = {
    "rgb8": _channels(3, None),
    "bgr8": _channels(3, cv2.COLOR_BGR2RGB),
    "rgba8": _channels(4, cv2.COLOR_RGBA2RGB),
    "bgra8": _channels(4, cv2.COLOR_BGRA2RGB),
    "mono8": _plane(cv2.COLOR_GRAY2RGB),
    "yuv422": _plane(cv2.COLOR_YUV2RGB_UYVY, 2, even=True),
    "uyvy": _plane(cv2.COLOR_YUV2RGB_UYVY, 2, even=True),
    "yuv422_yuy2": _plane(cv2.COLOR_YUV2RGB_YUY2, 2, even=True),
    "yuyv": _plane(cv2.COLOR_YUV2RGB_YUY2, 2, even=True),
    "nv12": _nv12(),
    "bayer_rggb8": _plane(cv2.COLOR_BayerBG2RGB, even=True),
    "bayer_bggr8": _plane(cv2.COLOR_BayerRG2RGB, even=True),
    "bayer_gbrg8": _plane(cv2.COLOR_BayerGR2RGB, even=True),
    "bayer_grbg8": _plane(cv2.COLOR_BayerGB2RGB, even=True),
}


def decode_image(message: bytes | memoryview, limits: Limits = LIMITS) -> np.ndarray:
    """A serialized sensor_msgs/Image -> (H, W, 3) uint8 RGB.

    Raises:
        ImageError: a size, length or encoding that cannot be, or a size beyond the limits.
    """
    try:
        reader = CdrReader(message)
        reader.time_ns()
        reader.string()
        height, width = reader.uint32(), reader.uint32()
        name = reader.string()
        reader.uint8()
        step = reader.uint32()
        data = reader.bytes()
    except CdrError as error:
        raise ImageError(Reason.MESSAGE_CORRUPT, f"no sensor_msgs/Image: {error}") from None
    encoding = ENCODINGS.get(name)
    if encoding is None:
        raise ImageError(Reason.IMAGE_ENCODING, f"encoding {name!r} is not one of {', '.join(ENCODINGS)}")
    _check_size(height, width, limits)
    if encoding.even and (width % 2 or height % 2):
        raise ImageError(Reason.IMAGE_SIZE, f"{name} needs an even size, not {width}x{height}")
    row_bytes, rows = encoding.row_bytes(width), encoding.rows(height)
    if step < row_bytes:
        raise ImageError(
            Reason.IMAGE_LENGTH, f"step {step} is less than the {row_bytes} bytes of a row of {width} {name}"
        )
    # The last row may come without its padding.
    if len(data) < step * (rows - 1) + row_bytes:
        raise ImageError(Reason.IMAGE_LENGTH, f"{len(data)} bytes are too few for {rows} rows of step {step}")
    plane = _rows(data, rows, step, row_bytes)
    return encoding.to_rgb(plane, width)


def decode_compressed(message: bytes | memoryview, limits: Limits = LIMITS) -> np.ndarray:
    """A serialized sensor_msgs/CompressedImage (jpeg, png) -> (H, W, 3) uint8 RGB.

    The bytes decide, not `format`: drivers write anything there.

    Raises:
        ImageError: neither JPEG nor PNG, one that is damaged, or one beyond the limits.
    """
    try:
        reader = CdrReader(message)
        reader.time_ns()
        reader.string()
        stated = reader.string()
        data = reader.bytes()
    except CdrError as error:
        raise ImageError(Reason.MESSAGE_CORRUPT, f"no sensor_msgs/CompressedImage: {error}") from None
    return decode_picture(data, stated, limits)


def decode_picture(data: bytes | memoryview, stated: str = "", limits: Limits = LIMITS) -> np.ndarray:
    """A JPEG or PNG file -> (H, W, 3) uint8 RGB.

    Args:
        stated: what the sender calls its format, for the error alone.

    Raises:
        ImageError: see `decode_compressed`.
    """
    if data[:2] == b"\xff\xd8":
        return decode_jpeg(data, limits)
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return _decode_png(data, limits)
    raise ImageError(Reason.IMAGE_ENCODING, f"format {stated!r}, {len(data)} bytes: neither JPEG nor PNG")


def decode_jpeg(data: bytes | memoryview, limits: Limits = LIMITS) -> np.ndarray:
    """JPEG -> (H, W, 3) uint8 RGB; damage anywhere in the file is an error, not a grey patch.

    Raises:
        ImageError: see `decode_compressed`.
    """
    try:
        import simplejpeg
    except ImportError:  # not packaged by ROS distributions; OpenCV is, and gives the same pixels
        return _decode_jpeg_with_opencv(data, limits)
    try:
        height, width, _, _ = simplejpeg.decode_jpeg_header(data)
        _check_size(height, width, limits)
        return simplejpeg.decode_jpeg(data, "RGB", buffer=_memory(3 * height * width))
    except ImageError:
        raise
    except ValueError as error:
        raise ImageError(Reason.IMAGE_CORRUPT, f"JPEG of {len(data)} bytes: {error}") from None


def _decode_jpeg_with_opencv(data: bytes | memoryview, limits: Limits) -> np.ndarray:
    """OpenCV fills what is missing with grey and says nothing, so the end marker is looked for first."""
    _check_size(*_jpeg_size(data), limits)
    if b"\xff\xd9" not in bytes(data[-64:]):
        raise ImageError(Reason.IMAGE_CORRUPT, f"JPEG of {len(data)} bytes: no end marker, it was cut off")
    return _decode_with_opencv(data, "JPEG")


def _jpeg_size(data: bytes | memoryview) -> tuple[int, int]:
    """Height and width of a JPEG's frame header (ITU T.81 B.2.2), before anything is allocated for it."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        kind, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(data[at + 5 : at + 7], "big"), int.from_bytes(data[at + 7 : at + 9], "big")
        at += 2 + length
    raise ImageError(Reason.IMAGE_CORRUPT, f"JPEG of {len(data)} bytes: no frame header")


def _decode_png(data: bytes | memoryview, limits: Limits) -> np.ndarray:
    # IHDR is the first chunk; its size is checked before OpenCV allocates for it.
    if len(data) < 24:
        raise ImageError(Reason.IMAGE_CORRUPT, f"PNG of {len(data)} bytes: no header")
    width, height = (int.from_bytes(data[at : at + 4], "big") for at in (16, 20))
    _check_size(height, width, limits)
    if b"IEND" not in bytes(data[-16:]):
        raise ImageError(Reason.IMAGE_CORRUPT, f"PNG of {len(data)} bytes: no end chunk, it was cut off")
    return _decode_with_opencv(data, "PNG")


def _decode_with_opencv(data: bytes | memoryview, kind: str) -> np.ndarray:
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags)
    except cv2.error as error:
        raise ImageError(Reason.IMAGE_CORRUPT, f"{kind} of {len(data)} bytes: {error.err}") from None
    if image is None:
        raise ImageError(Reason.IMAGE_CORRUPT, f"{kind} of {len(data)} bytes cannot be decoded")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image)


def _check_size(height: int, width: int, limits: Limits) -> None:
    if not height or not width:
        raise ImageError(Reason.IMAGE_SIZE, f"an image of {width}x{height} is empty")
    if height > limits.height or width > limits.width:
        allowed = f"max_image_width {limits.width} and max_image_height {limits.height}"
        raise ImageError(Reason.IMAGE_SIZE, f"an image of {width}x{height} is beyond {allowed}")


def _rows(data: memoryview, rows: int, step: int, row_bytes: int) -> np.ndarray:
    """(rows, at least row_bytes) uint8 view of the payload."""
    flat = np.frombuffer(data, dtype=np.uint8)
    if flat.size >= rows * step:
        return flat[: rows * step].reshape(rows, step)
    return np.lib.stride_tricks.as_strided(flat, (rows, row_bytes), (step, 1), writeable=False)


DECODERS = {"raw": decode_image, "compressed": decode_compressed}


def decoder(transport: str, limits: Limits) -> Callable[[bytes | memoryview], np.ndarray]:
    """What decodes a transport's messages ("raw", "compressed") within limits."""
    return partial(DECODERS[transport], limits=limits)


def too_large(role: str, message: bytes, limits: Limits) -> NotReady | None:
    """Refuses a message that is not to be kept at all."""
    if len(message) <= limits.bytes:
        return None
    detail = f"a message of {len(message)} bytes is beyond max_image_bytes {limits.bytes}"
    return NotReady(Reason.IMAGE_SIZE, role, detail, {"bytes": float(len(message))})
