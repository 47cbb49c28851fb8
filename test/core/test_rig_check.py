import pytest

from alpamayo_ros.contract import CAMERA_ROLES, Reason
from alpamayo_ros.rig_check import TRAINED, RigCheck, View, info_topic, swapped, warnings
from alpamayo_ros.world import wire
from alpamayo_ros.world.rig import RIG


def checked(infos, transforms=None):
    """A check that has heard CameraInfo of `infos[role]`'s camera for each role."""
    check = RigCheck("base_link")
    for role, camera in infos.items():
        check.take_info(role, wire.camera_info(camera, 1, 1080, 1920))
    check.take_places(wire.static_transforms(1) if transforms is None else transforms)
    return check


def test_the_model_s_own_rig_is_as_it_should_be():
    check = checked({role: role for role in CAMERA_ROLES})
    assert check.complete and not check.swaps() and not check.remarks()
    for role, seen in check.views.items():
        assert seen.yaw == pytest.approx(RIG[role].yaw, abs=0.1) and seen.fov == pytest.approx(RIG[role].fov, abs=1.0)


@pytest.mark.parametrize(
    "pair", [("cross_left", "cross_right"), ("front_wide", "front_tele"), ("cross_left", "front_tele")]
)
def test_two_cameras_that_have_changed_places_are_found(pair):
    one, other = pair
    check = checked({**{role: role for role in CAMERA_ROLES}, one: other, other: one})
    assert [(each.reason, each.stream) for each in check.swaps()] == [(Reason.RIG_SWAPPED, r) for r in sorted(
        pair, key=CAMERA_ROLES.index)]  # fmt: skip
    assert check.remarks()[0] == f"{check.swaps()[0].stream} and {check.swaps()[1].stream} look where each other " \
        "should: they are swapped"  # fmt: skip


def test_a_camera_mounted_otherwise_is_a_warning_and_no_swap():
    views = {**TRAINED, "cross_left": View(85.0, 100.0), "cross_right": View(-45.0, 80.0)}
    assert not swapped(views) and len(warnings(views)) == 2


def test_all_cameras_ahead_are_no_swap():
    views = dict.fromkeys(CAMERA_ROLES, View(0.0, 60.0))
    assert not swapped(views)


def test_what_is_not_known_is_said():
    check = checked({"front_wide": "front_wide"})
    assert not check.complete and "cross_left, cross_right, front_tele" in check.remarks()[-1]
    nowhere = checked({role: role for role in CAMERA_ROLES}, b"no transforms")
    assert not nowhere.views and not nowhere.swaps()


@pytest.mark.parametrize("damage", [b"", b"\0\1\0\0", bytes(400)])
def test_damaged_messages_are_none(damage):
    check = checked({role: role for role in CAMERA_ROLES})
    check.take_info("front_wide", damage)
    check.take_places(damage)
    assert not check.swaps()


@pytest.mark.parametrize(
    ("image", "info"),
    [
        ("/camera/front_wide/image/compressed", "/camera/front_wide/camera_info"),
        ("/sensing/camera0/image_raw", "/sensing/camera0/camera_info"),
    ],
)
def test_camera_info_lies_beside_its_image(image, info):
    assert info_topic(image) == info
