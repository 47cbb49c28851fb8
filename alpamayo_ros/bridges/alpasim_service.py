"""The driver service that AlpaSim calls: its procedures, its sessions and their policies.

Each session has a rollout and a policy of its own, so what one rollout has seen can be in no other's plan. The server's
threads may call at once; the calls of one session take turns.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import numpy as np

from alpamayo_ros import __version__
from alpamayo_ros.bridges import alpasim_messages as wire
from alpamayo_ros.bridges.alpasim_rollout import Invalid, Rollout, roles_of
from alpamayo_ros.bridges.alpasim_route import turn_text
from alpamayo_ros.bridges.alpasim_values import response, sample, stamp_ns
from alpamayo_ros.contract import Policy, Reason
from alpamayo_ros.tick import Refused

_log = logging.getLogger(__name__)

# Reasons that are this process's fault rather than the simulator's.
_OURS = (Reason.POLICY_FAILED, Reason.PLAN_INVALID, Reason.TICK_FAILED)


class Refusal(Exception):
    """A call that is refused: the status of gRPC and a sentence."""

    def __init__(self, status: grpc.StatusCode, detail: str):
        super().__init__(detail)
        self.status = status


class Policies:
    """As many policies as there may be rollouts at once, each loaded when it is first needed and kept for the next.

    Args:
        load: makes one; called at once for the first.
        most: of them.
    """

    def __init__(self, load: Callable[[], Policy], most: int):
        self._load, self._most = load, most
        self._free, self._taken = [load()], 0
        self._lock = threading.Lock()

    def take(self) -> Policy | None:
        """A policy for one rollout; None where all are taken."""
        with self._lock:
            if self._taken >= self._most:
                return None
            policy = self._free.pop() if self._free else self._load()
            self._taken += 1
            return policy

    def give(self, policy: Policy) -> None:
        with self._lock:
            self._taken -= 1
            self._free.append(policy)

    def close(self) -> None:
        """Frees those that no rollout holds."""
        with self._lock:
            while self._free:
                self._free.pop().close()


@dataclass(eq=False)
class _Session:
    rollout: Rollout
    policy: Policy
    roles: Mapping[str, str]  # logical id -> role, of the cameras that are looked at
    available: frozenset[str]
    used: float
    ended: bool = False
    turn: threading.Lock = field(default_factory=threading.Lock)


class Service:
    """The remote procedures; `handler()` is what a gRPC server takes.

    Args:
        policies: one for each rollout.
        name: of the policy, for the version that the simulator logs.
        cameras: role -> AlpaSim's logical camera id.
        route_text: whether turns of the route reach the policy as its command.
        idle: seconds without a call after which a session may give way to a new one.
    """

    def __init__(
        self, policies: Policies, name: str, cameras: Mapping[str, str], route_text: bool = False, idle: float = 600.0
    ):
        self._policies, self._name, self._cameras = policies, name, cameras
        self._route_text, self._idle = route_text, idle
        self._sessions: dict[str, _Session] = {}
        self._lock = threading.Lock()

    def handler(self) -> grpc.GenericRpcHandler:
        """All procedures of the interface."""
        return grpc.method_handlers_generic_handler(
            wire.SERVICE,
            {
                name: grpc.unary_unary_rpc_method_handler(
                    _answering(getattr(self, name)), taken.FromString, given.SerializeToString
                )
                for name, (taken, given) in wire.METHODS.items()
            },
        )

    def close(self) -> None:
        """Ends all sessions and frees the policies."""
        for uuid in list(self._sessions):
            self._end(uuid)
        self._policies.close()

    # --- remote procedures, by their names on the wire ----------------------------------------------------------

    def start_session(self, request: Any) -> Any:
        uuid = request.session_uuid
        if not uuid:
            raise Invalid("session_uuid is empty")
        available = [camera.logical_id for camera in request.rollout_spec.vehicle.available_cameras]
        roles = roles_of(available, self._cameras)
        with self._lock:
            if uuid in self._sessions:
                raise Refusal(grpc.StatusCode.ALREADY_EXISTS, f"session {uuid!r} is running; close it first")
        policy = self._policies.take() or self._take_over()
        session = _Session(Rollout(policy), policy, roles, frozenset(available), time.monotonic())
        with self._lock:
            if self._sessions.setdefault(uuid, session) is session:
                _log.info("session %s began", uuid)
                return wire.SessionRequestStatus()
        session.rollout.close()  # another call of the same name was quicker
        self._policies.give(policy)
        raise Refusal(grpc.StatusCode.ALREADY_EXISTS, f"session {uuid!r} is running; close it first")

    def close_session(self, request: Any) -> Any:
        self._session(request.session_uuid)
        self._end(request.session_uuid)
        return wire.Empty()

    def submit_image_observation(self, request: Any) -> Any:
        session, image = self._session(request.session_uuid), request.camera_image
        if image.logical_id not in session.available:
            known = ", ".join(sorted(session.available))
            raise Invalid(f"camera {image.logical_id!r} is none of the session's: {known}")
        role = session.roles.get(image.logical_id)
        if role is None:  # the vehicle has more cameras than the model looks at
            return wire.Empty()
        exposed_ns = stamp_ns(image.frame_end_us, f"frame_end_us of {image.logical_id}")
        with _turn(session):
            session.rollout.image(role, exposed_ns, image.image_bytes)
        return wire.Empty()

    def submit_egomotion_observation(self, request: Any) -> Any:
        session = self._session(request.session_uuid)
        poses = [
            (stamp_ns(given.timestamp_us, "timestamp_us of a pose"), sample(given.pose))
            for given in request.trajectory.poses
        ]
        with _turn(session):
            for at_ns, pose in poses:
                session.rollout.pose(at_ns, pose)
        return wire.Empty()

    def submit_route(self, request: Any) -> Any:
        session = self._session(request.session_uuid)
        if self._route_text:
            waypoints = np.array([(point.x, point.y) for point in request.route.waypoints]).reshape(-1, 2)
            with _turn(session):
                session.rollout.command = turn_text(waypoints, session.rollout.command)
        return wire.Empty()

    def submit_recording_ground_truth(self, request: Any) -> Any:
        """What the recorded vehicle did is nothing that a driver may look at."""
        self._session(request.session_uuid)
        return wire.Empty()

    def drive(self, request: Any) -> Any:
        session = self._session(request.session_uuid)
        now_ns = stamp_ns(request.time_now_us, "time_now_us")
        with _turn(session):
            answer = session.rollout.drive(now_ns)
        if isinstance(answer, Refused):
            status = grpc.StatusCode.INTERNAL if answer.reason.reason in _OURS else grpc.StatusCode.FAILED_PRECONDITION
            if answer.traceback:
                _log.error("%s", answer.traceback)
            raise Refusal(status, str(answer.reason))
        return response(answer)

    def get_version(self, request: Any) -> Any:
        major, minor, patch = wire.API_VERSION
        version = wire.VersionId(version_id=f"alpamayo_ros-{__version__}-{self._name}", git_hash="unknown")
        version.grpc_api_version.major, version.grpc_api_version.minor = major, minor
        version.grpc_api_version.patch = patch
        return version

    # --- sessions ---------------------------------------------------------------------------------------------

    def _session(self, uuid: str) -> _Session:
        with self._lock:
            session = self._sessions.get(uuid)
            if session is None:
                raise Refusal(grpc.StatusCode.NOT_FOUND, f"no session is called {uuid!r}; start_session begins one")
            session.used = time.monotonic()
            return session

    def _take_over(self) -> Policy:
        """The policy of the session that has been silent for longest, where that is long enough."""
        with self._lock:
            silent = min(self._sessions, key=lambda uuid: self._sessions[uuid].used, default=None)
            if silent is None or time.monotonic() - self._sessions[silent].used < self._idle:
                silent = None
        if silent is not None:
            _log.warning("session %s was silent for %.0f s and gives way", silent, self._idle)
            self._end(silent)
            policy = self._policies.take()
            if policy is not None:
                return policy
        raise Refusal(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            f"{len(self._sessions)} sessions are running, as many as --rollouts allows; close one, or allow more",
        )

    def _end(self, uuid: str) -> None:
        with self._lock:
            session = self._sessions.pop(uuid, None)
        if session is not None:
            with session.turn:  # a plan that is under way is waited for: its policy goes to another rollout
                session.ended = True
                session.rollout.close()
            self._policies.give(session.policy)
            _log.info("session %s ended", uuid)


@contextmanager
def _turn(session: _Session) -> Iterator[None]:
    """One call of a session at a time; one that waited while the session was closed comes too late."""
    with session.turn:
        if session.ended:
            raise Refusal(grpc.StatusCode.NOT_FOUND, "the session was closed meanwhile")
        yield


def server(service: Service, threads: int, largest: int) -> grpc.Server:
    """A gRPC server of the service, not yet started; a request of more than `largest` bytes is refused unread."""
    return grpc.server(
        ThreadPoolExecutor(threads, thread_name_prefix="alpasim"),
        handlers=(service.handler(),),
        options=[("grpc.max_receive_message_length", largest), ("grpc.so_reuseport", 0)],
    )


def _answering(procedure: Callable[[Any], Any]) -> Callable[[Any, grpc.ServicerContext], Any]:
    """A procedure as gRPC calls it; whatever it raises becomes a status with a sentence."""

    def call(request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return procedure(request)
        except (Refusal, Invalid) as refusal:
            status = refusal.status if isinstance(refusal, Refusal) else grpc.StatusCode.INVALID_ARGUMENT
            detail = str(refusal)
            _log.info("%s: %s", status.name, detail)
        except Exception as error:
            status, detail = grpc.StatusCode.INTERNAL, f"{type(error).__name__}: {error}"
            _log.exception("a call failed")
        context.abort(status, detail)

    return call
