import builtins
import sys

import cv2
import numpy as np
import pytest
from core.ros_bytes import compressed, image

from alpamayo_ros.cdr import CdrError, CdrReader, header_stamp_ns
from alpamayo_ros.contract import Reason
from alpamayo_ros.imaging import (
    ENCODINGS,
    LIMITS,
    ImageError,
    Limits,
    decode_compressed,
    decode_image,
    decoder,
    too_large,
)

WIDTH, HEIGHT = 48, 32


def picture(width=WIDTH, height=HEIGHT):
    """A smooth colourful picture, so that chroma subsampling and demosaicing hardly change it."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    planes = [60 + 150 * x, 40 + 170 * y, 220 - 120 * x * y]
    return np.stack(planes, axis=-1).astype(np.uint8)


def uyvy(rgb):
    """Limited-range BT.601 as cv2 and cameras use it, two pixels in four bytes: U Y V Y."""
    r, g, b = np.moveaxis(rgb.astype(float), -1, 0)
    y = 16 + 0.257 * r + 0.504 * g + 0.098 * b
    u = 128 - 0.148 * r - 0.291 * g + 0.439 * b
    v = 128 + 0.439 * r - 0.368 * g - 0.071 * b
    out = np.empty((*rgb.shape[:2], 2))
    out[..., 1] = y
    out[:, 0::2, 0] = (u[:, 0::2] + u[:, 1::2]) / 2
    out[:, 1::2, 0] = (v[:, 0::2] + v[:, 1::2]) / 2
    return np.round(out).astype(np.uint8)


def nv12(rgb):
    r, g, b = np.moveaxis(rgb.astype(float), -1, 0)
    y = 16 + 0.257 * r + 0.504 * g + 0.098 * b
    u = (128 - 0.148 * r - 0.291 * g + 0.439 * b)[::2, ::2]
    v = (128 + 0.439 * r - 0.368 * g - 0.071 * b)[::2, ::2]
    chroma = np.stack([u, v], axis=-1).reshape(rgb.shape[0] // 2, rgb.shape[1])
    return np.round(np.concatenate([y, chroma])).astype(np.uint8)


def bayer(rgb, pattern):
    channel = {"r": 0, "g": 1, "b": 2}
    out = np.empty(rgb.shape[:2], np.uint8)
    for number, letter in enumerate(pattern):
        row, column = divmod(number, 2)
        out[row::2, column::2] = rgb[row::2, column::2, channel[letter]]
    return out


RGB = picture()
GREY = RGB[..., :1]
LAYOUTS = {
    "rgb8": (RGB, RGB, 0),
    "bgr8": (RGB[..., ::-1], RGB, 0),
    "rgba8": (np.dstack([RGB, GREY]), RGB, 0),
    "bgra8": (np.dstack([RGB[..., ::-1], GREY]), RGB, 0),
    "mono8": (GREY, np.repeat(GREY, 3, axis=-1), 0),
    "yuv422": (uyvy(RGB), RGB, 8),
    "uyvy": (uyvy(RGB), RGB, 8),
    "yuv422_yuy2": (uyvy(RGB)[..., ::-1], RGB, 8),
    "yuyv": (uyvy(RGB)[..., ::-1], RGB, 8),
    "nv12": (nv12(RGB), RGB, 12),
    **{f"bayer_{p}8": (bayer(RGB, p), RGB, 12) for p in ("rggb", "bggr", "gbrg", "grbg")},
}


def rows(array):
    return np.ascontiguousarray(array).reshape(array.shape[0], -1)


def padded(array, padding, last_row_padded=True):
    flat = np.pad(rows(array), ((0, 0), (0, padding)), constant_values=7).tobytes()
    return flat if last_row_padded or not padding else flat[:-padding]


def test_the_table_below_covers_every_encoding():
    assert set(LAYOUTS) == set(ENCODINGS)


@pytest.mark.parametrize("encoding", LAYOUTS)
@pytest.mark.parametrize("padding, last", [(0, True), (13, True), (16, False)])
def test_every_encoding_and_row_step_becomes_rgb(encoding, padding, last):
    raw, expected, off_by = LAYOUTS[encoding]
    step = rows(raw).shape[1] + padding
    got = decode_image(image(padded(raw, padding, last), WIDTH, HEIGHT, encoding, step))
    assert got.shape == (HEIGHT, WIDTH, 3) and got.dtype == np.uint8
    # Demosaicing has no neighbours at the border.
    inner = (slice(2, -2), slice(2, -2)) if off_by else (slice(None),) * 2
    assert np.abs(got[inner].astype(int) - expected[inner]).max() <= off_by


def test_red_and_blue_are_not_swapped_anywhere():
    red = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    red[..., 0] = 230
    layouts = {"yuv422": uyvy(red), "yuv422_yuy2": uyvy(red)[..., ::-1], "nv12": nv12(red)}
    layouts |= {f"bayer_{p}8": bayer(red, p) for p in ("rggb", "bggr", "gbrg", "grbg")}
    for encoding, raw in layouts.items():
        got = decode_image(image(rows(raw).tobytes(), WIDTH, HEIGHT, encoding, rows(raw).shape[1]))
        middle = got[8:-8, 8:-8].reshape(-1, 3).mean(axis=0)
        assert middle[0] > 200 and middle[2] < 40, encoding


def test_rgb8_is_a_view_of_the_message():
    message = image(RGB.tobytes(), WIDTH, HEIGHT, "rgb8", WIDTH * 3)
    assert np.shares_memory(decode_image(message), np.frombuffer(message, np.uint8))


def test_jpeg_and_png_are_decoded_whatever_the_format_says():
    for extension in (".jpg", ".png"):
        data = cv2.imencode(extension, RGB[..., ::-1])[1].tobytes()
        for form in ("jpeg", "png", "rgb8; jpeg compressed bgr8", ""):
            got = decode_compressed(compressed(data, form=form))
            assert np.abs(got.astype(int) - RGB).max() <= (12 if extension == ".jpg" else 0)


def test_a_grey_jpeg_becomes_rgb():
    data = cv2.imencode(".jpg", GREY)[1].tobytes()
    got = decode_compressed(compressed(data))
    assert got.shape == (HEIGHT, WIDTH, 3) and np.array_equal(got[..., 0], got[..., 2])


def refusal(decode, message):
    with pytest.raises(ImageError) as caught:
        decode(message)
    return caught.value


@pytest.mark.parametrize(
    "reason, message",
    [
        (Reason.IMAGE_ENCODING, image(bytes(12), 2, 2, "32FC1", 8)),
        (Reason.IMAGE_ENCODING, image(bytes(12), 2, 2, "", 6)),
        (Reason.IMAGE_SIZE, image(b"", 0, 0, "rgb8", 0)),
        (Reason.IMAGE_SIZE, image(b"", 10**5, 10**5, "rgb8", 3 * 10**5)),
        (Reason.IMAGE_SIZE, image(bytes(18), 3, 2, "yuv422", 6)),
        (Reason.IMAGE_LENGTH, image(bytes(11), 2, 2, "rgb8", 6)),
        (Reason.IMAGE_LENGTH, image(bytes(12), 2, 2, "rgb8", 5)),
        (Reason.MESSAGE_CORRUPT, b"\x00\x01\x00\x00\x01"),
        (Reason.MESSAGE_CORRUPT, b"\x00\x07" + bytes(60)),
    ],
)
def test_a_bad_raw_image_is_refused_by_name(reason, message):
    assert refusal(decode_image, message).reason is reason


JPEG = cv2.imencode(".jpg", picture(320, 240)[..., ::-1])[1].tobytes()
PNG = cv2.imencode(".png", RGB[..., ::-1])[1].tobytes()


@pytest.mark.parametrize(
    "reason, data",
    [
        (Reason.IMAGE_ENCODING, b""),
        (Reason.IMAGE_ENCODING, b"GIF89a" + bytes(50)),
        (Reason.IMAGE_CORRUPT, JPEG[: len(JPEG) // 2]),
        (Reason.IMAGE_CORRUPT, JPEG[:2]),
        (Reason.IMAGE_CORRUPT, JPEG[:700] + bytes(200) + JPEG[900:]),
        (Reason.IMAGE_CORRUPT, PNG[: len(PNG) // 2]),
        (Reason.IMAGE_CORRUPT, PNG[:12]),
        (Reason.IMAGE_SIZE, PNG[:16] + (10**5).to_bytes(4, "big") * 2 + PNG[24:]),
    ],
)
def test_a_bad_compressed_image_is_refused_by_name(reason, data):
    assert refusal(decode_compressed, compressed(data)).reason is reason


def test_a_truncated_message_is_refused():
    message = compressed(JPEG)
    for length in (0, 3, 10, 30, len(message) - 500):
        assert refusal(decode_compressed, message[:length]).reason in (Reason.MESSAGE_CORRUPT, Reason.IMAGE_CORRUPT)


def test_without_simplejpeg_opencv_gives_the_same_pixels(monkeypatch):
    with_it = decode_compressed(compressed(JPEG))
    real = builtins.__import__

    def no_simplejpeg(name, *rest, **options):
        if name == "simplejpeg":
            raise ImportError(name)
        return real(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", no_simplejpeg)
    assert np.array_equal(decode_compressed(compressed(JPEG)), with_it)
    assert refusal(decode_compressed, compressed(JPEG[: len(JPEG) // 2])).reason is Reason.IMAGE_CORRUPT


def test_the_size_bound_allows_8k():
    assert LIMITS.width >= 7680 and LIMITS.height >= 4320 and LIMITS.bytes > 7680 * 4320 * 4


def test_beyond_a_limit_nothing_is_decoded(monkeypatch):
    raw = image(RGB.tobytes(), WIDTH, HEIGHT, "rgb8", WIDTH * 3)
    messages = {"raw": [raw], "compressed": [compressed(JPEG), compressed(PNG)]}
    for transport, sent in messages.items():
        for message in sent:
            height, width, _ = decoder(transport, LIMITS)(message).shape
            assert decoder(transport, Limits(width, height))(message).shape == (height, width, 3)
            for limits in (Limits(width - 1, height), Limits(width, height - 1)):
                error = refusal(decoder(transport, limits), message)
                assert error.reason is Reason.IMAGE_SIZE and "max_image_width" in str(error)
    monkeypatch.setitem(sys.modules, "simplejpeg", None)  # with OpenCV alone the header is read before it allocates
    error = refusal(decoder("compressed", Limits(WIDTH - 1, HEIGHT)), compressed(JPEG))
    assert error.reason is Reason.IMAGE_SIZE
    huge = bytearray(JPEG)
    start = huge.index(b"\xff\xc0")
    huge[start + 5 : start + 9] = b"\xff\xdc\xff\xdc"  # 65500 x 65500: 13 GB
    assert refusal(decode_compressed, compressed(bytes(huge))).reason is Reason.IMAGE_SIZE


def test_a_message_beyond_the_bytes_is_not_kept():
    assert too_large("front_wide", bytes(1000), Limits(bytes=1000)) is None
    refused = too_large("front_wide", bytes(1001), Limits(bytes=1000))
    assert refused.reason is Reason.IMAGE_SIZE and refused.stream == "front_wide"
    assert "1001 bytes is beyond max_image_bytes 1000" in refused.detail


def test_the_stamp_is_read_without_the_rest():
    message = image(RGB.tobytes(), WIDTH, HEIGHT, "rgb8", WIDTH * 3, stamp_ns=1_700_000_000_123_456_789)
    assert header_stamp_ns(message) == 1_700_000_000_123_456_789
    assert header_stamp_ns(message[:12]) == 1_700_000_000_123_456_789
    with pytest.raises(CdrError, match="ends at byte 10"):
        header_stamp_ns(message[:10])


def test_big_endian_messages_are_read():
    reader = CdrReader(
        b"\x00\x00\x00\x00" + (7).to_bytes(4, "big") + (5).to_bytes(4, "big") + (3).to_bytes(4, "big") + b"ab\0"
    )
    assert reader.time_ns() == 7_000_000_005 and reader.string() == "ab"
