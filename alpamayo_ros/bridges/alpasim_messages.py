"""AlpaSim's driver interface on the wire: the fields of its messages with their numbers, as protobuf classes.

The classes are made from the table below when this module is imported, so that nothing is generated at build time and
no version of a compiler has to fit. Only what a driver reads or writes is named; protobuf skips the fields of others.
They live in a descriptor pool of their own, beside whatever AlpaSim's own package registers in the same process.

Units and frames on the wire: microseconds since an epoch of the scene's (fixed64), metres, float32. A pose is the rig's
in the scene's local frame (ENU), a quaternion's order is w, x, y, z. The rig frame is REP-103's with its origin at the
centre of the rear axle on the ground: the ego frame of this package.
"""

from __future__ import annotations

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

SERVICE = "egodriver.EgodriverService"
API_VERSION = (0, 54, 0)  # of the interface that the table below was written for

# Message -> its fields: [repeated] type, name, number. A package's messages come before those that use them.
_FIELDS: dict[str, dict[str, tuple[str, ...]]] = {
    "common": {
        "Empty": (),
        "Vec3": ("float x 1", "float y 2", "float z 3"),
        "Quat": ("float w 1", "float x 2", "float y 3", "float z 4"),
        "Pose": ("common.Vec3 vec 1", "common.Quat quat 2"),
        "PoseAtTime": ("common.Pose pose 1", "fixed64 timestamp_us 2"),
        "Trajectory": ("repeated common.PoseAtTime poses 1",),
        "SessionRequestStatus": (),
        "VersionId.APIVersion": ("uint32 major 1", "uint32 minor 2", "uint32 patch 3"),
        "VersionId": ("string version_id 1", "string git_hash 2", "common.VersionId.APIVersion grpc_api_version 3"),
    },
    "nre.grpc.protos.sensorsim": {
        "CameraSpec": ("string logical_id 5", "uint32 resolution_h 7", "uint32 resolution_w 8"),
        "AvailableCamerasReturn.AvailableCamera": (
            "nre.grpc.protos.sensorsim.CameraSpec intrinsics 1", "common.Pose rig_to_camera 2", "string logical_id 3",
        ),
    },
    "egodriver": {
        "DriveSessionRequest.RolloutSpec.VehicleDefinition": (
            "repeated nre.grpc.protos.sensorsim.AvailableCamerasReturn.AvailableCamera available_cameras 3",
        ),
        "DriveSessionRequest.RolloutSpec": (
            "egodriver.DriveSessionRequest.RolloutSpec.VehicleDefinition vehicle 1",
        ),
        "DriveSessionRequest.DebugInfo": ("string scene_id 1",),
        "DriveSessionRequest": (
            "string session_uuid 1", "fixed64 random_seed 2", "egodriver.DriveSessionRequest.DebugInfo debug_info 4",
            "egodriver.DriveSessionRequest.RolloutSpec rollout_spec 5",
        ),
        "DriveSessionCloseRequest": ("string session_uuid 1",),
        "RolloutCameraImage.CameraImage": (
            "fixed64 frame_start_us 2", "fixed64 frame_end_us 3", "bytes image_bytes 4", "string logical_id 5",
        ),
        "RolloutCameraImage": (
            "string session_uuid 1", "egodriver.RolloutCameraImage.CameraImage camera_image 3",
        ),
        "RolloutEgoTrajectory": ("string session_uuid 1", "common.Trajectory trajectory 3"),
        "Route": ("repeated common.Vec3 waypoints 1", "fixed64 timestamp_us 2"),
        "RouteRequest": ("string session_uuid 1", "egodriver.Route route 3"),
        "GroundTruthRequest": ("string session_uuid 1",),
        "DriveRequest": (
            "string session_uuid 1", "fixed64 time_now_us 3", "fixed64 time_query_us 4", "bytes renderer_data 5",
        ),
        "DriveResponse.DebugInfo": (
            "bytes unstructured_debug_info 1", "repeated common.Trajectory sampled_trajectories 2",
        ),
        "DriveResponse": (
            "common.Trajectory trajectory 2", "egodriver.DriveResponse.DebugInfo debug_info 3",
            "bool terminate_session 4",
        ),
    },
}  # fmt: skip

