"""The Fast DDS profile that carries four cameras without loss, and its fallback where shared memory is small.

The default segment (512 KiB) is smaller than one raw image: a burst of four cameras overwrites itself in it.
"""

from __future__ import annotations

import os
from pathlib import Path

from alpamayo_ros.paths import config

VARIABLE = "FASTDDS_DEFAULT_PROFILES_FILE"
PROFILE, FALLBACK = "fastdds.xml", "fastdds_small_shm.xml"
# What a machine with the profile's segments needs: the cameras' process and the driver's, 128 MiB each.
NEEDED_BYTES = 2 * 128 * 1024 * 1024


def profile(shared_memory: Path = Path("/dev/shm")) -> Path:
    """The profile for this machine, by the room in its shared memory."""
    try:
        room = os.statvfs(shared_memory)
        enough = room.f_bavail * room.f_frsize >= NEEDED_BYTES
    except OSError:
        enough = False
    return config(PROFILE if enough else FALLBACK)


def use_profile() -> str | None:
    """Sets the profile for this process and its children, unless the user has chosen one. To be called before rclpy.

    Returns:
        A sentence for the log where the fallback was taken.
    """
    if VARIABLE in os.environ:
        return None
    chosen = profile()
    os.environ[VARIABLE] = str(chosen)
    if chosen.name == FALLBACK:
        return (
            f"/dev/shm has less than {NEEDED_BYTES >> 20} MiB: {FALLBACK} is used, images go over loopback UDP and TCP"
        )
    return None
