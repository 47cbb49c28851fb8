"""The driver over real gRPC: sessions that do not mix, what is refused, and the two commands as they are typed."""

import json
import re
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from alpamayo_ros import policies
from alpamayo_ros.bridges import alpasim, alpasim_play
from alpamayo_ros.bridges import alpasim_messages as wire
from alpamayo_ros.bridges.alpasim_client import REAR_CAMERA, caller, play
from alpamayo_ros.bridges.alpasim_rollout import CAMERAS
from alpamayo_ros.bridges.alpasim_service import Policies, Service, server
from alpamayo_ros.contract import CAMERA_ROLES
from alpamayo_ros.policies.baseline import Baseline
from alpamayo_ros.world.episode import Size
from alpamayo_ros.world.scenario import Family, draw

FOUR = {role: CAMERAS[role] for role in CAMERA_ROLES}
SMALL = Size(96, 192)
# A drive of 1.6 s by the world's own rules, and this much by the answers.
SECONDS = 0.6
LARGEST = 1 << 20


@pytest.fixture
def serve():
    """Starts a driver in this process; gives what calls it."""
    ends = []

    def start(load=Baseline, most=2, **options):
        service = Service(Policies(load, most), "test", FOUR, **options)
        serving = server(service, 8, LARGEST)
        port = serving.add_insecure_port("127.0.0.1:0")
        serving.start()
        channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        ends.extend([channel.close, lambda: serving.stop(None).wait(), service.close])
        return caller(channel)

    yield start
    for end in ends:
        end()


def session(name, cameras=None):
    given = [*FOUR.values(), REAR_CAMERA] if cameras is None else cameras
    vehicle = wire.VehicleDefinition(available_cameras=[wire.AvailableCamera(logical_id=each) for each in given])
    return wire.DriveSessionRequest(session_uuid=name, rollout_spec=wire.RolloutSpec(vehicle=vehicle))


def image(name, camera, stamp_us=1_000_000, data=b"\xff\xd8"):
    sent = wire.CameraImage(frame_start_us=stamp_us, frame_end_us=stamp_us, image_bytes=data, logical_id=camera)
    return wire.RolloutCameraImage(session_uuid=name, camera_image=sent)


def pose(name, stamp_us=1_000_000, **quaternion):
    at = wire.Pose(vec=wire.Vec3(), quat=wire.Quat(**(quaternion or {"w": 1.0})))
    trajectory = wire.Trajectory(poses=[wire.PoseAtTime(pose=at, timestamp_us=stamp_us)])
    return wire.RolloutEgoTrajectory(session_uuid=name, trajectory=trajectory)


class Logged:
    """Keeps the answers of `drive`; with a barrier, rollouts ask in turn for every single plan."""

    def __init__(self, call, barrier=None):
        self._call, self._barrier, self.answers = call, barrier, []

    def __call__(self, procedure, request):
        if procedure != "drive":
            return self._call(procedure, request)
        if self._barrier is not None:
            self._barrier.wait(60)
        self.answers.append(self._call(procedure, request))
        return self.answers[-1]

    def paths(self):
        return [answer.trajectory.SerializeToString(deterministic=True) for answer in self.answers]

    def said(self):
        return [json.loads(answer.debug_info.unstructured_debug_info) for answer in self.answers]


def onnx():
    return policies.load("onnx", threads=1)


def test_two_rollouts_at_once_are_each_what_it_is_alone(serve):
    """The small model in a closed loop, bit by bit: a feature or a frame of the other's would show in the next plan."""
    call = serve(onnx, route_text=True)
    scenarios = {"left": draw(Family.JUNCTION, 0), "braking": draw(Family.LEAD_BRAKING, 1)}
    alone = {}
    for name, scenario in scenarios.items():
        alone[name] = Logged(call)
        play(alone[name], scenario, name, SECONDS, SMALL)
    barrier = threading.Barrier(2)
    together = {name: Logged(call, barrier) for name in scenarios}
    with ThreadPoolExecutor(2) as pool:
        drives = [
            pool.submit(play, together[name], scenario, name, SECONDS, SMALL) for name, scenario in scenarios.items()
        ]
        for drive in drives:
            drive.result()
    for name in scenarios:
        assert together[name].paths() == alone[name].paths() and len(alone[name].paths()) == 7
        assert [said["reasoning"] for said in together[name].said()] == [
            said["reasoning"] for said in alone[name].said()
        ]
    assert alone["left"].paths()[0] != alone["braking"].paths()[0]


def test_an_answer_carries_its_reasoning_and_samples_for_the_log(serve):
    logged = Logged(serve())
    play(logged, draw(Family.EMPTY_ROAD, 0), "s", 0.2, SMALL, images=False)
    answer, said = logged.answers[0], logged.said()[0]
    assert said["policy"] == "baseline" and said["reasoning"][0].startswith("Baseline") and said["chosen"] == 0
    assert said["t0_us"] == answer.trajectory.poses[0].timestamp_us
    (sample,) = answer.debug_info.sampled_trajectories
    assert list(sample.poses) == list(answer.trajectory.poses)[1:] and not answer.terminate_session


def refused(status, words, call, procedure, request):
    with pytest.raises(grpc.RpcError) as error:
        call(procedure, request)
    assert error.value.code() is status and re.search(words, error.value.details()), error.value.details()


