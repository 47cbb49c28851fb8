"""The bytes on the wire, written out by hand from the field numbers and types of AlpaSim's interface."""

import struct

import pytest

from alpamayo_ros.bridges import alpasim_messages as wire

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5


def key(number, kind):
    assert number < 16
    return bytes([number << 3 | kind])


def text(number, value):
    data = value if isinstance(value, bytes) else value.encode()
    assert len(data) < 128
    return key(number, LENGTH) + bytes([len(data)]) + data


def fixed64(number, value):
    return key(number, FIXED64) + struct.pack("<Q", value)


def float32(number, value):
    return key(number, FIXED32) + struct.pack("<f", value)


POINT = float32(1, 1.5) + float32(2, -2.0) + float32(3, 0.25)
TURNED = float32(1, 0.5) + float32(2, 0.5) + float32(3, -0.5) + float32(4, 0.5)  # w x y z
POSE = text(1, text(1, POINT) + text(2, TURNED)) + fixed64(2, 1_700_000_000_000_000)
TRAJECTORY = text(1, POSE)


def pose():
    placed = wire.Pose(vec=wire.Vec3(x=1.5, y=-2.0, z=0.25), quat=wire.Quat(w=0.5, x=0.5, y=-0.5, z=0.5))
    return wire.PoseAtTime(pose=placed, timestamp_us=1_700_000_000_000_000)


def trajectory():
    return wire.Trajectory(poses=[pose()])


CASES = {
    "session": (
        wire.DriveSessionRequest(
            session_uuid="s", random_seed=7,
            rollout_spec=wire.RolloutSpec(vehicle=wire.VehicleDefinition(available_cameras=[
                wire.AvailableCamera(
                    logical_id="c", intrinsics=wire.CameraSpec(logical_id="c", resolution_h=8, resolution_w=9)
                )
            ])),
        ),
        text(1, "s") + fixed64(2, 7)
        + text(5, text(1, text(3, text(1, text(5, "c") + b"\x38\x08\x40\x09") + text(3, "c")))),
    ),
    "close": (wire.DriveSessionCloseRequest(session_uuid="s"), text(1, "s")),
    "image": (
        wire.RolloutCameraImage(session_uuid="s", camera_image=wire.CameraImage(
            frame_start_us=1, frame_end_us=2, image_bytes=b"\xff\xd8", logical_id="c"
        )),
        text(1, "s") + text(3, fixed64(2, 1) + fixed64(3, 2) + text(4, b"\xff\xd8") + text(5, "c")),
    ),
    "egomotion": (
        wire.RolloutEgoTrajectory(session_uuid="s", trajectory=trajectory()), text(1, "s") + text(3, TRAJECTORY)
    ),
    "route": (
        wire.RouteRequest(session_uuid="s", route=wire.Route(
            waypoints=[wire.Vec3(x=1.5, y=-2.0, z=0.25)], timestamp_us=3
        )),
        text(1, "s") + text(3, text(1, POINT) + fixed64(2, 3)),
    ),
    "drive": (
        wire.DriveRequest(session_uuid="s", time_now_us=4, time_query_us=5, renderer_data=b"r"),
        text(1, "s") + fixed64(3, 4) + fixed64(4, 5) + text(5, "r"),
    ),
    "response": (
        wire.DriveResponse(
            trajectory=trajectory(), terminate_session=True,
            debug_info=wire.DebugInfo(unstructured_debug_info=b"{}", sampled_trajectories=[trajectory()]),
        ),
        text(2, TRAJECTORY) + text(3, text(1, "{}") + text(2, TRAJECTORY)) + key(4, VARINT) + b"\x01",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_message_has_the_bytes_of_the_interface(name):
    message, data = CASES[name]
    assert message.SerializeToString(deterministic=True) == data
    assert type(message).FromString(data) == message


def test_the_version_tells_the_interface_that_was_read():
    version = wire.VersionId(version_id="v", git_hash="g")
    version.grpc_api_version.major, version.grpc_api_version.minor = 1, 54
    assert version.SerializeToString(deterministic=True) == text(1, "v") + text(2, "g") + text(3, b"\x08\x01\x10\x36")


def test_fields_that_this_driver_has_no_use_for_are_skipped():
    states = text(5, text(2, POINT))  # dynamic states come beside the poses
    request = wire.RolloutEgoTrajectory.FromString(text(1, "s") + text(3, TRAJECTORY) + states)
    assert request.session_uuid == "s" and len(request.trajectory.poses) == 1


def test_every_procedure_of_the_interface_is_there():
    assert set(wire.METHODS) == {
        "start_session", "close_session", "submit_image_observation", "submit_egomotion_observation", "submit_route",
        "submit_recording_ground_truth", "drive", "get_version",
    }  # fmt: skip
    assert wire.SERVICE == "egodriver.EgodriverService"
