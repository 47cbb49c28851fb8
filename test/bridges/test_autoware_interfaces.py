"""The message packages that are built for the tests are the stacks' own on the wire."""

import json
from importlib import import_module
from pathlib import Path

import pytest

# REP-2011 type hashes, computed by rosbags from the definitions of autoware_msgs 7025d8f, autoware_internal_msgs
# 1856e5b and ros-carla-msgs 081fdcd.
HASHES = {
    "autoware_planning_msgs/msg/LaneletPrimitive": "1823a1e661272381454d62c1100d871f0271fee35a69ab6b7856c33762168825",
    "autoware_planning_msgs/msg/LaneletRoute": "ad6699d22cb153b658bad201b9e36a7870230388902c1b0d052d3198062f64ed",
    "autoware_planning_msgs/msg/LaneletSegment": "723019ec2e5059db25a3a8fbcbca8788095a179457f4f3c031d0b043ba4a9e2b",
    "autoware_planning_msgs/msg/Trajectory": "8259168af0abd0d3fa8297048f83aae4dad0955bd2d4e0904bcdc4f6f99a61b2",
    "autoware_planning_msgs/msg/TrajectoryPoint": "7c702c786bee4e719bb38aa03d89ec917c55f7e89369351db51125052f6328c6",
    "autoware_internal_planning_msgs/msg/CandidateTrajectories": (
        "64c383ed8984651da0da8cc403af88918835869c4e4f028676e3023c6122b29c"
    ),
    "autoware_internal_planning_msgs/msg/CandidateTrajectory": (
        "65c7f26774c9459f94b7b95452c712f460ed20f4a008f972e71cb768b06576ee"
    ),
    "autoware_internal_planning_msgs/msg/GeneratorInfo": (
        "b930bac9138649852a4f9b06a66dd6d83a3639d44d4efdf6c1a5b6ff178cfbc4"
    ),
    "autoware_internal_debug_msgs/msg/StringStamped": (
        "e31ef527080bc4557f253671c1509b5d23f328414ea3e90b538ca151329f2faf"
    ),
    "carla_msgs/msg/CarlaEgoVehicleControl": "4f251fa2a554e8ed996f77eb1d5b65515af1369eceb04d5122cb5761f7801be3",
    "carla_msgs/msg/CarlaEgoVehicleInfo": "b8dc3866014924ce7fe57e0cff05a5448ec18f27156656b3b1b69f4da558e956",
    "carla_msgs/msg/CarlaEgoVehicleInfoWheel": "63caae9f2637752b93a616b10e00d21be15ca32cac533efd3596349a5cf4d4fe",
    "carla_msgs/msg/CarlaEgoVehicleStatus": "3565cc74470f5c37eb316a36426effd811ac1baf835df3fc2bb7a88574bb3e07",
    "carla_msgs/msg/CarlaStatus": "a3f7fb6fc4b673840e0c092c3c9e52a8120885ba603e0125a23f58ac279c0c13",
}


@pytest.mark.parametrize("name", HASHES)
def test_a_stacks_message_has_its_own_type_hash(name):
    package, _, kind = name.split("/")
    module = import_module(f"{package}.msg")
    assert hasattr(module, kind)
    files = [parent / "share" / package / "msg" / f"{kind}.json" for parent in Path(module.__file__).parents]
    described = json.loads(next(file for file in files if file.is_file()).read_text())
    hashes = {each["type_name"]: each["hash_string"] for each in described["type_hashes"]}
    assert hashes[name] == f"RIHS01_{HASHES[name]}"
