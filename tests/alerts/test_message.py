from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import settings as bounded
from hypothesis import strategies as st

from app.alerts.message import message_for, trial_message
from app.alerts.notice import Notice
from app.alerts.webhook import body_of
from app.metrics.filters import parse_filters
from etl.settings import Settings, load_settings
from tests.alerts.test_notice import FIRING

Configured = Callable[..., Settings]
AT = FIRING.at
HOUR = replace(FIRING, window="1 hour", window_from=AT - timedelta(hours=1))
DISPLAY = '[display]\nbase_url = "https://traces.example/"\n'
EVIL = "x<img src=https://evil.example/x.png> ![i](https://evil.example/i) @everyone <!channel> `a` *b*\r\nBcc: me"


@pytest.fixture
def settings(configured: Configured) -> Settings:
    return configured(DISPLAY)


# fmt: off
CASES = [
    (FIRING, "ALERT slow answers: mean latency 12.3 s (limit 10.0 s)",
     "Mean latency: 12.3 s over the latest 100 traces, above the alert limit of 10.0 s."),
    (replace(HOUR, kind="worse", level="alert", before="warning"),
     "ALERT slow answers: mean latency 12.3 s (limit 10.0 s)",
     "Mean latency: 12.3 s over 1 hour, above the alert limit of 10.0 s."),
    (replace(HOUR, kind="better", level="warning", before="alert", threshold=8000.0, value=9100.0),
     "DOWN TO WARNING slow answers: mean latency 9.1 s (limit 8.0 s)",
     "Mean latency: 9.1 s over 1 hour, above the warning limit of 8.0 s."),
    (replace(HOUR, kind="repeat"), "STILL ALERT slow answers: mean latency 12.3 s (limit 10.0 s)",
     "Mean latency: 12.3 s over 1 hour, above the alert limit of 10.0 s."),
    (replace(HOUR, kind="recovered", level="ok", before="alert", value=4200.0, since=AT - timedelta(minutes=90)),
     "RECOVERED slow answers: mean latency 4.2 s (limit 10.0 s)",
     "Mean latency: 4.2 s over 1 hour. Back to normal after 1 h 30 m. The limit is 10.0 s."),
    (replace(HOUR, kind="no_data", level="no_data", value=None, n=0, threshold=None),
     "NO DATA slow answers: no traces", "No traces over 1 hour, so there is no mean latency."),
    (replace(HOUR, value=None, n=0, threshold=None), "ALERT slow answers: no traces",
     "No traces over 1 hour, so there is no mean latency, which this rule takes as an alert."),
    (replace(HOUR, below=True, level="warning", value=0.61, threshold=0.8, format="rate", label="Resolved rate"),
     "WARNING slow answers: resolved rate 61.0 % (limit 80.0 %)",
     "Resolved rate: 61.0 % over 1 hour, below the warning limit of 80.0 %."),
    (replace(HOUR, value=97.3, baseline=41.2, threshold=0.5, format="money", label="Cost", window="today"),
     "ALERT slow answers: cost $97.30 (+136 %, limit +50 %)",
     "Cost: $97.30 today, +136 % against $41.20 in the same hours of earlier weeks, above the alert limit of +50 %."),
    (replace(HOUR, value=7500.0, threshold=3600.0, format="seconds", label="Time since the last good sync",
             window_from=None, window=""),
     "ALERT slow answers: time since the last good sync 2 h 05 m (limit 1 h 00 m)",
     "Time since the last good sync: 2 h 05 m, above the alert limit of 1 h 00 m."),
    (replace(HOUR, group="checkout", dimension="trace_name"),
     "ALERT slow answers (checkout): mean latency 12.3 s (limit 10.0 s)",
     "Mean latency: 12.3 s over 1 hour, above the alert limit of 10.0 s."),
]
# fmt: on


@pytest.mark.parametrize(("notice", "subject", "sentence"), CASES)
def test_every_kind_says_what_how_much_and_against_what(
    settings: Settings, notice: Notice, subject: str, sentence: str
) -> None:
    message = message_for([notice], settings)
    assert message.subject == subject
    for form in (message.text, message.summary, message.markdown):
        assert sentence in form
    assert sentence in Page.of(message.html).text


