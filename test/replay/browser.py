"""Headless Chromium with a report in it."""

import shutil

import pytest

INSTALL = "install it: apt-get install chromium chromium-driver (Debian), or chromium-browser and chromium-chromedriver"


def open_browser(width=1500, height=1700):
    """A driver of Chromium; skips, with what to install, where there is none."""
    selenium = pytest.importorskip("selenium.webdriver", reason="pip install -r requirements/test.txt")
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip(f"no Chromium with its driver here; {INSTALL}")
    options = selenium.ChromeOptions()
    options.binary_location = browser
    for word in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", f"--window-size={width},{height}"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return selenium.Chrome(options=options, service=selenium.ChromeService(driver))
