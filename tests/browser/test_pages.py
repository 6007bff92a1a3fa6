"""Every page in a real browser: it opens, shows no error, and does what only a browser can do."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), "")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PAGES = (
    "",
    "costs",
    "sessions",
    "conversation",
    "flows",
    "trace",
    "errors",
    "performance",
    "quality",
    "experiments",
    "alerts",
    "dashboards",
    "sql",
    "reports",
    "data_health",
)
SIZES: tuple[tuple[str, int, Literal["light", "dark"]], ...] = (("desktop", 1280, "light"), ("phone", 390, "dark"))

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine (Debian: apt-get install chromium)"),
]


@pytest.fixture(scope="module")
def address(demo_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app as a server of its own over the small demo warehouse."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("app") / "server.log"
    command = [sys.executable, "-m", "streamlit", "run", "app/main.py", "--server.headless", "true"]
    command += ["--server.address", "127.0.0.1", "--server.port", str(port), "--server.fileWatcherType", "none"]
    environment = {**os.environ, "TRACEHOUSE_HOME": str(demo_home), "PYTHONPATH": str(ROOT)}
    with log.open("wb") as output:
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
        try:
            _wait_until_healthy(server, f"http://127.0.0.1:{port}/_stcore/health", log)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(timeout=20)


def _wait_until_healthy(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    for _ in range(300):
        assert server.poll() is None, log.read_text(encoding="utf-8")
        try:
            with urllib.request.urlopen(url, timeout=1):  # noqa: S310 - the test's own loopback server
                return
        except (urllib.error.URLError, TimeoutError):
            try:
                server.wait(timeout=0.2)
            except subprocess.TimeoutExpired:
                continue
    pytest.fail(f"the app did not get healthy: {log.read_text(encoding='utf-8')}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield started
        started.close()


def settle(page: Page) -> None:
    """Wait for the title, for the run of the script to end, and for what the browser loads after it."""
    page.wait_for_selector('[data-testid="stMainBlockContainer"] h1', timeout=60_000)
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]', timeout=60_000)
    page.wait_for_function(
        '!document.querySelector(\'[data-testid="stSkeleton"], [data-stale="true"]\')', timeout=60_000
    )


def problems(page: Page) -> list[str]:
    found = page.locator('[data-testid="stException"], [data-testid="stAlertContentError"]')
    return found.all_inner_texts()


def chip(page: Page) -> str:
    """What the first removable filter says."""
    text = page.locator('[class*="st-key-chip_0"] p').filter(has_text="=").first
    text.wait_for(timeout=30_000)
    return text.inner_text()


@pytest.mark.parametrize("path", PAGES)
def test_every_page_opens_without_an_error(browser: Browser, address: str, path: str, tmp_path: Path) -> None:
    folder = Path(os.environ.get("TRACEHOUSE_SHOTS") or tmp_path)
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    foreign: list[str] = []
    context.on("request", lambda request: foreign.append(request.url) if _is_foreign(request.url, address) else None)
    page = context.new_page()
    page.goto(f"{address}/{path}?since=all")
    for name, width, theme in SIZES:
        page.emulate_media(color_scheme=theme)
        page.set_viewport_size({"width": width, "height": 900})
        settle(page)
        height: int = page.evaluate("document.querySelector('[data-testid=\"stMain\"]').scrollHeight")
        page.set_viewport_size({"width": width, "height": max(height, 900)})
        settle(page)
        page.screenshot(path=folder / f"{path or 'overview'}-{name}.png")
        assert problems(page) == []
        assert page.locator('[data-testid="stMainBlockContainer"] h1').count() == 1
        seen, inner = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert seen <= inner, f"the page scrolls sideways on a {name}"
    assert foreign == [], "the page asked another server for something"
    context.close()


def _is_foreign(url: str, address: str) -> bool:
    return not url.startswith((address, address.replace("http", "ws"), "data:", "blob:"))


def test_a_click_on_a_bar_filters_and_the_address_opens_the_same_view(browser: Browser, address: str) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 1600})
    page.goto(f"{address}/costs?since=all")
    settle(page)
    bar = page.locator('[class*="st-key-cost_bars"] .mark-rect path').first
    bar.wait_for(timeout=30_000)
    bar.click()
    assert "trace_name=" in chip(page)
    settle(page)
    assert "where=trace_name%3D" in page.url
    cost = page.locator('[data-testid="stMetricValue"]').first.inner_text()

    copy = browser.new_page()
    copy.goto(page.url)
    settle(copy)
    assert chip(copy) == chip(page)
    assert copy.locator('[data-testid="stMetricValue"]').first.inner_text() == cost

    copy.get_by_role("link", name="Errors", exact=False).first.click()
    copy.wait_for_url("**/errors?**")
    settle(copy)
    assert chip(copy) == chip(page)
    page.close()
    copy.close()


def select_first_row(page: Page, key: str) -> None:
    grid = page.locator(f'[class*="st-key-{key}"] [data-testid="stDataFrame"] .dvn-scroller').first
    grid.wait_for(timeout=30_000)
    grid.scroll_into_view_if_needed()
    grid.click(position={"x": 20, "y": 52})


def test_a_click_on_a_row_filters_or_opens_the_detail(browser: Browser, address: str) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 2400})
    page.goto(f"{address}/costs?since=all&by=model")
    settle(page)
    select_first_row(page, "cost_table")
    assert "model=" in chip(page)
    settle(page)

    page.goto(f"{address}/costs?since=all&by=trace_id")
    settle(page)
    select_first_row(page, "cost_table")
    page.wait_for_url("**/trace?**trace=**", timeout=30_000)
    settle(page)
    assert problems(page) == []

    page.goto(f"{address}/sessions?since=all")
    settle(page)
    select_first_row(page, "sessions_table")
    page.wait_for_url("**/conversation?**session=**", timeout=30_000)
    settle(page)
    assert "since=all" in page.url
    assert problems(page) == []
    page.close()


def test_back_returns_to_the_view_before(browser: Browser, address: str) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{address}/?since=all")
    settle(page)
    page.goto(f"{address}/?since=all&where=trace_name~support")
    settle(page)
    assert page.locator('[class*="st-key-chip_0"]').count() == 1
    page.go_back()
    settle(page)
    page.wait_for_selector('[class*="st-key-chip_0"]', state="detached", timeout=30_000)
    assert "where" not in page.url
    page.close()


def test_from_the_errors_to_the_broken_span_in_three_clicks(browser: Browser, address: str) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 3200})
    page.goto(f"{address}/?since=all")
    settle(page)
    page.get_by_role("link", name="Errors", exact=True).first.click()
    page.wait_for_url("**/errors?**", timeout=30_000)
    settle(page)
    select_first_row(page, "error_groups")
    page.wait_for_url("**/errors?**group=**", timeout=30_000)
    settle(page)
    assert page.get_by_text("Affected users", exact=False).count() > 0
    select_first_row(page, "error_traces")
    page.wait_for_url("**/trace?**span=**", timeout=30_000)
    settle(page)
    assert page.get_by_text("Broke here", exact=False).count() > 0
    assert problems(page) == []
    page.close()


def test_from_escalations_to_the_turn_that_shows_why_in_four_clicks(browser: Browser, address: str) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 3200})
    page.goto(f"{address}/?since=all")
    settle(page)
    page.get_by_role("link", name="Flows", exact=True).first.click()
    page.wait_for_url("**/flows?**", timeout=30_000)
    settle(page)
    page.get_by_role("radio", name="Escalation triggers").click()
    select_first_row(page, "triggers_table")
    page.wait_for_url("**/flows?**trigger=**", timeout=30_000)
    settle(page)
    select_first_row(page, "trigger_sessions")
    page.wait_for_url("**/conversation?**turn=**", timeout=30_000)
    settle(page)
    page.get_by_text("Show the whole conversation", exact=False).wait_for(timeout=30_000)
    assert page.get_by_text("Escalated to a human", exact=False).count() > 0
    assert problems(page) == []
    page.close()


def test_a_statement_is_cancelled_and_another_taken_away_as_a_file(browser: Browser, address: str) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 1600})
    page.goto(f"{address}/sql")
    settle(page)
    editor, run = page.get_by_label("Statement", exact=True), page.get_by_role("button", name="Run", exact=False).first
    editor.fill("select count(*) from range(3000000) a, range(3000000) b")
    run.click()
    page.get_by_role("button", name="Cancel", exact=False).click(timeout=30_000)
    page.get_by_text("The statement was cancelled", exact=False).first.wait_for(timeout=30_000)

    editor.fill("select '=1' as formula, unnest([1, 2]) as n")
    run.click()
    page.get_by_role("button", name="Download CSV", exact=False).wait_for(timeout=30_000)
    assert problems(page) == []
    with page.expect_download() as csv:
        page.get_by_role("button", name="Download CSV", exact=False).click()
    assert csv.value.path().read_text(encoding="utf-8") == "formula,n\n'=1,1\n'=1,2\n"
    with page.expect_download() as parquet:
        page.get_by_role("button", name="Download Parquet", exact=False).click()
    assert parquet.value.path().read_bytes().startswith(b"PAR1")
    page.close()
