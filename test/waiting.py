"""Waiting for what other threads and processes bring about."""

import time


def wait_for(condition, timeout: float = 10.0):
    """The condition's first true value; an AssertionError after the timeout."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.0005)
    raise AssertionError(f"not within {timeout} s: {condition}")
