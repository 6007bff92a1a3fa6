"""The Reports page and the report itself: the numbers of the other pages, and text that does nothing."""

from __future__ import annotations

import email
import email.policy
import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from markdown_it import MarkdownIt
from streamlit.testing.v1 import AppTest

from app.alerts.channels import open_channel
from app.metrics.filters import Filters, parse_conditions, parse_filters
from app.metrics.windows import Window, parse_window
from app.reports import tables
from app.reports.cron import cron_line
from app.reports.data import Alerts, OpenAlert, Report, make_report
from app.reports.html import as_html
from app.reports.json_form import as_object
from app.reports.links import Links
from app.reports.markdown import as_markdown, inside, safe
from app.reports.message import message_of
from app.reports.sending import send_report
from app.store import Store
from app.ui.view import view_of
from etl.errors import ConfigError
from etl.settings import BudgetSettings, load_settings
from etl.settings_alerts import ChannelSettings
from tests.alerts.receivers import HttpReceiver, MailReceiver

OpenPage = Callable[..., AppTest]
END = datetime(2026, 11, 23)
BASE = "https://traces.example/app"
ALLOWED = {
    *("html", "head", "meta", "base", "title", "style", "body", "div", "h1", "h2", "p", "a", "img", "span", "br", "b"),
    *("table", "thead", "tbody", "tr", "th", "td", "ul", "li"),
}


def report_of(home: Path, since: str = "7d", *where: str, base_url: str = BASE, **more: Any) -> Report:
    settings = load_settings({"TRACEHOUSE_HOME": str(home)}, home)
    store = Store.open(settings)
    window = parse_window(since, None, store.as_of, settings.timezone)
    before = window.previous()
    filters = Filters(window, parse_conditions(where))
    compared = before if before.start < before.end else None
    return make_report(store, settings.timezone, filters, compared, base_url=base_url, **more)