def test_what_cannot_be_is_refused_by_name(serve):
    call, code = serve(), grpc.StatusCode
    call("start_session", session("s"))
    refused(code.ALREADY_EXISTS, "'s' is running", call, "start_session", session("s"))
    refused(code.INVALID_ARGUMENT, "session_uuid is empty", call, "start_session", session(""))
    refused(code.INVALID_ARGUMENT, "needs cross_left .*front_tele", call, "start_session", session("t", [REAR_CAMERA]))
    drive = wire.DriveRequest(session_uuid="?", time_now_us=1)
    for procedure, request in (
        ("drive", drive),
        ("submit_image_observation", image("?", FOUR["front_wide"])),
        ("submit_egomotion_observation", pose("?")),
        ("submit_route", wire.RouteRequest(session_uuid="?")),
        ("submit_recording_ground_truth", wire.GroundTruthRequest(session_uuid="?")),
        ("close_session", wire.DriveSessionCloseRequest(session_uuid="?")),
    ):
        refused(code.NOT_FOUND, r"no session is called '\?'", call, procedure, request)
    bad = code.INVALID_ARGUMENT
    refused(bad, "'camera_roof' is none of the session's", call, "submit_image_observation", image("s", "camera_roof"))
    refused(bad, "frame_end_us .* is 0", call, "submit_image_observation", image("s", FOUR["front_wide"], 0))
    refused(bad, "timestamp_us of a pose is", call, "submit_egomotion_observation", pose("s", 2**63))
    refused(bad, "quaternion_not_unit", call, "submit_egomotion_observation", pose("s", w=0.5))
    refused(bad, "odometry_not_finite", call, "submit_egomotion_observation", pose("s", w=float("nan")))
    refused(bad, "time_now_us is 0", call, "drive", wire.DriveRequest(session_uuid="s"))
    call("submit_image_observation", image("s", REAR_CAMERA, data=b"no image at all"))  # not looked at
    call("submit_recording_ground_truth", wire.GroundTruthRequest(session_uuid="s"))
    empty = call("drive", wire.DriveRequest(session_uuid="s", time_now_us=2_000_000))
    assert not empty.trajectory.poses and b"camera_missing" in empty.debug_info.unstructured_debug_info


def test_a_request_that_is_too_large_is_refused_unread(serve):
    call = serve()
    call("start_session", session("s"))
    large = image("s", FOUR["front_wide"], data=bytes(LARGEST))
    refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "larger than max", call, "submit_image_observation", large)
    call("submit_image_observation", image("s", FOUR["front_wide"], data=bytes(LARGEST // 2)))


def test_too_many_rollouts_are_refused_until_one_is_closed_or_silent(serve):
    call = serve(most=1)
    call("start_session", session("a"))
    refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "--rollouts", call, "start_session", session("b"))
    call("close_session", wire.DriveSessionCloseRequest(session_uuid="a"))
    call("start_session", session("b"))
    hasty = serve(most=1, idle=0.0)
    hasty("start_session", session("a"))
    hasty("start_session", session("b"))  # as if "a" had been silent for its time
    drive = wire.DriveRequest(session_uuid="a", time_now_us=1)
    refused(grpc.StatusCode.NOT_FOUND, "no session is called 'a'", hasty, "drive", drive)


class Broken(Baseline):
    def __call__(self, observation):
        raise MemoryError("out of memory")


def test_a_policy_that_fails_is_an_error_of_the_driver_and_bad_input_is_not(serve):
    with pytest.raises(grpc.RpcError, match="MemoryError: out of memory") as error:
        play(serve(Broken), draw(Family.EMPTY_ROAD, 0), "s", 0.2, SMALL, images=False)
    assert error.value.code() is grpc.StatusCode.INTERNAL
    call = serve()

    def without_odometry(procedure, request):
        if procedure == "submit_egomotion_observation":
            del request.trajectory.poses[:]
        return call(procedure, request)

    with pytest.raises(grpc.RpcError, match="odometry_missing") as error:
        play(without_odometry, draw(Family.EMPTY_ROAD, 0), "s", 0.2, SMALL, images=False)
    assert error.value.code() is grpc.StatusCode.FAILED_PRECONDITION


def test_the_driver_and_the_player_as_commands(capsys):
    command = [sys.executable, "-m", "alpamayo_ros", "alpasim", "--port", "0", "--option", "threads=1"]
    driver = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        port = re.search(r"'onnx' drives for AlpaSim on 127\.0\.0\.1:(\d+)", driver.stdout.readline()).group(1)
        arguments = ["--address", f"127.0.0.1:{port}", "--family", "lead_stopped", "--seed", "2", "--seconds", "0.5"]
        assert alpasim_play.main(arguments) == 0
        played = json.loads(capsys.readouterr().out)
        driver.send_signal(signal.SIGTERM)
        assert driver.wait(20) == 0
    finally:
        driver.kill()
        driver.wait()
    (row,) = played["rollouts"]
    assert played["driver"] == "alpamayo_ros-0.1.0-onnx" and row["seconds"] == pytest.approx(0.6)
    assert not row["off_road"] and not row["collided_with"] and row["progress"] >= 0.0


def test_a_port_that_is_taken_is_said(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert alpasim.main(["--port", str(port), "--policy", "baseline"]) == 1
    assert f"cannot listen on 127.0.0.1:{port}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--camera", "roof=x"], "not ROLE=ID with a role of cross_left"),
        (["--option", "threads"], "not NAME=VALUE"),
        (["--option", "speed=3"], "cannot load policy 'onnx': ValueError: .*its options are"),
    ],
)
def test_a_wrong_command_line_says_what_is_right(arguments, words, capsys):
    try:
        assert alpasim.main(["--port", "0", *arguments]) == 1
    except SystemExit as end:
        assert end.code == 2
    assert re.search(words, capsys.readouterr().err)
