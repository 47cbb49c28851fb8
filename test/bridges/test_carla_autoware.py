"""CARLA under Autoware's own bridge (shared/spec/interfaces.md c3): the override of its sensors and the driver's rig
agree, and its cameras' 11 Hz and encodings are what the driver takes.
"""

import pytest
import yaml
from core.drives import drive, feed

from alpamayo_ros.contract import CAMERA_ROLES
from alpamayo_ros.imaging import decode_image
from alpamayo_ros.observer import Observer, ObserverConfig
from alpamayo_ros.paths import config
from alpamayo_ros.rig import load_rig
from alpamayo_ros.window import Window
from alpamayo_ros.world import wire
from alpamayo_ros.world.rig import RIG

CAMERAS = {
    "cross_left": "CAM_FRONT_LEFT",
    "front_wide": "CAM_FRONT",
    "cross_right": "CAM_FRONT_RIGHT",
    "front_tele": "CAM_FRONT_TELE",
}


@pytest.fixture(scope="module")
def mapping():
    return yaml.safe_load(config("carla_autoware_sensor_mapping.yaml").read_text())


@pytest.fixture(scope="module")
def rig():
    return load_rig(config("carla_autoware_rig.yaml"))


@pytest.mark.parametrize("role", CAMERA_ROLES)
def test_each_role_has_a_camera_of_its_view(mapping, rig, role):
    name = CAMERAS[role]
    sensor = mapping["sensor_mappings"][f"{name}/camera_link"]
    assert (sensor["carla_type"], sensor["id"]) == ("sensor.camera.rgb", name)
    assert sensor["parameters"]["fov"] == RIG[role].fov
    ros = sensor["ros_config"]
    assert ros["topic_image"] == rig.topics[role] == f"/sensing/camera/{name}/image_raw"
    assert ros["topic_info"] == f"/sensing/camera/{name}/camera_info"
    assert ros["frame_id"] == f"{name}/camera_optical_link"
    assert (ros["frequency_hz"], ros["qos_profile"]) == (11, "reliable")


def test_all_sensors_are_enabled_and_autowares_own_are_among_them(mapping):
    assert set(mapping["enabled_sensors"]) == set(mapping["sensor_mappings"])
    assert {"velodyne_top_base_link", "tamagawa/imu_link", "gnss_link"} <= set(mapping["sensor_mappings"])


def test_pictures_are_raw_and_odometry_is_the_localizations(rig):
    assert rig.image_transport == "raw" and rig.topics["odometry"] == "/localization/kinematic_state"


def test_eleven_hertz_are_enough():
    outcomes = feed(Observer(ObserverConfig()), drive(seconds=4.0, rates=(11.0,) * 4))
    assert sum(isinstance(outcome, Window) for outcome in outcomes) >= 20


@pytest.mark.parametrize(
    ("encoding", "pixel", "rgb"), [("bgra8", [3, 2, 1, 255], [1, 2, 3]), ("mono8", [7], [7, 7, 7])]
)
def test_its_encodings(encoding, pixel, rgb):
    import numpy as np

    pixels = np.tile(np.array(pixel, np.uint8), (4, 6, 1))
    assert (decode_image(wire.image("CAM_FRONT/camera_optical_link", 1, encoding, pixels)) == rgb).all()