class Elements(HTMLParser):
    """Every tag with its attributes, and the text between."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def assert_inert(html: str) -> Elements:
    """Nothing is fetched, nothing runs, and links lead into the app alone."""
    page = Elements(html)
    assert {tag for tag, _ in page.found} <= ALLOWED
    for tag, attributes in page.found:
        assert not [name for name in attributes if name.startswith("on") or name in ("srcset", "background", "action")]
        assert str(attributes.get("src", "data:image/svg+xml;base64,")).startswith("data:image/svg+xml;base64,")
        if tag == "a":
            assert str(attributes["href"]).startswith(f"{BASE}/")
    [style] = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    assert "url(" not in style
    assert "@import" not in style
    return page


def words(app: AppTest) -> str:
    texts = [*(element.value for element in app.markdown), *(element.value for element in app.caption)]
    return " ".join(texts).replace("\\", "").replace("\u2060", "")


def test_figures_are_those_of_the_overview(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("overview", traffic_home, since="5d")
    shown = {metric.label: (metric.value.replace("\\", ""), metric.delta) for metric in app.metric}
    made = report_of(traffic_home, "5d")
    for name in ("traces", "cost_usd", "sessions", "users", "latency_p95_ms", "satisfaction_avg", "resolved_rate"):
        figure = tables.figure(made, name)
        value, delta = shown[figure.label]
        assert figure.value == value, name
        assert figure.change == (delta or "").replace("\\", ""), name
    assert made.answer in words(app)


def test_the_page_shows_the_report_and_how_to_get_it(open_page: OpenPage, traffic_home: Path) -> None:
    app = open_page("reports", traffic_home, since="30d", where=["release!=web-9"])
    figures = {metric.label: metric.value for metric in app.metric}
    assert figures["Traces"] == "480"
    assert figures["Success rate"].replace("\\", "") == "95.8 %"
    assert [button.proto.label for button in app.get("download_button")] == [
        "Download HTML", "Download Markdown", "Download JSON",
    ]  # fmt: skip
    line = next(code.value for code in app.code if "crontab" not in code.value and "tracehouse sync" in code.value)
    assert line == (
        "0 7 1 * *  tracehouse sync; tracehouse report --period 30d --where 'release!=web-9' --format html"
        " -o /path/to/report.html"
    )
    assert any("No channel yet" in str(box.proto) for box in app.info)


def test_the_page_sends_to_a_channel(
    open_page: OpenPage, traffic_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver = HttpReceiver()
    monkeypatch.setenv("HOOK", f"http://127.0.0.1:{receiver.port}/hook")
    home = tmp_path / "home"
    home.mkdir()
    (home / "warehouse").symlink_to(traffic_home / "warehouse")
    (home / "tracehouse.toml").write_text(
        '[[channel]]\nname = "team"\nurl_env = "HOOK"\nallow_private = true\nretries = 0\n', encoding="utf-8"
    )
    try:
        app = open_page("reports", home, since="30d")
        app.button(key="send").click().run()
        assert not app.exception
        [request] = receiver.requests
        body = json.loads(request.body)
        assert body["report"]["summary"]["total_requests"] == 480
        assert [box.value.replace("\\", "") for box in app.success] == ["Sent to team (webhook)."]
    finally:
        receiver.close()
    app.button(key="send").click().run()
    assert not app.exception
    assert any("team" in box.value for box in app.error)


def test_links_open_the_same_moments_and_filters(traffic_home: Path) -> None:
    made = report_of(traffic_home, "7d", "release=web-2", 'user_id="a b&c"')
    query = parse_qs(urlsplit(made.links.to("costs", "model=gpt 4", part="Waste") or "").query)
    view = view_of(query)
    assert view.where == (*made.filters.where, "model=gpt 4")
    assert query["part"] == ["Waste"]
    again = parse_filters(query, made.as_of + timedelta(days=30), made.timezone)
    assert (again.window.start, again.window.end) == (made.filters.window.start, made.filters.window.end)
    assert again.window.previous().start == made.filters.window.previous().start
    assert view.compare == "previous"


@pytest.mark.parametrize("since", ["24h", "this_month", "all", "2026-11-15"])
def test_a_link_keeps_every_kind_of_period(traffic_home: Path, since: str) -> None:
    made = report_of(traffic_home, since)
    again = parse_filters(parse_qs(urlsplit(made.links.to("costs") or "").query), made.as_of, made.timezone).window
    kept = made.filters.window
    assert (again.start, again.end, again.previous().start) == (kept.start, kept.end, kept.previous().start)


def test_a_chosen_comparison_is_kept_in_links() -> None:
    window = parse_window("7d", None, END, load_settings({}, Path("/")).timezone)
    start = END - timedelta(days=60)
    chosen = Links(BASE, Filters(window), Window(start, start + timedelta(days=7)), END).to("costs")
    assert "compare=2026-09-24T00%3A00%3A00Z" in str(chosen)
    assert "compare=none" in str(Links(BASE, Filters(window), None, END).to("costs"))
    assert Links("", Filters(window), None, END).to("costs") is None
    with pytest.raises(ConfigError, match="no web address"):
        Links("javascript:alert(1)", Filters(window), None, END)


def test_hostile_text_stays_text(hostile_home: Path, hostile: str) -> None:
    alert = OpenAlert(hostile, hostile, "alert", END, f"{hostile} is high")
    budgets = (BudgetSettings(hostile, 1.0),)
    made = report_of(hostile_home, "30d", alerts=Alerts("alert", (alert,)), budgets=budgets)
    page = assert_inert(as_html(made))
    assert hostile in page.text
    assert_inert(message_of(made).html)
    text = as_markdown(made)
    rendered = Elements(MarkdownIt("commonmark", {"html": True}).enable("table").render(text))
    assert not {"img", "script", "iframe", "code"} & {tag for tag, _ in rendered.found}
    links = [str(attributes["href"]) for tag, attributes in rendered.found if tag == "a"]
    assert links
    assert all(link.startswith(f"{BASE}/") for link in links)
    assert "[a](javascript" not in text
    assert hostile in rendered.text.replace("\u2060", "")


@pytest.mark.parametrize(
    "text",
    ["# heading", "1. list", "- item", "a | b", "<b>", "![x](y)", "*b* _i_ `c`", "&lt;", "[1]", "x\ny", "=> z", "\\"],
)
def test_markdown_shows_any_text_as_it_is(text: str) -> None:
    assert len(safe(text).splitlines()) == 1
    shown = (
        MarkdownIt("commonmark")
        .enable("table")
        .render(f"| x |\n|---|\n| {inside(text)} |\n\n- {safe(text)}\n\n[1]: <y>")
    )
    page = Elements(shown)
    assert {tag for tag, _ in page.found} <= {"table", "thead", "tbody", "tr", "th", "td", "ul", "li"}
    assert page.text.count(text.replace("\n", " ")) == 2


def test_markdown_leaves_what_is_no_markup_readable() -> None:
    plain = "docs_rag cost $5.20, +18 % at 10:30 (a-b)"
    assert safe(plain) == plain


def test_an_email_reads_without_pictures_and_brings_the_file(traffic_home: Path) -> None:
    receiver = MailReceiver()
    address = f"mailto://bot:key@127.0.0.1:{receiver.port}/?from=bot@example.com&to=one@example.com"
    try:
        send_report(open_channel(ChannelSettings("post", "POST"), {"POST": address}), report_of(traffic_home, "5d"))
        [letter] = receiver.letters
    finally:
        receiver.close()
    read = email.message_from_bytes(letter.data, policy=email.policy.default)
    assert isinstance(read, EmailMessage)
    assert read["Subject"] == "Performance report, last 5 days"
    html = read.get_body(("html",))
    assert html is not None
    page = assert_inert(html.get_content())
    assert "img" not in {tag for tag, _ in page.found}
    assert "The attached file is this report with its charts." in page.text
    assert len(letter.data.partition(b"report.html")[0]) < 100_000, "mail programs cut a long letter off"
    [file] = list(read.iter_attachments())
    assert file.get_filename() == "report.html"
    assert "data:image/svg+xml;base64," in file.get_content()


def test_without_traffic_it_says_so(empty_home: Path) -> None:
    made = report_of(empty_home)
    page = assert_inert(as_html(made))
    assert "There is no traffic in this period." in page.text
    assert "img" not in {tag for tag, _ in page.found}
    assert "no traffic" in as_markdown(made)
    assert as_object(made)["summary"]["total_requests"] == 0


@pytest.fixture(scope="module")
def bare_home(
    tmp_path_factory: pytest.TempPathFactory, publish: Callable[..., Path], observed: Callable[..., dict[str, Any]]
) -> Path:
    """Forty spans without session, user, score, price, error or end."""
    rows = [
        observed(f"t-{n}", f"o-{n}", END - timedelta(hours=4 * n + 1), end_time=END if n else None, tags=[])
        for n in range(40)
    ]
    return publish(tmp_path_factory.mktemp("bare"), rows)


def test_what_a_site_lacks_is_said(bare_home: Path, validate: Callable[[str, Any], None]) -> None:
    made = report_of(bare_home)
    page = assert_inert(as_html(made))
    for sentence in ("No errors: every trace ran through.", "There are no scores in this period.", "Set session_id"):
        assert sentence in page.text
    shown = as_object(made)
    validate("report", json.loads(json.dumps(shown)))
    figures = {each["metric"]: each for each in shown["summary"]["figures"]}
    assert figures["sessions"]["value"] is None
    assert figures["sessions"]["shown"] == "—"
    assert shown["top_errors"] == []


def test_every_form_has_the_numbers(traffic_home: Path, validate: Callable[[str, Any], None]) -> None:
    alert = OpenAlert("errors", "", "warning", END, "Error rate: 8 % over 1 hour")
    made = report_of(traffic_home, "5d", alerts=Alerts("warning", (alert,)))
    shown = as_object(made)
    validate("report", json.loads(json.dumps(shown, allow_nan=False)))
    html, text = Elements(as_html(made)).text, as_markdown(made)
    for figure in shown["summary"]["figures"]:
        assert figure["shown"] in html
        assert figure["shown"] in text
    assert shown["top_errors"][0]["occurrences"] == sum(row["occurrences"] for row in shown["top_errors"])
    assert shown["top_errors"][0]["share"] == 1
    parts = sum(part["delta_usd"] for part in shown["cost_breakdown"]["bridge"])
    costs = shown["cost_breakdown"]
    assert parts == pytest.approx(costs["total_usd"] - costs["previous_usd"], abs=1e-9)
    assert sum(row["cost_usd"] for row in costs["by_model"]) == pytest.approx(costs["total_usd"], abs=1e-9)
    assert sum(row["requests"] for row in shown["performance_trends"]["rows"]) == shown["summary"]["total_requests"]
    assert "Error rate: 8 %" in html
    assert "errors, since 2026-11-23 00:00: Error rate" in text


def test_cron_takes_no_sign_for_its_own() -> None:
    window = parse_window("7d", None, END, load_settings({}, Path("/")).timezone)
    filters = Filters(window, parse_conditions(["trace_name=50% off; rm -rf 'x'"]), "p")
    line = cron_line(filters, channel="team mail")
    assert re.search(r"(?<!\\)%", line) is None
    assert line.startswith("0 7 * * 1  tracehouse sync; tracehouse report --period 7d --where ")
    assert line.endswith("--project p --format html -o /path/to/report.html --send 'team mail'")
