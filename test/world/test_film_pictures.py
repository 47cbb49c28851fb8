import sys
from dataclasses import replace

import cv2
import numpy as np
from world.scenes import SMALL, drive_of

from alpamayo_ros.world.film import SHEET_COLUMNS, SHEET_ROWS, Film, contact_sheet
from alpamayo_ros.world.overlay import draw_plan
from alpamayo_ros.world.picture import HEIGHT, WIDTH, Facts, Painter
from alpamayo_ros.world.rig import RIG


def painted(family: str, seed: int, seconds: float, text: str | None = None) -> np.ndarray:
    episode, _, ticks = drive_of(family, seed, seconds, SMALL)
    tick = ticks[-1]
    plan = tick.plan
    if text is not None:
        plan = replace(plan, reasoning=(text,))
    facts = Facts(seconds, tick.snapshot.ego.speed, "oracle", family, tick.observation.command)
    return Painter(episode.scene).paint(tick.snapshot, tick.observation, plan, facts, tick.label.xyz)


def test_a_picture_has_its_size_and_shows_the_reasoning():
    page, other = painted("light_turn", 10, 1.0), painted("light_turn", 10, 1.0, "Go: the light is green.")
    assert page.shape == (HEIGHT, WIDTH, 3) and page.dtype == np.uint8
    assert np.any(page[990:1025, 20:1264] != other[990:1025, 20:1264])
    assert np.array_equal(page[:980], other[:980])


def test_a_long_text_stays_on_the_page():
    page = painted("cones", 1, 1.0, "a very long reasoning that no line holds " * 4)
    assert np.all(page[984:1060, 1270:1284] == page[984, 1270])


def test_the_plan_is_drawn_where_it_goes():
    _, _, ticks = drive_of("empty_road", 8, 1.0)
    plan = ticks[-1].plan
    black = np.zeros((320, 576, 3), np.uint8)
    drawn = draw_plan(black, RIG["front_wide"], plan)
    rows = np.flatnonzero(drawn.any(axis=(1, 2)))
    columns = np.flatnonzero(drawn[200].any(axis=1))
    assert rows.min() > 159  # below the horizon
    assert 230 < columns.mean() < 345
    assert not black.any()


def picture(shade: int) -> np.ndarray:
    image = np.full((90, 160, 3), shade, np.uint8)
    image[:, :80, 0] = 255
    return image


def test_a_film_can_be_read_back(tmp_path):
    film = Film(tmp_path / "out" / "drive.mp4")
    for shade in range(0, 200, 10):
        film.add(picture(shade))
    path = film.close()
    read = cv2.VideoCapture(str(path))
    frames = []
    while (found := read.read())[0]:
        frames.append(found[1])
    assert len(frames) == 20
    assert frames[10].shape == (90, 160, 3)
    assert frames[10][45, 20, 2] > 200  # red is red, not blue


def test_without_an_encoder_there_is_a_contact_sheet(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    monkeypatch.setattr(cv2.VideoWriter, "isOpened", lambda self: False, raising=False)
    film = Film(tmp_path / "drive.mp4")
    for shade in range(100):
        film.add(picture(shade))
    path = film.close()
    assert path == tmp_path / "drive.jpg"
    sheet = cv2.imread(str(path))
    assert sheet.shape[1] == SHEET_COLUMNS * 640
    assert sheet.shape[0] <= SHEET_ROWS * 360


def test_an_empty_film_is_none(tmp_path):
    assert Film(tmp_path / "none.mp4").close() is None


def test_a_sheet_fills_its_last_row_with_black():
    sheet = contact_sheet([picture(50)] * 5, columns=4, width=160)
    assert sheet.shape == (180, 640, 3)
    assert not sheet[90:, 160:].any()
