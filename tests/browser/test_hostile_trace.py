"""Text that wants to load, run or follow something does none of it: the browser asks no other machine for anything."""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from etl.settings import Definitions
from etl.transform import transform

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), "")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking")
END = datetime(2026, 11, 23)
EVIL = (
    "![m](https://evil.example/markdown.png) [![b](http://evil.example/b.svg)](http://evil.example) "
    '<img src="https://evil.example/img.png" onerror="fetch(\'https://evil.example/onerror\')"> '
    '<script src="https://evil.example/s.js"></script><script>fetch("https://evil.example/fetch")</script> '
    "[link](javascript:fetch('https://evil.example/js')) <iframe src=https://evil.example/frame></iframe> "
    "<style>@import url(https://evil.example/css);</style> www.evil.example https://evil.example/bare :red[x] "
    '"><svg onload="fetch(\'https://evil.example/svg\')">'
)
SVG = base64.b64encode(
    b'<svg xmlns="http://www.w3.org/2000/svg"><image href="https://evil.example/in.svg"/></svg>'
).decode()

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine (Debian: apt-get install chromium)"),
]


def row(identity: str, **columns: Any) -> dict[str, Any]:
    content = [
        {"type": "text", "text": EVIL},
        {"type": "image_url", "image_url": {"url": "https://evil.example/part.png"}},
        {"type": "image_url", "image_url": {"url": f"data:image/svg+xml;base64,{SVG}"}},
        {"type": "input_audio", "input_audio": {"data": SVG, "format": "wav"}},
        {"type": "image", "source": {"type": "url", "url": "https://evil.example/anthropic.png"}},
        {"type": "image_url", "image_url": {"url": "@@@langfuseMedia:type=image/png|id=evil|source=bytes@@@"}},
    ]
    return {
        "project_id": "p",
        "trace_id": "evil",
        "observation_id": identity,
        "family": "modern",
        "type": "GENERATION",
        "name": EVIL,
        "trace_name": EVIL,
        "start_time": END - timedelta(hours=1),
        "end_time": END - timedelta(minutes=50),
        "updated_at": END,
        "is_root_observation": True,
        "is_synthetic": False,
        "level": "ERROR",
        "status_message": EVIL,
        "environment": EVIL[:60],
        "release": EVIL,
        "user_id": EVIL,
        "session_id": EVIL,
        "tags": [EVIL],
        "model": EVIL[:120],
        "prompt_name": EVIL,
        "prompt_version": 1,
        "model_parameters": json.dumps({"stop": EVIL, EVIL: 1}),
        "metadata": json.dumps({EVIL: EVIL, "nested": {"a": [EVIL]}}),
        "input": json.dumps([{"role": "user", "content": content}]),
        "output": json.dumps({"role": "assistant", "content": EVIL, "tool_calls": [{"name": EVIL, "arguments": EVIL}]}),
        "run_id": "r",
        **columns,
    }


@pytest.fixture(scope="module")
def evil_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("evil")
    folder = home / "warehouse" / "snapshots"
    folder.mkdir(parents=True)
    rows = [row("root"), row("plain", parent_observation_id="root", is_root_observation=False, input=EVIL, output=EVIL)]
    with duckdb.connect(str(folder / "1.duckdb")) as connection:
        for migration in sorted((ROOT / "etl" / "migrations").glob("*.sql")):
            connection.execute(migration.read_text(encoding="utf-8"))
        connection.execute("insert into meta.schema_version values (1, 'raw', $now)", {"now": END})
        connection.execute("insert into meta.as_of values ($now, 'r', false)", {"now": END})
        connection.execute(
            "insert into raw.projects values ('p', $n, null, null, null, 'https://evil.example', 'r')", {"n": EVIL}
        )
        for each in rows:
            names = ", ".join(each)
            connection.execute(
                f"insert into raw.observations ({names}) values ({', '.join(f'${name}' for name in each)})", each
            )
        score = {"n": EVIL, "t": END}
        connection.execute(
            "insert into raw.scores (project_id, score_id, name, data_type, string_value, comment, subject_kind,"
            " trace_id, observation_id, scored_at, run_id)"
            " values ('p', 's', $n, 'CATEGORICAL', $n, $n, 'observation', 'evil', 'root', $t, 'r')",
            score,
        )
        transform(connection, Definitions(), END)
    (home / "warehouse" / "current.duckdb").symlink_to("snapshots/1.duckdb")
    return home


@pytest.fixture(scope="module")
def address(evil_home: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app/main.py", "--server.headless", "true"]
    command += ["--server.address", "127.0.0.1", "--server.port", str(port), "--server.fileWatcherType", "none"]
    environment = {**os.environ, "TRACEHOUSE_HOME": str(evil_home), "PYTHONPATH": str(ROOT)}
    with (evil_home / "server.log").open("wb") as output:
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
        try:
            for _ in range(300):
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1):
                        break
                except (urllib.error.URLError, TimeoutError):
                    try:
                        server.wait(timeout=0.2)
                    except subprocess.TimeoutExpired:
                        continue
                    pytest.fail("the app ended")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(timeout=20)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield started
        started.close()


def settle(page: Page) -> None:
    page.wait_for_selector('[data-testid="stMainBlockContainer"] h1', timeout=60_000)
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]', timeout=60_000)
    page.wait_for_function(
        '!document.querySelector(\'[data-testid="stSkeleton"], [data-stale="true"]\')', timeout=60_000
    )


def test_nothing_leaves_this_machine(browser: Browser, address: str) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 6000})
    asked: list[str] = []

    def watch(url: str) -> None:
        if not url.startswith((address, address.replace("http", "ws"), "data:", "blob:")):
            asked.append(url)

    context.on("request", lambda request: watch(request.url))
    page = context.new_page()
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    opened: list[int] = []
    for path, views in (
        ("trace?trace=evil&span=root", ("Tree", "Text")),
        ("trace?trace=evil&span=plain", ()),
        ("trace", ()),
    ):
        page.goto(f"{address}/{path}{'&' if '?' in path else '?'}since=all")
        settle(page)
        if views:
            page.get_by_role("radio", name=views[0]).first.wait_for(timeout=60_000)
        for name in views:
            for button in page.get_by_role("radio", name=name).all():
                button.click()
            settle(page)
            opened.append(page.get_by_role("radio", name=name).count())
        for toggle in page.locator('[data-testid="stCheckbox"] label').all():
            toggle.click()
            settle(page)
            opened.append(1)
        for box in page.locator('[data-testid="stExpander"] summary').all():
            box.click()
        settle(page)
        page.wait_for_load_state("networkidle", timeout=60_000)  # a request that should not come would have begun
        found = page.locator("[data-testid='stMain'] img, [data-testid='stMain'] iframe").evaluate_all(
            "nodes => nodes.map(node => node.src)"
        )
        assert [source for source in found if "evil" in source] == []
        links = page.locator("[data-testid='stMain'] a").evaluate_all("nodes => nodes.map(node => node.href)")
        outward = [link for link in links if not link.startswith(address)]
        # The only way out is the link to Langfuse, and it takes a click.
        assert all(link.startswith("https://evil.example/project/p/traces/evil") for link in outward), outward
        assert page.locator('[data-testid="stException"]').count() == 0
        if path != "trace":
            page.locator("[data-testid='stMain']").get_by_text("evil.example").first.wait_for(timeout=60_000)
    assert len(opened) >= 4, "there was nothing to open: the test sees no payload"
    assert asked == [], "the page asked another server for something"
    assert dialogs == []
    context.close()
