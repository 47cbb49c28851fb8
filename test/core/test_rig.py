import pytest

from alpamayo_ros.contract import CAMERA_ROLES
from alpamayo_ros.paths import config
from alpamayo_ros.rig import COMPRESSED, IMAGE, ODOMETRY, Rig, RigError, load_rig, propose_rig

NAMED = {f"/sensing/camera/{role}/image_raw/compressed": COMPRESSED for role in CAMERA_ROLES}
STATE = {"/localization/kinematic_state": ODOMETRY}


def test_topics_named_after_the_roles_are_found():
    rig = propose_rig({**NAMED, **STATE, "/sensing/camera/front_wide/camera_info": "sensor_msgs/msg/CameraInfo"})
    assert rig.topics["cross_left"] == "/sensing/camera/cross_left/image_raw/compressed"
    assert rig.topics["odometry"] == "/localization/kinematic_state" and rig.image_transport == "compressed"
    assert rig.remappings[1] == ("camera/front_wide/image/compressed", rig.topics["front_wide"])


def test_raw_topics_are_taken_where_there_are_no_compressed_ones():
    raw = {f"/carla/hero/{role}/image": IMAGE for role in CAMERA_ROLES}
    rig = propose_rig({**raw, "/carla/hero/odometry": ODOMETRY})
    assert rig.image_transport == "raw" and rig.remappings[0] == (
        "camera/cross_left/image",
        "/carla/hero/cross_left/image",
    )


def test_of_several_odometries_the_usual_one_is_taken():
    rig = propose_rig({**NAMED, "/wheel_odometry_raw": ODOMETRY, **STATE})
    assert rig.topics["odometry"] == "/localization/kinematic_state"


@pytest.mark.parametrize(
    "types, words",
    [
        (STATE, "no topic could be cross_left.*Image topics: none"),
        ({**NAMED}, "no topic could be the odometry"),
        ({**NAMED, **STATE, "/copy/front_tele/image/compressed": COMPRESSED}, "2 topics .* could be front_tele"),
        ({**NAMED, "/a": ODOMETRY, "/b": ODOMETRY}, "2 topics .* could be the odometry"),
    ],
)
def test_what_cannot_be_matched_is_said_with_what_there_is(types, words):
    with pytest.raises(RigError, match=words):
        propose_rig(types)


def test_the_shipped_example_is_a_rig():
    rig = load_rig(config("rig_example.yaml"))
    assert rig.image_transport == "compressed" and "cameras.cross_left.time_offset" in rig.parameters


@pytest.mark.parametrize(
    "text, words",
    [
        ("topics: {front_wide: /a}", "no topic for"),
        ("- 1", "has no 'topics:'"),
        ("topics: {", "is no YAML"),
        (
            "topics: {cross_left: a, front_wide: b, cross_right: c, front_tele: d, odometry: e, rear: f}",
            "unknown.*rear",
        ),
    ],
)
def test_a_broken_rig_file_is_said(tmp_path, text, words):
    path = tmp_path / "rig.yaml"
    path.write_text(text)
    with pytest.raises(RigError, match=words):
        load_rig(path)


def test_a_rig_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(RigError, match="does not exist"):
        load_rig(tmp_path / "rig.yaml")


def test_cameras_of_two_transports_are_refused():
    topics = dict.fromkeys(CAMERA_ROLES, "/a/compressed") | {"front_tele": "/a", "odometry": "/o"}
    with pytest.raises(RigError, match="or none"):
        _ = Rig(topics).image_transport
