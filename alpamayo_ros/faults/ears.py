"""What the driver publishes, as plain values, with the time at which it came."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import Any

import numpy as np

from alpamayo_ros.faults.oracle import PlanSeen, Told
from alpamayo_ros.messages import stamp_ns

DRIVER = "alpamayo_driver"


class Ears:
    """Subscribes to plans and diagnostics, and calls the driver's services. Its executor has a thread of its own."""

    def __init__(self) -> None:
        import rclpy
        from diagnostic_msgs.msg import DiagnosticArray
        from rclpy.executors import SingleThreadedExecutor

        from alpamayo_ros.msg import DrivingPlan

        rclpy.init(args=[])
        self.node = rclpy.create_node("faults_ears")
        self.plans: list[PlanSeen] = []
        self.told: list[Told] = []
        self._plan_type = DrivingPlan
        self._listening: Any = None
        self.listen()
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 50)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def listen(self) -> None:
        """Subscribes to the plans."""
        self._listening = self.node.create_subscription(self._plan_type, f"{DRIVER}/plan", self._on_plan, 50)

    def leave(self) -> None:
        """Is a subscriber no more."""
        self.node.destroy_subscription(self._listening)

    def call(self, kind: type, name: str, request: Any, timeout: float = 20.0) -> Any:
        """A service's answer, or None."""
        client = self.node.create_client(kind, f"{DRIVER}/{name}")
        try:
            if not client.wait_for_service(timeout_sec=timeout):
                return None
            done = threading.Event()
            future = client.call_async(request)
            future.add_done_callback(lambda _: done.set())
            return future.result() if done.wait(timeout) else None
        finally:
            self.node.destroy_client(client)

    def forget(self) -> None:
        """Drops what came more than ten seconds ago."""
        limit = time.monotonic() - 10.0
        self.plans = [plan for plan in self.plans if plan.at > limit]
        self.told = [each for each in self.told if each.at > limit]

    def close(self) -> None:
        import rclpy

        self._executor.shutdown(timeout_sec=5.0)
        self._thread.join(5.0)
        self.node.destroy_node()
        rclpy.try_shutdown()

    def _spin(self) -> None:
        from rclpy.executors import ExternalShutdownException

        with suppress(ExternalShutdownException):
            self._executor.spin()

    def _on_plan(self, message: Any) -> None:
        notes = dict(note.split("=", 1) for note in message.notes if "=" in note)
        history = notes.get("history")
        places = [p.position for p in message.samples[message.chosen].poses]
        self.plans.append(
            PlanSeen(
                time.monotonic(),
                stamp_ns(message.header.stamp),
                message.header.frame_id,
                np.array([(place.x, place.y) for place in places]),
                tuple((slot.camera, stamp_ns(slot.stamp)) for slot in message.images),
                tuple(int(word, 16) for word in notes["seen"].split(",")) if "seen" in notes else (),
                np.array(list(map(int, history.split(",")))).reshape(-1, 2) / 1e3 if history else None,
            )
        )

    def _on_diagnostics(self, message: Any) -> None:
        names: set[str] = set()
        for status in message.status:
            if status.name not in (f"{DRIVER}: plans", f"{DRIVER}: inputs"):
                continue
            names.add(status.message)
            for pair in status.values:
                if pair.key == "refused_lately" and pair.value != "nothing":
                    names.update(pair.value.split("; "))
        self.told.append(Told(time.monotonic(), frozenset(names)))
