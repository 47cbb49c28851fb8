"""CARLA's interface as a table (shared/spec/interfaces.md c4, c5), held against both sides: the world in CARLA's dress,
and the driver with its bridge. Types and QoS are what DDS tells of the endpoints, values are what rclpy reads.
"""

import json
import time
from types import SimpleNamespace

import numpy as np
import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from waiting import wait_for

from alpamayo_ros.bridges import carla_topics
from alpamayo_ros.bridges.carla import CarlaFollower
from alpamayo_ros.bridges.carla_follow import Pedals
from alpamayo_ros.bridges.carla_vehicle import vehicle_of_wheels
from alpamayo_ros.contract import CAMERA_ROLES, SECOND_NS
from alpamayo_ros.geometry import Pose, yaw_of_quaternion
from alpamayo_ros.imaging import decode_image
from alpamayo_ros.live import carla as dress
from alpamayo_ros.live import topics
from alpamayo_ros.live.node import Stage
from alpamayo_ros.live.topics import DRESSES
from alpamayo_ros.messages import stamp_ns
from alpamayo_ros.node import AlpamayoDriver
from alpamayo_ros.paths import config
from alpamayo_ros.world.episode import START_NS
from alpamayo_ros.world.rig import RIG
from alpamayo_ros.world.state import EgoState
from alpamayo_ros.world.vehicle import drive

ROLE = "hero"
IMAGES, INFOS = ([f"/carla/{ROLE}/{role}/{name}" for role in CAMERA_ROLES] for name in ("image", "camera_info"))
RELIABLE, BEST_EFFORT = ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT
VOLATILE, LATCHED = DurabilityPolicy.VOLATILE, DurabilityPolicy.TRANSIENT_LOCAL

# topic -> type, durability and depth of the simulator's publisher (all reliable), and who listens with what reliability
PUBLISHED = {
    "/clock": ("rosgraph_msgs/msg/Clock", VOLATILE, 10, {}),
    f"/carla/{ROLE}/odometry": (
        "nav_msgs/msg/Odometry", VOLATILE, 10, {"alpamayo_driver": BEST_EFFORT, "carla_follower": BEST_EFFORT},
    ),
    f"/carla/{ROLE}/vehicle_info": ("carla_msgs/msg/CarlaEgoVehicleInfo", LATCHED, 10, {"carla_follower": RELIABLE}),
    **{topic: ("sensor_msgs/msg/Image", VOLATILE, 10, {"alpamayo_driver": RELIABLE}) for topic in IMAGES},
    **{topic: ("sensor_msgs/msg/CameraInfo", VOLATILE, 10, {}) for topic in INFOS},
}  # fmt: skip
COMMAND = f"/carla/{ROLE}/vehicle_control_cmd"


@pytest.fixture(scope="module")
def graph():
    """The world, the follower and the driver of config/carla.yaml, all in this process."""
    rclpy.init()
    file = ["--params-file", str(config("carla.yaml"))]
    world = rclpy.create_node("alpamayo_world")
    stage = Stage(world, dress.Carla(ROLE))
    follower = CarlaFollower(cli_args=["--ros-args", *file])
    arguments = ["--ros-args", *file, *carla_topics.driver_arguments(ROLE), "-p", "policy:=baseline"]
    driver = AlpamayoDriver(cli_args=arguments)
    assert driver.trigger_configure().name == driver.trigger_activate().name == "SUCCESS"
    yield SimpleNamespace(world=world, stage=stage, follower=follower, driver=driver)
    assert driver.close()
    for node in (driver, follower, world):
        node.destroy_node()
    rclpy.try_shutdown()


@pytest.mark.parametrize("topic", PUBLISHED)
def test_types_and_qos_of_what_the_simulator_publishes(graph, topic):
    kind, durability, depth, listeners = PUBLISHED[topic]
    (said,) = [said for said in dress.Carla(ROLE).says if said.topic == topic]
    assert said.depth == depth
    assert wait_for(lambda: graph.world.get_publishers_info_by_topic(topic))
    (publisher,) = graph.world.get_publishers_info_by_topic(topic)
    assert publisher.topic_type == kind
    assert (publisher.qos_profile.reliability, publisher.qos_profile.durability) == (RELIABLE, durability)

    def heard():
        infos = graph.world.get_subscriptions_info_by_topic(topic)
        assert all(info.topic_type == kind for info in infos)
        return {info.node_name: info.qos_profile.reliability for info in infos if info.node_name in listeners}

    assert wait_for(lambda: heard() == listeners), heard()


