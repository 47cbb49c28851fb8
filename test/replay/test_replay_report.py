"""The report in a real browser: it draws, it steps, it scrubs, and it says nothing on the console."""

import pytest
from browser import open_browser

DRAWN = """
const canvas = document.getElementById(arguments[0]) || document.querySelectorAll('.plot canvas')[arguments[0]];
const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
const colours = new Set();
for (let i = 0; i < data.length; i += 4) if (data[i + 3]) colours.add(data[i] << 16 | data[i + 1] << 8 | data[i + 2]);
return colours.size;
"""


@pytest.fixture(scope="module")
def browser():
    driver = open_browser()
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def report(bag, tmp_path_factory):
    """Reports of the turn, with all cameras and without one."""
    from alpamayo_ros.replay.main import main

    out = tmp_path_factory.mktemp("report")
    assert main([str(bag), "--out", str(out / "plain")]) == 0
    assert main([str(bag), "--out", str(out / "what_if"), "--drop", "front_tele", "--command", "</script>turn"]) == 0
    return out


def opened(browser, path):
    from selenium.webdriver.support.ui import WebDriverWait

    browser.get_log("browser")
    browser.get(path.as_uri())
    WebDriverWait(browser, 30).until(lambda b: b.execute_script("return document.body.dataset.ready") == "yes")
    settled(browser)


def settled(browser):
    """Pictures are decoded and the next frame is painted."""
    browser.execute_async_script(
        "const done = arguments[0]; setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(done)), 250);"
    )


def tick(browser):
    return int(browser.execute_script("return document.body.dataset.tick"))


def press(browser, *keys):
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(browser).send_keys(*keys).perform()
    settled(browser)


def drawn(browser, name):
    return browser.execute_script(DRAWN, name)


def test_everything_is_drawn_and_nothing_is_fetched(browser, report):
    opened(browser, report / "plain" / "turn" / "report.html")
    for role in ("front_wide", "cross_left", "cross_right", "front_tele"):
        assert drawn(browser, role) > 100, role
    assert drawn(browser, "above") > 5 and drawn(browser, "timeline") > 3
    assert all(drawn(browser, number) > 3 for number in range(4))
    assert "Baseline" in browser.find_element("id", "reasoning").text
    assert len(browser.find_elements("css selector", "#errors tr")) == 10
    fetched = browser.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
    assert [name for name in fetched if not name.startswith("data:")] == []
    assert [line for line in browser.get_log("browser") if line["level"] == "SEVERE"] == []


def test_the_chosen_path_lies_on_the_road_in_the_front_camera(browser, report):
    """The small world's camera is known: a path straight ahead runs up the middle of the picture."""
    opened(browser, report / "plain" / "turn" / "report.html")
    blue = """
    const c = document.getElementById('front_wide'), g = c.getContext('2d');
    const d = g.getImageData(0, 0, c.width, c.height).data, found = [];
    for (let y = 0; y < c.height; y++) for (let x = 0; x < c.width; x++) {
      const i = (y * c.width + x) * 4;
      if (Math.abs(d[i] - 95) < 12 && Math.abs(d[i + 1] - 208) < 12 && Math.abs(d[i + 2] - 245) < 12) {
        found.push([x / c.width, y / c.height]);
      }
    }
    return found;
    """
    points = browser.execute_script(blue)
    assert len(points) > 50
    across, down = (sum(p[k] for p in points) / len(points) for k in (0, 1))
    assert 0.4 < across < 0.6 and 0.5 < down < 0.95


def test_keys_step_and_the_slider_scrubs(browser, report):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    opened(browser, report / "plain" / "turn" / "report.html")
    press(browser, Keys.HOME)
    assert tick(browser) == 0 and "No plan" in browser.execute_script(
        "return getComputedStyle(document.getElementById('reasoning'), '::before').content"
    )
    press(browser, Keys.END)
    last = tick(browser)
    assert last > 20
    press(browser, Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert tick(browser) == last - 2
    press(browser, Keys.ARROW_RIGHT)
    assert tick(browser) == last - 1
    before = browser.find_element("id", "clock").text
    timeline = browser.find_element("id", "timeline")
    ActionChains(browser).move_to_element(timeline).click().perform()
    settled(browser)
    assert 0.3 * last < tick(browser) < 0.7 * last and browser.find_element("id", "clock").text != before
    browser.find_element("id", "first").click()
    settled(browser)
    assert tick(browser) == 0
    press(browser, "n")
    assert tick(browser) == 1
    press(browser, Keys.END)
    press(browser, " ")  # plays from the beginning
    first = tick(browser)
    browser.execute_async_script("setTimeout(arguments[0], 800)")
    press(browser, " ")
    stopped = tick(browser)
    assert stopped > first
    settled(browser)
    assert tick(browser) == stopped
    assert [line for line in browser.get_log("browser") if line["level"] == "SEVERE"] == []


def test_what_if_is_said_and_text_of_the_bag_is_only_text(browser, report):
    opened(browser, report / "what_if" / "turn" / "report.html")
    badges = browser.find_element("id", "badges").text
    assert "without front_tele" in badges and "</script>turn" in badges
    assert "</script>turn" in browser.find_element("id", "facts").text
    assert [line for line in browser.get_log("browser") if line["level"] == "SEVERE"] == []


def test_a_bag_without_a_single_plan_has_a_report_too(browser, bag, replay, tmp_path):
    code, said = replay(bag, "-p", "tolerance:=0.0", out=tmp_path)
    assert code == 0, said
    opened(browser, tmp_path / "turn" / "report.html")
    assert "camera_gap" in browser.find_element("id", "reasoning").text
    assert [line for line in browser.get_log("browser") if line["level"] == "SEVERE"] == []
