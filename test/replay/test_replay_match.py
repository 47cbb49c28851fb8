"""Which camera plays which role, by name or by where it looks; what is far from the model's own cameras."""

import numpy as np
import pytest
from core.bags import write_bag

from alpamayo_ros.geometry import Pose, matrix_from_yaw, matrix_to_quaternion
from alpamayo_ros.projection import CameraModel
from alpamayo_ros.replay import plain
from alpamayo_ros.replay.bag import Bag
from alpamayo_ros.replay.setup import Setup, match
from alpamayo_ros.rig import COMPRESSED, IMAGE, ODOMETRY, STRING, RigError, load_rig, propose_rig
from alpamayo_ros.rig_check import View, view, warnings
from alpamayo_ros.world.rig import OPTICAL_IN_BODY, RIG

ODOM = {"/odom": ODOMETRY}


def camera(yaw, fov, model="plumb_bob", width=640, height=360):
    f = width / 2 / (np.tan(np.radians(fov) / 2) if model == "plumb_bob" else np.radians(fov) / 2)
    k = np.array([[f, 0, (width - 1) / 2], [0, f, (height - 1) / 2], [0, 0, 1.0]])
    rotation = matrix_from_yaw(np.radians(yaw)) @ OPTICAL_IN_BODY
    pose = Pose(np.array([1.0, 0.0, 1.5]), matrix_to_quaternion(rotation))
    return CameraModel(k, np.zeros(5 if model == "plumb_bob" else 4), model, (height, width), pose)


@pytest.mark.parametrize("model", ["plumb_bob", "equidistant"])
@pytest.mark.parametrize("fov", [30, 70, 120])
@pytest.mark.parametrize("yaw", [0, 60, -60, 175])
def test_a_cameras_view_is_measured(model, fov, yaw):
    seen = view(camera(yaw, fov, model))
    assert abs(seen.turned(View(yaw, fov))) < 0.01 and abs(seen.fov - fov) < 0.5


def test_cameras_with_numbers_for_names_are_matched_by_where_they_look():
    looks = [(180, 120), (3, 110), (52, 115), (-1, 28), (-57, 115), (140, 70)]
    views = {f"/c{number}": View(*look) for number, look in enumerate(looks)}
    rig = propose_rig(dict.fromkeys(views, COMPRESSED) | ODOM, views)
    assert [rig.topics[role] for role in RIG] == ["/c2", "/c1", "/c4", "/c3"]


def test_a_role_in_a_name_counts_more_than_a_view():
    types = {f"/{role}/image": IMAGE for role in RIG}
    views = {"/other/image": View(0, 120), "/front_wide/image": View(9, 60)}
    rig = propose_rig(types | {"/other/image": IMAGE} | ODOM, views)
    assert rig.topics["front_wide"] == "/front_wide/image"


def test_usual_names_serve_where_nothing_is_known_of_the_views():
    names = dict(zip(RIG, ("cam_front_left", "cam_front", "cam_front_right", "cam_narrow"), strict=True))
    types = {f"/{name}/image/compressed": COMPRESSED for name in (*names.values(), "cam_back", "cam_rear_left")}
    rig = propose_rig(types | ODOM)
    assert rig.topics == {role: f"/{name}/image/compressed" for role, name in names.items()} | {"odometry": "/odom"}


def test_nothing_is_matched_to_a_camera_that_looks_elsewhere():
    views = {"/a": View(0, 120), "/b": View(175, 120), "/c": View(120, 120)}
    with pytest.raises(RigError, match="no topic could be cross_left, cross_right, front_tele"):
        propose_rig(dict.fromkeys(views, COMPRESSED) | ODOM, views)
    rig = propose_rig(dict.fromkeys(views, COMPRESSED) | ODOM, views, ("cross_left", "cross_right", "front_tele"))
    assert dict(rig.topics) == {"front_wide": "/a", "odometry": "/odom"}


def test_a_command_topic_is_taken_along():
    types = {f"/{role}/image": IMAGE for role in RIG} | ODOM
    assert propose_rig(types | {"/nav/command": STRING}).topics["command"] == "/nav/command"
    assert "command" not in propose_rig(types | {"/a/command": STRING, "/b/command": STRING}).topics


def test_far_from_what_the_model_knows_is_said_with_both_numbers():
    said = warnings({"front_wide": View(-20, 52), "front_tele": View(2, 30)})
    assert said == [
        "front_wide looks at -20 degrees; the model was trained with +0",
        "front_wide sees 52 degrees; the model was trained with 120",
    ]


def test_a_rig_file_may_leave_a_dropped_role_out_and_name_a_command(tmp_path):
    rig = tmp_path / "rig.yaml"
    rig.write_text("topics: {front_wide: /w, cross_left: /l, cross_right: /r, odometry: /o, command: /c}")
    with pytest.raises(RigError, match="front_tele"):
        load_rig(rig)
    assert load_rig(rig, ("front_tele",)).topics == {
        "cross_left": "/l", "front_wide": "/w", "cross_right": "/r", "odometry": "/o", "command": "/c"
    }  # fmt: skip


def test_a_bags_own_camera_info_and_tf_decide(tmp_path):
    """Four cameras in an order of their own, one of them turned too far, as a bag says it."""
    m, at = plain.classes(), 1_800_000_000_000_000_000
    placed = {"cam3": (60, 120), "cam0": (0, 118), "cam2": (-35, 120), "cam1": (0, 31)}
    transforms, infos = [], []
    for name, (yaw, fov) in placed.items():
        model = camera(yaw, fov)
        q = m.Quaternion(**dict(zip("xyzw", model.pose.quaternion.tolist(), strict=True)))
        header = m.Header(stamp=plain.composer().time(at), frame_id="base_link")
        transforms.append(m.TransformStamped(header=header, child_frame_id=name, transform=m.Transform(rotation=q)))
        info = m.CameraInfo(header=m.Header(stamp=plain.composer().time(at), frame_id=name), height=360, width=640,
                            distortion_model="plumb_bob", d=np.zeros(5), k=model.k.ravel())  # fmt: skip
        infos.append((at, f"/{name}/camera_info", plain.FULL_NAME["CameraInfo"], plain.serialize(info)))
        infos.append((at, f"/{name}/image_raw/compressed", COMPRESSED, plain.serialize(m.CompressedImage())))
    infos.append((at, "/tf_static", plain.FULL_NAME["TFMessage"], plain.serialize(m.TFMessage(transforms=transforms))))
    infos.append((at, "/odom", ODOMETRY, plain.serialize(m.Odometry())))
    # CameraInfo beside the image topic: /cam3/image_raw/compressed -> /cam3/camera_info
    path = write_bag(tmp_path / "bag", infos)
    with Bag(path) as opened:
        matched = match(opened, Setup(path, tmp_path), "base_link")
    assert {role: matched.rig.topics[role][1:5] for role in RIG} == {
        "cross_left": "cam3", "front_wide": "cam0", "cross_right": "cam2", "front_tele": "cam1"
    }  # fmt: skip
    assert set(matched.cameras) == set(RIG)
    assert matched.remarks == ("cross_right looks at -35 degrees; the model was trained with -60",)
