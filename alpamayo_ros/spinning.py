"""Serves a node until it is told to end."""

from __future__ import annotations

from rclpy._rclpy_pybind11 import RCLError
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

# rclpy may miss the wake-up of a signal that comes just before it waits; where /clock stands still no timer wakes it.
LONGEST_WAIT = 0.2


def spin(node: Node) -> None:
    """Returns once the node's context is shut down, or at an interrupt."""
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)
    try:
        while node.context.ok():
            executor.spin_once(timeout_sec=LONGEST_WAIT)
    except (KeyboardInterrupt, ExternalShutdownException):  # how it is told
        return
    except RCLError:  # the signal came between the look and the wait
        if node.context.ok():
            raise