# Remote procedure -> the messages that it takes and gives.
_METHODS = {
    "start_session": ("egodriver.DriveSessionRequest", "common.SessionRequestStatus"),
    "close_session": ("egodriver.DriveSessionCloseRequest", "common.Empty"),
    "submit_image_observation": ("egodriver.RolloutCameraImage", "common.Empty"),
    "submit_egomotion_observation": ("egodriver.RolloutEgoTrajectory", "common.Empty"),
    "submit_route": ("egodriver.RouteRequest", "common.Empty"),
    "submit_recording_ground_truth": ("egodriver.GroundTruthRequest", "common.Empty"),
    "drive": ("egodriver.DriveRequest", "egodriver.DriveResponse"),
    "get_version": ("common.Empty", "common.VersionId"),
}


def _file(package: str, messages: dict[str, tuple[str, ...]], earlier: list[str]) -> FileDescriptorProto:
    """One package as protobuf describes a file of it."""
    file = FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3", dependency=earlier)
    for name, fields in messages.items():
        place, within = None, file.message_type
        for part in name.split("."):
            place = next((message for message in within if message.name == part), None) or within.add(name=part)
            within = place.nested_type
        for text in fields:
            *repeated, kind, field, number = text.split()
            one = FieldDescriptorProto.LABEL_OPTIONAL
            entry = place.field.add(name=field, number=int(number), label=one)
            if repeated:
                entry.label = FieldDescriptorProto.LABEL_REPEATED
            if "." in kind:
                entry.type, entry.type_name = FieldDescriptorProto.TYPE_MESSAGE, f".{kind}"
            else:
                entry.type = FieldDescriptorProto.Type.Value(f"TYPE_{kind.upper()}")
    return file


def _pool() -> DescriptorPool:
    pool, files = DescriptorPool(), []
    for package, messages in _FIELDS.items():
        file = _file(package, messages, files)
        pool.AddSerializedFile(file.SerializeToString())
        files.append(file.name)
    return pool


_POOL = _pool()


def _kind(name: str) -> type:
    return GetMessageClass(_POOL.FindMessageTypeByName(name))


METHODS = {method: (_kind(taken), _kind(given)) for method, (taken, given) in _METHODS.items()}

Empty, Vec3, Quat, Pose = (_kind(f"common.{name}") for name in ("Empty", "Vec3", "Quat", "Pose"))
PoseAtTime, Trajectory = _kind("common.PoseAtTime"), _kind("common.Trajectory")
SessionRequestStatus, VersionId = _kind("common.SessionRequestStatus"), _kind("common.VersionId")
CameraSpec = _kind("nre.grpc.protos.sensorsim.CameraSpec")
AvailableCamera = _kind("nre.grpc.protos.sensorsim.AvailableCamerasReturn.AvailableCamera")
DriveSessionRequest, RolloutSpec, VehicleDefinition = (
    _kind(f"egodriver.DriveSessionRequest{part}") for part in ("", ".RolloutSpec", ".RolloutSpec.VehicleDefinition")
)
DriveSessionCloseRequest = _kind("egodriver.DriveSessionCloseRequest")
RolloutCameraImage, CameraImage = (_kind(f"egodriver.RolloutCameraImage{part}") for part in ("", ".CameraImage"))
RolloutEgoTrajectory = _kind("egodriver.RolloutEgoTrajectory")
Route, RouteRequest = _kind("egodriver.Route"), _kind("egodriver.RouteRequest")
GroundTruthRequest = _kind("egodriver.GroundTruthRequest")
DriveRequest = _kind("egodriver.DriveRequest")
DriveResponse, DebugInfo = _kind("egodriver.DriveResponse"), _kind("egodriver.DriveResponse.DebugInfo")