def test_type_and_qos_of_the_command(graph):
    assert wait_for(lambda: graph.world.get_publishers_info_by_topic(COMMAND))
    (publisher,) = graph.world.get_publishers_info_by_topic(COMMAND)
    (subscription,) = graph.world.get_subscriptions_info_by_topic(COMMAND)
    for endpoint, node in ((publisher, "carla_follower"), (subscription, "alpamayo_world")):
        assert (endpoint.node_name, endpoint.topic_type) == (node, "carla_msgs/msg/CarlaEgoVehicleControl")
        assert endpoint.qos_profile.reliability == RELIABLE and endpoint.qos_profile.durability == VOLATILE


def test_there_is_no_base_link_but_the_followers(graph):
    publishers = {info.node_name for info in graph.world.get_publishers_info_by_topic("/tf_static")}
    assert publishers == {"carla_follower"}


@pytest.mark.parametrize("name", DRESSES)
def test_a_dress_is_put_on_by_its_name(name):
    worn = topics.dress(name)
    said = [each.topic for each in worn.says]
    assert len(set(said)) == len(said) and "/clock" in said
    assert set(worn.images) <= set(worn.awaits) <= set(said)


# --- values ----------------------------------------------------------------------------------------------------------

EGO = EgoState(30.0, -7.0, 0.6, 9.0, 0.0, 0.2)  # the middle of the rear axle
NOW = START_NS + SECOND_NS


@pytest.fixture(scope="module")
def sent():
    """topic -> the message that the dress sends of `EGO` at `NOW`, read by rclpy."""
    from nav_msgs.msg import Odometry
    from rosgraph_msgs.msg import Clock
    from sensor_msgs.msg import CameraInfo, Image
    from tf2_msgs.msg import TFMessage

    kinds = {"/clock": Clock, "/tf": TFMessage, f"/carla/{ROLE}/odometry": Odometry}
    kinds |= {**dict.fromkeys(IMAGES, Image), **dict.fromkeys(INFOS, CameraInfo)}
    world, messages = dress.Carla(ROLE), {}
    picture = np.zeros((90, 160, 3), np.uint8)
    picture[:] = 10, 20, 30  # red, green, blue
    pieces = [world.instant(NOW, EGO), *(world.exposure(role, NOW, picture) for role in CAMERA_ROLES)]
    for topic, data in (pair for piece in pieces for pair in piece):
        message = deserialize_message(data, kinds[topic])
        if topic == "/tf":
            messages |= {transform.child_frame_id: transform for transform in message.transforms}
        else:
            messages[topic] = (message, data)
    return messages


@pytest.mark.parametrize("role", CAMERA_ROLES)
def test_a_cameras_picture(sent, role):
    image, data = sent[f"/carla/{ROLE}/{role}/image"]
    assert (image.header.frame_id, stamp_ns(image.header.stamp)) == (f"{ROLE}/{role}", NOW)
    assert (image.encoding, image.width, image.height, image.step) == ("bgra8", 160, 90, 640)
    assert bytes(image.data[:4]) == bytes([30, 20, 10, 255])  # blue, green, red, opaque
    assert (decode_image(data) == [10, 20, 30]).all()  # and the driver sees the colours


@pytest.mark.parametrize("role", CAMERA_ROLES)
def test_a_cameras_info_and_place(sent, role):
    info, _ = sent[f"/carla/{ROLE}/{role}/camera_info"]
    assert (info.header.frame_id, stamp_ns(info.header.stamp)) == (f"{ROLE}/{role}", NOW)
    assert info.distortion_model == "plumb_bob" and list(info.d) == [0.0] * 5
    focal = 160 / (2 * np.tan(np.radians({"front_tele": 30.0}.get(role, 120.0)) / 2))
    np.testing.assert_allclose(info.k, [focal, 0, 80, 0, focal, 45, 0, 0, 1])
    transform = sent[f"{ROLE}/{role}"]
    assert transform.header.frame_id == ROLE and stamp_ns(transform.header.stamp) == NOW
    looks = pose_of(transform).apply(np.array([0.0, 0.0, 1.0])) - pose_of(transform).xyz  # optical z: ahead
    yaw = np.radians({"cross_left": 60.0, "cross_right": -60.0}.get(role, 0.0))
    np.testing.assert_allclose(looks, [np.cos(yaw), np.sin(yaw), 0.0], atol=1e-9)
    right = pose_of(transform).apply(np.array([1.0, 0.0, 0.0])) - pose_of(transform).xyz
    np.testing.assert_allclose(right, [np.sin(yaw), -np.cos(yaw), 0.0], atol=1e-9)


