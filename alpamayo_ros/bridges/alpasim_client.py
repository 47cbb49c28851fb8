"""The simulator's part of AlpaSim's driver interface, played with a drive of the small world.

The world's clock stands still while the driver plans, as AlpaSim's does. Its own rule driver drives until there is a
history; then each answer is followed at its own stamps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from alpamayo_ros.bridges import alpasim_messages as wire
from alpamayo_ros.bridges.alpasim_rollout import CAMERAS
from alpamayo_ros.contract import CAMERA_ROLES, PLAN_PERIOD_NS, SECOND_NS
from alpamayo_ros.geometry import Pose, interpolate_poses, yaw_of_quaternion
from alpamayo_ros.world.closed_loop import FOLLOW_NS, WARM_UP_S
from alpamayo_ros.world.episode import START_NS, Cameras, Episode, Size
from alpamayo_ros.world.follower import Path, path_in_world, track
from alpamayo_ros.world.judge import Judge, Verdict
from alpamayo_ros.world.oracle import rule_plan
from alpamayo_ros.world.scenario import Scenario
from alpamayo_ros.world.vehicle import Control

STEP_NS = 100_000_000  # between two plans
ROUTE_AHEAD = np.arange(0.0, 80.0, 4.0)  # metres at which waypoints are sent
REAR_CAMERA = "camera_rear_tele_30fov"  # one that the model does not look at, as AlpaSim's vehicles have

Call = Callable[[str, Any], Any]


def play(call: Call, scenario: Scenario, name: str, seconds: float, size: Size, images: bool = True) -> Verdict:
    """Drives a scenario with whatever answers `call(procedure, request)`.

    Args:
        name: the session's.
        seconds: of driving after the warm-up.
        images: False draws none and sends one grey image again and again, for a policy that looks at none.
    """
    episode = Episode(scenario)
    cameras = Cameras(episode.scene, size) if images else None
    grey = _jpeg(np.full((size.height, size.width, 3), 128, np.uint8))
    seen = [*(CAMERAS[role] for role in CAMERA_ROLES), REAR_CAMERA]
    vehicle = wire.VehicleDefinition(available_cameras=[wire.AvailableCamera(logical_id=camera) for camera in seen])
    call("start_session", wire.DriveSessionRequest(session_uuid=name, rollout_spec=wire.RolloutSpec(vehicle=vehicle)))
    judge, path, poses, control = Judge(episode.scene), None, [], Control(0.0, 0.0)
    end_ns = START_NS + round((WARM_UP_S + seconds) * SECOND_NS)
    while episode.now_ns <= end_ns:
        now_ns, snapshot = episode.now_ns, episode.snapshot
        poses.append(_pose(now_ns, episode.odometry))
        for stamp_ns, role in episode.exposures():
            data = grey if cameras is None else _jpeg(cameras.render(role, episode.at(stamp_ns)))
            call("submit_image_observation", _image(name, CAMERAS[role], stamp_ns, data))
        driving = now_ns >= START_NS + WARM_UP_S * SECOND_NS
        if (now_ns - START_NS) % STEP_NS == 0:
            trajectory = wire.Trajectory(poses=poses)
            call("submit_egomotion_observation", wire.RolloutEgoTrajectory(session_uuid=name, trajectory=trajectory))
            call("submit_route", wire.RouteRequest(session_uuid=name, route=_route(episode)))
            poses = []
            if driving:
                judge.look(snapshot)
                now_us, then_us = now_ns // 1000, (now_ns + STEP_NS) // 1000
                request = wire.DriveRequest(session_uuid=name, time_now_us=now_us, time_query_us=then_us)
                path = followed(call("drive", request))
        if (now_ns - START_NS) % FOLLOW_NS == 0:
            ego = snapshot.ego
            rule = None if driving else path_in_world(rule_plan(episode.scene, snapshot), ego.x, ego.y, ego.yaw)
            control = track(rule or path, ego, now_ns)
        episode.step(control)
    call("close_session", wire.DriveSessionCloseRequest(session_uuid=name))
    return judge.verdict()


def followed(response: Any) -> Path:
    """An answer as the world's follower takes it: poses every 0.1 s from its first on.

    Raises:
        RuntimeError: it is empty.
    """
    given = response.trajectory.poses
    if not given:
        raise RuntimeError(f"no trajectory: {response.debug_info.unstructured_debug_info.decode()}")
    stamps = np.array([pose.timestamp_us * 1000 for pose in given], dtype=np.int64)
    xyz = np.array([(p.pose.vec.x, p.pose.vec.y, p.pose.vec.z) for p in given])
    quaternion = np.array([(p.pose.quat.x, p.pose.quat.y, p.pose.quat.z, p.pose.quat.w) for p in given])
    quaternion /= np.linalg.norm(quaternion, axis=1, keepdims=True)  # float32 on the wire
    at = np.arange(stamps[0], stamps[-1] + 1, PLAN_PERIOD_NS)
    poses = interpolate_poses(stamps, Pose(xyz, quaternion), at)
    return Path(at, poses.xyz[:, :2], np.unwrap(yaw_of_quaternion(poses.quaternion)))


def _pose(stamp_ns: int, odometry: tuple[float, ...]) -> Any:
    x, y, z, qx, qy, qz, qw = odometry
    pose = wire.Pose(vec=wire.Vec3(x=x, y=y, z=z), quat=wire.Quat(w=qw, x=qx, y=qy, z=qz))
    return wire.PoseAtTime(pose=pose, timestamp_us=stamp_ns // 1000)


def _image(name: str, camera: str, stamp_ns: int, data: bytes) -> Any:
    # The world's cameras have no shutter: what they see is of the exposure's end.
    image = wire.CameraImage(
        frame_start_us=stamp_ns // 1000 - 30_000, frame_end_us=stamp_ns // 1000, image_bytes=data, logical_id=camera
    )
    return wire.RolloutCameraImage(session_uuid=name, camera_image=image)


def _route(episode: Episode) -> Any:
    """The world's route ahead, in the rig frame."""
    ego, route = episode.snapshot.ego, episode.scene.roads.route
    s, _, _ = route.frenet_pose(ego.x, ego.y, ego.yaw)
    points, _ = route.points(s + ROUTE_AHEAD, np.zeros_like(ROUTE_AHEAD))
    cos, sin = np.cos(ego.yaw), np.sin(ego.yaw)
    offset = points - [ego.x, ego.y]
    ahead, left = offset @ [cos, sin], offset @ [-sin, cos]
    waypoints = [wire.Vec3(x=x, y=y) for x, y in zip(ahead.tolist(), left.tolist(), strict=True)]
    return wire.Route(waypoints=waypoints, timestamp_us=episode.now_ns // 1000)


def _jpeg(image: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()


def caller(channel: Any) -> Call:
    """Calls the driver's procedures over a gRPC channel."""
    stubs = {
        method: channel.unary_unary(f"/{wire.SERVICE}/{method}", taken.SerializeToString, given.FromString)
        for method, (taken, given) in wire.METHODS.items()
    }
    return lambda procedure, request: stubs[procedure](request, wait_for_ready=True)
