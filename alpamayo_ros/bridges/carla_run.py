"""Runs one of CARLA's nodes until it is told to end."""

from __future__ import annotations

import sys
from collections.abc import Callable

import rclpy
from rclpy._rclpy_pybind11 import RCLError
from rclpy.exceptions import InvalidParameterValueException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

# rclpy may miss the wake-up of a signal that comes just before it waits; where /clock stands still no timer wakes it.
LONGEST_WAIT = 0.2


def run(name: str, make: Callable[[], Node], refusals: tuple[type[Exception], ...], argv: list[str] | None) -> int:
    """0 after it was told to end; 1 where it cannot begin: a value out of range, one of `refusals`; it says so."""
    rclpy.init(args=argv)
    try:
        node = make()
    except (*refusals, InvalidParameterValueException) as error:
        print(f"{name}: {error}", file=sys.stderr)
        rclpy.try_shutdown()
        return 1
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        while rclpy.ok():
            executor.spin_once(timeout_sec=LONGEST_WAIT)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except RCLError:  # the signal came between the look and the wait
        if rclpy.ok():
            raise
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    return 0