def test_odometry_is_the_actors_origin_in_map(sent):
    odometry, _ = sent[f"/carla/{ROLE}/odometry"]
    assert (odometry.header.frame_id, odometry.child_frame_id) == ("map", ROLE)
    assert stamp_ns(odometry.header.stamp) == NOW == stamp_ns(sent["/clock"][0].clock)
    p, q = odometry.pose.pose.position, odometry.pose.pose.orientation
    ahead = 1.4 * np.array([np.cos(0.6), np.sin(0.6)])
    np.testing.assert_allclose([p.x, p.y, p.z], [*(np.array([30.0, -7.0]) + ahead), 0.0])
    assert yaw_of_quaternion(np.array([q.x, q.y, q.z, q.w])) == pytest.approx(0.6)  # counter-clockwise
    assert not np.any(odometry.pose.covariance) and not np.any(odometry.twist.covariance)
    transform = sent[ROLE]
    assert transform.header.frame_id == "map" and pose_of(transform).xyz.tolist() == [p.x, p.y, p.z]


def test_the_twist_is_the_origins_in_its_own_axes(sent):
    """Against the difference of the origin's places a moment apart."""
    twist = sent[f"/carla/{ROLE}/odometry"][0].twist.twist
    later = drive(EGO, type(dress.response(0, 0, 0, EGO))(EGO.steering, 0.0), 1e-4)
    moved = (np.array(dress.origin(later)) - dress.origin(EGO)) / 1e-4
    cos, sin = np.cos(EGO.yaw), np.sin(EGO.yaw)
    expected = [cos * moved[0] + sin * moved[1], -sin * moved[0] + cos * moved[1]]
    np.testing.assert_allclose([twist.linear.x, twist.linear.y], expected, atol=0.01)
    assert twist.angular.z == pytest.approx((later.yaw - EGO.yaw) / 1e-4, abs=0.01) and twist.angular.z > 0


def test_a_tick_is_a_twentieth_of_a_second():
    world = dress.Carla(ROLE)
    ticks = [step for step in range(100) if any(True for _ in world.instant(START_NS + step * 10_000_000, EGO))]
    assert ticks == list(range(0, 100, 5))


def test_the_wheels_of_vehicle_info_lead_back_to_the_rear_axle(sent):
    info = dress.vehicle_info(carla_topics.messages(), ROLE)
    assert info.rolename == ROLE and len(info.wheels) == 4
    assert all(10.0 < wheel.radius < 100.0 for wheel in info.wheels)  # CARLA's centimetres
    vehicle = vehicle_of_wheels(
        [(w.position.x, w.position.y) for w in info.wheels], [w.max_steer_angle for w in info.wheels]
    )
    axle = pose_of(sent[ROLE]).apply(np.array([*vehicle.rear_axle, 0.0]))
    np.testing.assert_allclose(axle, [30.0, -7.0, 0.0], atol=1e-6)
    assert vehicle.wheelbase == pytest.approx(2.8)


def listened(kind, topic, durability, sender, send):
    """The first message of a topic after `send()`, while `sender` spins."""
    heard, executor, late = [], SingleThreadedExecutor(), rclpy.create_node("late")
    late.create_subscription(kind, topic, heard.append, QoSProfile(depth=1, durability=durability))
    for node in (sender, late):
        executor.add_node(node)
    assert wait_for(lambda: sender.count_subscribers(topic) and late.count_publishers(topic))
    deadline = time.monotonic() + 10
    while not heard and time.monotonic() < deadline:
        send()
        executor.spin_once(timeout_sec=0.1)
    executor.shutdown()
    late.destroy_node()
    return heard[0]


