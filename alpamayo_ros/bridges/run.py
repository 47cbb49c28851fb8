"""Runs one of the bridges' nodes until it is told to end."""

from __future__ import annotations

import sys
from collections.abc import Callable

import rclpy
from rclpy.exceptions import InvalidParameterValueException
from rclpy.node import Node

from alpamayo_ros.spinning import spin


def run(name: str, make: Callable[[], Node], refusals: tuple[type[Exception], ...], argv: list[str] | None) -> int:
    """0 after it was told to end; 1 where it cannot begin: a value out of range, one of `refusals`; it says so."""
    rclpy.init(args=argv)
    try:
        node = make()
    except (*refusals, InvalidParameterValueException) as error:
        print(f"{name}: {error}", file=sys.stderr)
        rclpy.try_shutdown()
        return 1
    try:
        spin(node)
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    return 0