class Page(HTMLParser):
    """Text, tags and addresses of a document."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self.tags: list[str] = []
        self.loaded: list[str] = []
        self.links: list[str] = []

    @classmethod
    def of(cls, html: str) -> Page:
        page = cls()
        page.feed(html)
        return page

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loaded += [str(value) for name, value in attrs if name in ("src", "srcset", "background")]
        self.links += [str(value) for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_since_when_on_the_display_zones_clock(configured: Configured) -> None:
    lisbon = configured('[display]\ntimezone = "America/Sao_Paulo"\n')
    text = message_for([HOUR], lisbon).text
    assert "  since   2026-11-26 01:50, for 10 m\n" in text
    assert "  window  2026-11-26 01:00 to 02:00, 100 traces\n" in text
    assert "Times are America/Sao_Paulo." in text


def test_an_end_says_how_long_it_lasted(settings: Settings) -> None:
    over = replace(HOUR, kind="recovered", level="ok", value=1.0, since=AT - timedelta(hours=30))
    assert "  from    2026-11-24 23:00 to 2026-11-26 05:00\n" in message_for([over], settings).text


TEXT = st.text(st.characters(codec="utf-8"), max_size=30)


@bounded(deadline=None, max_examples=50)
@given(group=TEXT, value=TEXT, project=st.text("abc-é", max_size=5))
def test_link_and_command_open_the_same_selection(
    group: str, value: str, project: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    settings = _settings(tmp_path_factory)
    where = (f"tag={json.dumps(value)}",) if value.isprintable() and value.strip() else ()
    notice = replace(HOUR, group=group, dimension="trace_name", where=where, project=project)
    [told] = message_for([notice], settings).json["notices"]
    link = urlsplit(told["link"])
    assert (link.scheme, link.netloc, link.path) == ("https", "traces.example", "/performance")
    linked = parse_filters(parse_qs(link.query), AT, ZoneInfo("UTC"))
    assert (linked.window.start, linked.window.end, linked.project) == (HOUR.window_from, AT, project or None)
    [of_group] = [condition for condition in linked.conditions if condition.dimension == "trace_name"]
    assert of_group.values == (None if group in ("", "(none)") else group,)
    if told["command"] is not None:
        words = shlex.split(told["command"])
        assert words[:4] == ["tracehouse", "query", "--metrics", "latency_mean_ms"]
        named: dict[str, list[str]] = {}
        for option, argument in zip(words[4::2], words[5::2], strict=True):
            named.setdefault(option.removeprefix("--"), []).append(argument)
        assert parse_filters(named, AT, ZoneInfo("UTC")).conditions == linked.conditions


def _settings(factory: pytest.TempPathFactory) -> Settings:
    home = factory.getbasetemp()
    path = home / "linked.toml"
    path.write_text(DISPLAY, encoding="utf-8")
    return load_settings({"TRACEHOUSE_CONFIG": str(path), "TRACEHOUSE_HOME": str(home)}, home)


@pytest.mark.parametrize(
    ("metric", "page"),
    [
        ("cost_usd", "costs"),
        ("error_rate", "errors"),
        ("latency_p95_ms", "performance"),
        ("score_avg:helpful", "quality"),
        ("escalation_rate", "flows"),
        ("sessions", "sessions"),
        ("lag_s", "data_health"),
        ("traces", "overview"),
    ],
)
def test_a_link_leads_to_the_page_that_explains_the_metric(settings: Settings, metric: str, page: str) -> None:
    [told] = message_for([replace(HOUR, metric=metric)], settings).json["notices"]
    assert urlsplit(told["link"]).path == f"/{page}"
    assert (Path(__file__).parents[2] / "pages" / f"{page}.py").is_file()


def test_without_a_base_address_there_is_no_link(configured: Configured) -> None:
    message = message_for([HOUR], configured())
    assert "http" not in message.text + message.markdown + message.html
    assert message.json["notices"][0]["link"] is None


def test_names_from_the_data_stay_text(settings: Settings) -> None:
    notice = replace(HOUR, rule=EVIL, group=EVIL, dimension="trace_name", label=EVIL, where=(f"tag={EVIL}",))
    message = message_for([notice, replace(notice, group="other")], settings)
    page = Page.of(message.html)
    assert page.loaded == []
    assert "img" not in page.tags
    assert {urlsplit(link).netloc for link in page.links} == {"traces.example"}
    assert "<img src=https://evil.example/x.png>" in page.text
    for line in message.text.splitlines():
        assert not line.startswith("Bcc:")
    for form in (message.summary, message.markdown):
        data = re.sub(r"\(?<?https://traces\.example/\S+", "", form)
        assert "://" not in data
        assert "@everyone" not in data
        assert "<" not in data
        assert "](" not in data.replace("[Open in tracehouse]", "")


def test_several_are_one_message_the_gravest_first(settings: Settings) -> None:
    notices = [
        replace(HOUR, rule="fine again", kind="recovered", level="ok"),
        replace(HOUR, rule="careful", level="warning"),
        replace(HOUR, rule="bad", kind="repeat"),
        HOUR,
        replace(HOUR, rule="quiet", kind="no_data", level="no_data", value=None),
    ]
    message = message_for(notices, settings)
    names = "bad, slow answers and 3 more"
    assert message.subject == f"2 alerts, 1 without data, 1 warning, 1 recovered: {names}"
    assert message.urgency == "failure"
    told = [each["rule"] for each in message.json["notices"]]
    assert told == ["bad", "slow answers", "quiet", "careful", "fine again"]
    assert message_for(notices[:1], settings).urgency == "success"


def test_what_is_furthest_beyond_its_limit_comes_first(settings: Settings) -> None:
    groups = {"a": 11_000.0, "b": 60_000.0, "c": 15_000.0, "d": 12_000.0}
    notices = [replace(HOUR, group=name, dimension="tag", value=value) for name, value in groups.items()]
    doubled = replace(HOUR, rule="cost", value=30.0, baseline=10.0, threshold=0.5)
    low = replace(HOUR, rule="resolved", below=True, value=0.1, threshold=0.8)
    message = message_for([low, *notices, doubled], settings)
    told = [(each["rule"], each["group"]) for each in message.json["notices"]]
    slow = [("slow answers", name) for name in "bcda"]
    assert told == [slow[0], ("cost", ""), ("resolved", ""), *slow[1:]]
    assert message.subject == "6 alerts: slow answers (b, c and 2 more), cost, resolved"


def test_what_is_left_out_is_said(settings: Settings) -> None:
    notices = [replace(HOUR, group=f"user-{number:02}", dimension="user_id") for number in range(60)]
    message = message_for(notices, settings)
    assert message.text.count("ALERT: ") == 50
    assert "And 10 more (10 alerts): `tracehouse alerts history` lists them." in message.text
    assert "And 10 more (10 alerts)" in message.html
    assert message.summary.count("ALERT: ") == 5
    assert "And 55 more (55 alerts)" in message.summary
    assert "And 55 more (55 alerts)" in message.markdown
    assert len(message.json["notices"]) == 60


def test_a_long_name_leaves_room_for_the_number(settings: Settings) -> None:
    subject = message_for([replace(HOUR, group="u" * 500, dimension="user_id")], settings).subject
    assert len(subject) < 150
    assert subject.endswith("mean latency 12.3 s (limit 10.0 s)")


def test_a_second_copy_is_marked_and_has_the_same_id(settings: Settings) -> None:
    first, again = message_for([HOUR], settings), message_for([replace(HOUR, duplicate=True)], settings)
    assert first.key == again.key
    for form in (again.text, again.summary, again.markdown, again.html):
        assert "ent again after an interruption: you may have this already" in form
    assert "interruption" not in first.text


def test_the_body_of_a_webhook_has_the_shape_of_the_contract(
    settings: Settings, validate: Callable[[str, Any], None]
) -> None:
    for notice in (FIRING, replace(HOUR, value=float("nan")), replace(HOUR, window_from=None, value=None)):
        validate("webhook", json.loads(body_of(message_for([notice], settings))))
    validate("webhook", json.loads(body_of(trial_message("hook", datetime(2026, 11, 26), settings))))
