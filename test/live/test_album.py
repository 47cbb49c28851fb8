import cv2
import numpy as np

from alpamayo_ros.geometry import Pose, quaternion_from_yaw
from alpamayo_ros.live import album
from alpamayo_ros.world.episode import Episode
from alpamayo_ros.world.oracle import rule_plan
from alpamayo_ros.world.scenario import draw
from alpamayo_ros.world.vehicle import Control


def test_a_published_plan_is_drawn_where_it_was_meant(tmp_path):
    episode = Episode(draw("empty_road", 2))
    start, plan = episode.snapshot, rule_plan(episode.scene, episode.snapshot)
    world = album._pose(start.ego) @ Pose(plan.xyz, quaternion_from_yaw(plan.yaw))
    told = album.Told(start.t_ns, start.t_ns + 50_000_000, world, plan.reasoning, 0, "onnx")
    again = album._in_ego(told, start.ego)
    assert np.allclose(again.xyz, plan.xyz, atol=1e-9) and np.allclose(again.yaw, plan.yaw, atol=1e-9)
    instants = {}
    for step in range(21):
        if step % 10 == 0:
            instants[episode.now_ns] = episode.snapshot
        episode.step(Control(0.0, 0.0))
    later = album._in_ego(told, instants[max(instants)].ego)
    assert np.allclose(later.xyz[0, :, 0], plan.xyz[0, :, 0] - 0.2 * start.ego.speed, atol=0.1)

    shares = []
    path = album.film(tmp_path / "drive.mp4", episode.scene, instants, [told], "", shares.append)
    video = cv2.VideoCapture(str(path))
    assert video.isOpened() and video.get(cv2.CAP_PROP_FRAME_COUNT) == 3 and shares[-1] == 1.0
