"""Two replays of the same bags: what is better, and what only looks so."""

import json

import numpy as np
import pytest
from browser import open_browser

from alpamayo_ros.replay import compare
from alpamayo_ros.replay.main import main
from alpamayo_ros.replay.paired import blocks, difference, holm, sign_flip
from alpamayo_ros.world.bags import record
from alpamayo_ros.world.episode import Size, Timing
from alpamayo_ros.world.scenario import Family, draw


@pytest.fixture(scope="module")
def twenty(tmp_path_factory):
    """Twenty bags of the small world, replayed with the baseline and with one that forgets curvature at once."""
    folder = tmp_path_factory.mktemp("twenty")
    families = list(Family)
    rig = dict.fromkeys(("cross_left", "front_wide", "cross_right", "front_tele"), Timing())
    size = Size(18, 32)  # the baseline looks at no image
    bags = [record(folder / f"{k:02d}", draw(families[k % len(families)], k), 4.0, rig, size) for k in range(20)]
    words = [*map(str, bags), "--no-report"]
    assert main([*words, "--out", str(folder / "a")]) == 0
    assert main([*words, "--out", str(folder / "b"), "-p", "baseline.curvature_decay:=0.05"]) == 0
    return folder


def test_what_forgets_the_bend_is_worse_and_the_bags_are_the_blocks(twenty, capsys):
    assert compare.main([str(twenty / "a"), str(twenty / "b"), "--out", str(twenty / "c")]) == 0
    said = json.loads((twenty / "c" / "compare.json").read_text())
    assert said["bags"] == said["blocks"] == 20 and said["block"] == "bag"
    lateral = said["numbers"]["lateral_1s"]
    assert lateral["difference"] > 0 and 0 < lateral["low"] < lateral["difference"] < lateral["high"]
    assert said["numbers"]["refused"]["verdict"] == "the same"
    by_bag = said["by_bag"]["lateral_1s"]
    assert len(by_bag) == 20 and np.mean([b["difference"] for b in by_bag.values()]) > 0
    assert "95 % interval" in capsys.readouterr().out


def test_a_replay_beside_itself_differs_in_nothing(twenty, capsys):
    said = compare.compare(twenty / "a", twenty / "a")
    assert {d["verdict"] for d in said["numbers"].values()} == {"the same"}
    swapped = compare.compare(twenty / "b", twenty / "a")["numbers"]["lateral_1s"]
    assert swapped["difference"] == -compare.compare(twenty / "a", twenty / "b")["numbers"]["lateral_1s"]["difference"]


def test_the_comparison_is_a_page_that_draws_itself(twenty):
    compare.main([str(twenty / "a"), str(twenty / "b"), "--out", str(twenty / "page")])
    browser = open_browser()
    try:
        browser.get((twenty / "page" / "compare.html").as_uri())
        assert len(browser.find_elements("css selector", ".numbers tr")) > 10
        assert len(browser.find_elements("css selector", "svg.paths")) == compare.EXAMPLES
        measure = "return [...document.querySelectorAll('svg.paths path')].map(p => p.getTotalLength())"
        assert max(browser.execute_script(measure)) > 50
        assert [line for line in browser.get_log("browser") if line["level"] == "SEVERE"] == []
    finally:
        browser.quit()


@pytest.mark.parametrize("make, words", [(False, "is no directory"), (True, "no replay of a bag of the same name")])
def test_what_cannot_be_compared_is_said(make, words, tmp_path, capsys):
    if make:
        (tmp_path / "a").mkdir()
    code = compare.main([str(tmp_path / "a"), str(tmp_path / "a"), "--out", str(tmp_path / "c")])
    assert code == 2 and words in capsys.readouterr().err


def test_the_test_keeps_its_level_where_ticks_of_a_block_go_together():
    """Of 400 comparisons of two equal policies about 5 % are called different, though ticks within a bag agree."""
    rng = np.random.default_rng(3)
    found = 0
    for _ in range(400):
        bag = np.repeat(np.arange(12), 40)
        shared = rng.normal(size=12)[bag]
        a, b = rng.normal(size=480), rng.normal(size=480) + shared
        found += difference(a, b, bag).p < 0.05
    assert 8 <= found <= 34


def test_a_clear_difference_is_found_and_its_interval_covers_it():
    rng = np.random.default_rng(5)
    covered, bag = 0, np.repeat(np.arange(20), 30)
    for _ in range(100):
        a = rng.normal(size=600)
        b = a + 0.5 + 0.3 * rng.normal(size=20)[bag]
        d = difference(a, b, bag)
        assert d.p < 0.05
        covered += d.low < 0.5 < d.high
    assert covered >= 85


def test_few_blocks_are_not_tested():
    bag = np.repeat(np.arange(4), 10)
    assert difference(np.zeros(40), np.ones(40), bag).p is None


def test_one_bag_is_cut_into_stretches_that_share_no_future():
    stamps = [k * 10**8 for k in range(300)]
    found = blocks({"one": stamps})
    assert len(set(found.values())) == 5 and found["one", 0] == found["one", 63 * 10**8] != found["one", 64 * 10**8]
    many = blocks({str(k): stamps for k in range(8)})
    assert len(set(many.values())) == 8


def test_sign_flips_are_exact_for_few_blocks():
    rng = np.random.default_rng(0)
    assert sign_flip(np.ones(6), rng) == pytest.approx(2 / 64)
    assert sign_flip(np.array([1.0, -1.0]), rng) == 1.0


def test_holm_is_never_below_the_raw_p_and_keeps_the_order():
    p = {"a": 0.01, "b": 0.04, "c": 0.03}
    assert holm(p) == {"a": pytest.approx(0.03), "c": pytest.approx(0.06), "b": pytest.approx(0.06)}
