import subprocess
import sys
import zlib
from dataclasses import replace

import cv2
import numpy as np
import pytest
from world.scenes import SMALL, car_at, on_route, person_at, scenario

from alpamayo_ros.contract import CAMERA_ROLES
from alpamayo_ros.world.episode import Cameras, Size
from alpamayo_ros.world.rig import RIG
from alpamayo_ros.world.scenario import Daylight, Zone
from alpamayo_ros.world.scene import build
from alpamayo_ros.world.scenery import LAMP_HEIGHTS
from alpamayo_ros.world.state import Blinker, Colour, LightState, Snapshot

DIFFERENT = 40  # grey levels, far above the noise


def changed(cameras: Cameras, role: str, first: Snapshot, second: Snapshot) -> int:
    """Pixels of a camera that differ clearly between two versions of one instant."""
    one, other = (cameras.render(role, snapshot).astype(int) for snapshot in (first, second))
    return int(np.sum(np.abs(one - other).max(axis=-1) > DIFFERENT))


def test_a_frame_has_its_size_and_type():
    scene = build(scenario("empty_road"))
    for size in (Size(96, 160), Size(320, 576), Size(1080, 1920)):
        for role in CAMERA_ROLES:
            image = Cameras(scene, size).render(role, on_route(scene, 20.0))
            assert image.shape == (size.height, size.width, 3)
            assert image.dtype == np.uint8


CRC = """
import zlib
from alpamayo_ros.world.episode import Cameras, Episode, Size
from alpamayo_ros.world.scenario import draw
episode = Episode(draw("light_queue", 5))
cameras = Cameras(episode.scene, Size(96, 160))
print([zlib.crc32(cameras.render(role, episode.snapshot).tobytes()) for role in ("front_wide", "cross_left")])
"""


def test_frames_are_the_same_in_every_process():
    first, second = (
        subprocess.run([sys.executable, "-c", CRC], capture_output=True, text=True, check=True) for _ in "ab"
    )
    assert first.stdout == second.stdout
    assert first.stdout.startswith("[")


def test_no_two_frames_of_a_standing_car_are_equal():
    scene = build(scenario("empty_road"))
    cameras = Cameras(scene, SMALL)
    still = on_route(scene, 20.0, 0.0)
    frames = [
        zlib.crc32(cameras.render(role, replace(still, t_ns=still.t_ns + 100_000_000 * step)).tobytes())
        for step in range(60)
        for role in CAMERA_ROLES
    ]
    assert len(set(frames)) == len(frames)


@pytest.mark.parametrize("daylight", Daylight)
@pytest.mark.parametrize("colour", Colour)
def test_a_lamp_shines_in_its_colour_where_the_projection_puts_it(daylight, colour):
    scene = build(scenario("traffic_light", 1, daylight=daylight, behaviour="red"))
    junction = scene.roads.junctions[0]
    snapshot = replace(on_route(scene, junction.stop_s - 25.0), lights=(LightState(0, colour),))
    image = Cameras(scene, Size(320, 576)).render("front_tele", snapshot)
    post, camera, ego = scene.signals[0][0], RIG["front_tele"], snapshot.ego
    offset = np.array([post.x - ego.x, post.y - ego.y])
    cos, sin = np.cos(ego.yaw), np.sin(ego.yaw)
    local = [offset @ [cos, sin], offset @ [-sin, cos], LAMP_HEIGHTS[colour.value]]
    u, v, w = camera.intrinsics(320, 576) @ camera.to_optical(np.array(local))
    red, green, blue = image[round(v / w), round(u / w)].astype(int)
    if colour is Colour.GREEN:
        assert green > red + 80
    else:
        assert red > blue + 80
        assert (green > 120) == (colour is Colour.YELLOW)


@pytest.mark.parametrize("daylight", Daylight)
@pytest.mark.parametrize("zone", Zone)
def test_what_decides_is_legible_at_160_pixels(daylight, zone):
    scene = build(scenario("traffic_light", 1, daylight=daylight, zone=zone, behaviour="red"))
    cameras = Cameras(scene, SMALL)
    stop_s = scene.roads.junctions[0].stop_s
    base = replace(on_route(scene, stop_s - 45.0), lights=(LightState(0, Colour.RED), LightState(1, Colour.GREEN)))
    assert changed(cameras, "front_tele", base, base.with_lights(Colour.GREEN)) >= 12
    s = stop_s - 45.0
    driving = replace(base, cars=(car_at(scene, s + 30.0, speed=8.0),))
    braking = replace(base, cars=(car_at(scene, s + 30.0, speed=8.0, braking=True),))
    assert changed(cameras, "front_tele", base, driving) >= 60
    assert changed(cameras, "front_tele", driving, braking) >= 8
    person = replace(base, pedestrians=(person_at(scene, s + 35.0, 1.0, 1.4),))
    assert changed(cameras, "front_tele", base, person) >= 20


def test_an_indicator_blinks_and_is_dark_for_less_than_the_models_window():
    scene = build(scenario("cut_in", 0))
    cameras = Cameras(scene, SMALL)
    base = on_route(scene, 20.0)
    lit = []
    for step in range(60):
        now = replace(base, t_ns=base.t_ns + 10_000_000 * step)
        without = replace(now, cars=(car_at(scene, 34.0, 3.6, 8.0),))
        blinking = replace(now, cars=(car_at(scene, 34.0, 3.6, 8.0, blinker=Blinker.RIGHT),))
        lit.append(changed(cameras, "front_wide", without, blinking) > 0)
    assert 0 < lit.count(False) < 30
    assert any(lit[:30])


def test_a_car_hides_what_is_behind_it_and_not_what_is_before():
    scene = build(scenario("empty_road", 9, layout=scenario("traffic_light", 1).layout))
    cameras = Cameras(scene, Size(320, 576))
    ego = on_route(scene, 20.0)
    van = replace(car_at(scene, 34.0), body=replace(car_at(scene, 34.0).body, height=2.5, width=2.1), style="van")
    behind, before = person_at(scene, 40.0, 0.0), person_at(scene, 29.0, 0.0)
    blocked = replace(ego, cars=(van,))
    assert changed(cameras, "front_wide", blocked, replace(blocked, pedestrians=(behind,))) == 0
    assert changed(cameras, "front_wide", ego, replace(ego, pedestrians=(behind,))) > 50
    assert changed(cameras, "front_wide", blocked, replace(blocked, pedestrians=(before,))) > 50


def test_small_frames_look_like_large_ones_made_small():
    scene = build(scenario("light_queue", 2))
    snapshot = on_route(scene, 30.0)
    small = Cameras(scene, Size(108, 192)).render("front_wide", snapshot)
    large = Cameras(scene, Size(1080, 1920)).render("front_wide", snapshot)
    shrunk = cv2.resize(large, (192, 108), interpolation=cv2.INTER_AREA)
    assert np.mean(np.abs(small.astype(int) - shrunk.astype(int))) < 7.0