def test_the_follower_latches_base_link_at_the_rear_axle_on_the_ground(graph):
    from tf2_msgs.msg import TFMessage

    ((info, wheels),) = dress.Carla(ROLE).announce()
    graph.stage.send(info, wheels)
    (transform,) = listened(TFMessage, "/tf_static", LATCHED, graph.follower, lambda: None).transforms
    assert (transform.header.frame_id, transform.child_frame_id) == (ROLE, "base_link")
    np.testing.assert_allclose(pose_of(transform).xyz, [-1.4, 0.0, 0.0], atol=1e-6)
    assert transform.transform.rotation.w == 1.0


@pytest.mark.parametrize(("steer", "turns"), [(0.5, -1), (-0.5, 1)])
def test_a_positive_steer_turns_to_the_right(steer, turns):
    ego = EgoState(0.0, 0.0, 0.0, 8.0)
    for _ in range(100):
        ego = drive(ego, dress.response(0.2, steer, 0.0, ego), 0.01)
    assert np.sign(ego.yaw) == np.sign(ego.y) == turns


def test_the_pedals_work_within_their_ranges():
    ego = EgoState(0.0, 0.0, 0.0, 8.0)
    by_pedal = [dress.response(throttle, 0.0, brake, ego).acceleration for throttle, brake in ((1, 0), (0, 0), (0, 1))]
    assert by_pedal[0] > 2.0 > 0.0 > by_pedal[1] > by_pedal[2] and by_pedal[2] < -5.0
    assert dress.response(7.0, 9.0, -3.0, ego) == dress.response(1.0, 1.0, 0.0, ego)


def test_a_command_has_no_more_than_throttle_steer_and_brake(graph):
    from carla_msgs.msg import CarlaEgoVehicleControl

    def send():
        graph.follower._send(Pedals(0.25, -0.5, 0.0), NOW)

    command = listened(CarlaEgoVehicleControl, COMMAND, VOLATILE, graph.follower, send)
    assert stamp_ns(command.header.stamp) == NOW
    assert (command.throttle, command.steer, command.brake) == (0.25, -0.5, 0.0)
    assert not (command.hand_brake or command.reverse or command.manual_gear_shift) and command.gear == 0


def test_the_sensor_definition_is_the_worlds_rig_seen_from_the_actors_origin():
    (vehicle,) = json.loads(config("carla_rig.json").read_text())["objects"]
    cameras = {sensor["id"]: sensor for sensor in vehicle["sensors"] if sensor["type"] == "sensor.camera.rgb"}
    assert vehicle["id"] == carla_topics.ROLE and tuple(cameras) == CAMERA_ROLES
    for role, sensor in cameras.items():
        place = sensor["spawn_point"]
        np.testing.assert_allclose([place[axis] for axis in "xyz"], dress.camera_place(role))
        assert (place["roll"], place["pitch"], place["yaw"]) == (0.0, 0.0, RIG[role].yaw)  # degrees, to the left
        assert sensor["fov"] == RIG[role].fov and sensor["sensor_tick"] == 0.1
    others = {sensor["type"] for sensor in vehicle["sensors"]} - {"sensor.camera.rgb"}
    assert {"sensor.pseudo.tf", "sensor.pseudo.odom"} <= others


def test_the_native_bridges_definition_is_the_same_rig_in_its_own_form():
    """One vehicle; what is not a type, an id or a place is an attribute. Its places are in ROS's axes too."""
    (vehicle,) = json.loads(config("carla_rig.json").read_text())["objects"]
    own = ("type", "id", "spawn_point")
    cameras = [
        {**{k: v for k, v in s.items() if k in own}, "attributes": {k: v for k, v in s.items() if k not in own}}
        for s in vehicle["sensors"]
        if s["type"] == "sensor.camera.rgb"
    ]
    native = json.loads(config("carla_rig_native.json").read_text())
    assert native == {"type": vehicle["type"], "id": vehicle["id"], "sensors": cameras}


def pose_of(transform) -> Pose:
    t, q = transform.transform.translation, transform.transform.rotation
    return Pose(np.array([t.x, t.y, t.z]), np.array([q.x, q.y, q.z, q.w]))
