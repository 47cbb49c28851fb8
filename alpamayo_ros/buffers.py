"""Takes a subscription's serialized messages into buffers that are used again.

rclpy hands a raw message over as a fresh `bytes`: two allocations of 6 MB for a 1080p image, whose pages the kernel has
to find and clear, and one copy more than is needed. Here `rcl_take_serialized_message` writes into a buffer that an
earlier message has left. rcl's C interface is called through ctypes; where it cannot be, `taker` gives rclpy's own way.
"""

from __future__ import annotations

import ctypes
from collections import deque
from collections.abc import Callable

import numpy as np
from rclpy.subscription import Subscription

RCL_OK, RCL_TAKE_FAILED = 0, 401
# Buffers that wait for a message; what comes back beyond them is freed, so that a burst leaves nothing behind.
SPARE = 8
# rmw_message_info_t: four numbers of 8 bytes, the gid's pointer, the gid (16 bytes; 24 before Iron), a flag.
INFO_BYTES, GID = 128, slice(40, 56)

# A message's bytes and its publisher's gid; None where no message was there.
Taken = tuple[memoryview | bytes, bytes | None] | None
Take = Callable[[Subscription], Taken]


class _Allocator(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_void_p) for name in ("allocate", "deallocate", "reallocate", "zero_allocate", "state")
    ]


class _Message(ctypes.Structure):
    """rcl_serialized_message_t."""

    _fields_ = [
        ("buffer", ctypes.c_void_p),
        ("length", ctypes.c_size_t),
        ("capacity", ctypes.c_size_t),
        ("allocator", _Allocator),
    ]


def taker() -> Take:
    """What takes the next message of a subscription: into buffers, or as rclpy does where rcl cannot be called."""
    try:
        return Buffers()
    except (OSError, AttributeError):
        return take_bytes


def take_bytes(subscription: Subscription) -> Taken:
    """The next message as rclpy's executors take it."""
    taken = subscription.handle.take_message(subscription.msg_type, True)
    if taken is None:
        return None
    data, info = taken
    gid = (info.get("publisher_gid") or {}).get("data")
    return data, None if gid is None else bytes(gid)


class Buffers:
    """Takes into its buffers. One thread takes; any thread may drop what was taken.

    Raises:
        OSError, AttributeError: rcl cannot be called.
    """

    def __init__(self) -> None:
        self._spare: deque[_Message] = deque()
        rcl, rcutils = ctypes.CDLL("librcl.so"), ctypes.CDLL("librcutils.so")
        self._take = rcl.rcl_take_serialized_message
        self._take.argtypes = [ctypes.c_void_p] * 4
        self._init = rcutils.rcutils_uint8_array_init
        self._init.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p]
        self._fini = rcutils.rcutils_uint8_array_fini
        self._fini.argtypes = [ctypes.c_void_p]
        self._reset_error = rcutils.rcutils_reset_error
        default = rcutils.rcutils_get_default_allocator
        default.restype = _Allocator
        self._allocator = default()
        self._info = ctypes.create_string_buffer(INFO_BYTES)

    def __call__(self, subscription: Subscription) -> Taken:
        """The next message, read-only. Its buffer is used again once nothing looks at it any more."""
        message = self._spare.pop() if self._spare else self._new()
        info = ctypes.addressof(self._info)
        result = self._take(subscription.handle.pointer, ctypes.addressof(message), info, None)
        if result != RCL_OK:
            self._give_back(message)
            if result != RCL_TAKE_FAILED:
                self._reset_error()
                raise RuntimeError(f"rcl_take_serialized_message on {subscription.topic_name}: error {result}")
            return None
        return memoryview(np.asarray(_Lent(message, self._give_back))), self._info.raw[GID]

    def _new(self) -> _Message:
        message = _Message()
        if self._init(ctypes.addressof(message), 0, ctypes.addressof(self._allocator)) != RCL_OK:
            self._reset_error()
            raise MemoryError("no memory for a serialized message")
        return message

    def _give_back(self, message: _Message) -> None:
        if len(self._spare) < SPARE:
            self._spare.append(message)
        else:
            self._fini(ctypes.addressof(message))

    def __del__(self) -> None:
        while self._spare:
            message = self._spare.pop()
            self._fini(ctypes.addressof(message))


class _Lent:
    """A filled buffer as NumPy sees it; it goes back when the last array on it is gone."""

    def __init__(self, message: _Message, give_back: Callable[[_Message], None]):
        self._message, self._give_back = message, give_back
        self.__array_interface__ = {
            "version": 3, "typestr": "|u1", "shape": (message.length,), "data": (message.buffer or 0, True),
        }  # fmt: skip

    def __del__(self) -> None:
        self._give_back(self._message)
