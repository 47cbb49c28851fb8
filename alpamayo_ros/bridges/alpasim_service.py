"""The driver service that AlpaSim calls: its sessions, and messages to values and back.

Each session has a rollout and a policy of its own, so what one rollout has seen can be in no other's plan. The server's
threads may call at once; the calls of one session take turns.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import numpy as np

from alpamayo_ros import __version__
from alpamayo_ros.bridges import alpasim_messages as wire
from alpamayo_ros.bridges.alpasim_rollout import Answer, Rollout, roles_of
from alpamayo_ros.bridges.alpasim_route import turn_text
from alpamayo_ros.contract import PLAN_OFFSETS_NS, Policy, Reason
from alpamayo_ros.geometry import Pose
from alpamayo_ros.history import Sample, check_sample
from alpamayo_ros.tick import Refused

_log = logging.getLogger(__name__)

US = 1000  # nanoseconds
LATEST_US = 2**62 // US
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
            raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, "session_uuid is empty")
        available = [camera.logical_id for camera in request.rollout_spec.vehicle.available_cameras]
        try:
            roles = roles_of(available, self._cameras)
        except ValueError as error:
            raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, str(error)) from None
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
            raise Refusal(
                grpc.StatusCode.INVALID_ARGUMENT,
                f"camera {image.logical_id!r} is none of the session's: {', '.join(sorted(session.available))}",
            )
        role = session.roles.get(image.logical_id)
        if role is None:  # the vehicle has more cameras than the model looks at
            return wire.Empty()
        stamp_ns = _stamp_ns(image.frame_end_us, f"frame_end_us of {image.logical_id}")
        with _turn(session):
            session.rollout.image(role, stamp_ns, image.image_bytes)
        return wire.Empty()

    def submit_egomotion_observation(self, request: Any) -> Any:
        session = self._session(request.session_uuid)
        poses = [
            (_stamp_ns(given.timestamp_us, "timestamp_us of a pose"), _sample(given.pose))
            for given in request.trajectory.poses
        ]
        with _turn(session):
            for stamp_ns, sample in poses:
                session.rollout.pose(stamp_ns, sample)
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
        now_ns = _stamp_ns(request.time_now_us, "time_now_us")
        with _turn(session):
            answer = session.rollout.drive(now_ns)
        if isinstance(answer, Refused):
            status = grpc.StatusCode.INTERNAL if answer.reason.reason in _OURS else grpc.StatusCode.FAILED_PRECONDITION
            if answer.traceback:
                _log.error("%s", answer.traceback)
            raise Refusal(status, str(answer.reason))
        return _response(answer)

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


def _answering(procedure: Callable[[Any], Any]) -> Callable[[Any, grpc.ServicerContext], Any]:
    """A procedure as gRPC calls it; whatever it raises becomes a status with a sentence."""

    def call(request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return procedure(request)
        except Refusal as refusal:
            status, detail = refusal.status, str(refusal)
            _log.info("%s: %s", status.name, detail)
        except Exception as error:
            status, detail = grpc.StatusCode.INTERNAL, f"{type(error).__name__}: {error}"
            _log.exception("a call failed")
        context.abort(status, detail)

    return call


def _stamp_ns(microseconds: int, what: str) -> int:
    if not 0 < microseconds <= LATEST_US:
        raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, f"{what} is {microseconds}; it goes from 1 to {LATEST_US}")
    return microseconds * US


def _sample(pose: Any) -> Sample:
    p, q = pose.vec, pose.quat
    sample = (p.x, p.y, p.z, q.x, q.y, q.z, q.w)
    refusal = check_sample(sample)
    if refusal is not None:
        raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, str(refusal))
    return sample


def _response(answer: Answer) -> Any:
    debug = wire.DebugInfo(unstructured_debug_info=json.dumps(_remarks(answer)).encode())
    if answer.samples is not None and answer.tick is not None:
        stamps = answer.tick.plan.t0_ns + np.asarray(PLAN_OFFSETS_NS, dtype=np.int64)
        for xyz, quaternion in zip(answer.samples.xyz, answer.samples.quaternion, strict=True):
            debug.sampled_trajectories.append(_trajectory(stamps, Pose(xyz, quaternion)))
    return wire.DriveResponse(trajectory=_trajectory(answer.stamps_ns, answer.poses), debug_info=debug)


def _trajectory(stamps_ns: Sequence[int] | np.ndarray, poses: Pose) -> Any:
    rows = zip(np.asarray(stamps_ns).tolist(), poses.xyz.tolist(), poses.quaternion.tolist(), strict=True)
    return wire.Trajectory(
        poses=[
            wire.PoseAtTime(
                pose=wire.Pose(vec=wire.Vec3(x=x, y=y, z=z), quat=wire.Quat(w=qw, x=qx, y=qy, z=qz)),
                timestamp_us=stamp_ns // US,
            )
            for stamp_ns, (x, y, z), (qx, qy, qz, qw) in rows
        ]
    )


def _remarks(answer: Answer) -> dict[str, Any]:
    """What the simulator's log says of an answer, as JSON: no reader of it has to trust it."""
    if answer.tick is None:
        return {"waiting": str(answer.waiting)}
    tick, plan = answer.tick, answer.tick.plan
    return {
        "t0_us": plan.t0_ns // US,
        "policy": plan.policy,
        "command": tick.observation.command,
        "reasoning": list(plan.reasoning),
        "chosen": plan.chosen,
        "notes": list(plan.notes),
        "image_offsets_s": (tick.window.offsets_ns / 1e9).tolist(),
        "timings_s": dict(plan.timings),
    }
