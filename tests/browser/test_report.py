"""A report in a real browser: it asks nobody for anything, fits a phone, and prints on paper."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), "")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
RunCommand = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine (Debian: apt-get install chromium)"),
]


@pytest.fixture(scope="module")
def file(demo_home: Path, tracehouse: RunCommand, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("report") / "week.html"
    done = tracehouse("report", "-o", str(place), home=demo_home)
    assert done.returncode == 0, done.stderr
    return place


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield started
        started.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_it_asks_nobody_and_fits(browser: Browser, file: Path, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900})
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(file.as_uri(), wait_until="networkidle")
    assert [url for url in asked if not url.startswith("data:")] == [file.as_uri()]
    assert complaints == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    drawn = page.locator("img").evaluate_all("nodes => nodes.map(node => node.complete && node.naturalWidth > 0)")
    assert len(drawn) >= 4
    assert all(drawn)
    context.close()


def test_it_prints(browser: Browser, file: Path) -> None:
    page = browser.new_page()
    page.goto(file.as_uri())
    printed = page.pdf(prefer_css_page_size=True, print_background=True)
    sheets = printed.count(b"/Type /Page\n") or printed.count(b"/Type /Page ")
    assert 2 <= sheets <= 8
    assert b"/MediaBox [0 0 594" in printed or b"/MediaBox [0 0 595" in printed
    page.close()
