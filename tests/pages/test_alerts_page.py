"""The Alerts page over a ledger that checks have written: its words and numbers are those of the commands."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import polars as pl
import pytest
from click.testing import CliRunner
from streamlit.testing.v1 import AppTest

from app.alerts.check import check, last_check
from app.alerts.diary import read_diary, span_of
from app.alerts.examples import CHANNEL, RULE
from app.alerts.notice import Notice
from app.alerts.output import outcome_json
from app.alerts.rules import rules
from app.alerts_command import alerts
from app.metrics.windows import parse_window
from app.store import Store
from etl.errors import ChannelFailed
from etl.settings import Definitions, Settings, load_settings
from etl.settings_alerts import AlertSettings, ChannelSettings
from etl.state import Run, State

OpenPage = Callable[..., AppTest]
END = datetime(2026, 11, 23)
CONFIG = """
[[alert]]
name = "errors by release"
metric = "error_rate"
by = "release"
window = "2d"
every = "6h"
warn = 0.02
alert = 0.5
min_n = 5

[[alert]]
name = "traffic"
metric = "traces"
window = "1d"
every = "6h"
warn = 40
channels = ["hook"]

[[alert]]
name = "typo"
metric = "eror_rate"
alert = 1

[[alert]]
name = "daily cost"
metric = "cost_usd"
alert = 1
enabled = false

[[channel]]
name = "hook"
url_env = "HOOK"

[[channel]]
name = "dead"
url_env = "DEAD"
"""


@dataclass(frozen=True)
class Site:
    """A home that has been looked at four times over two days; ``found`` is what the last check printed as JSON."""

    settings: Settings
    found: dict[str, Any]

    def alert(self, rule: str, group: str) -> dict[str, Any]:
        return next(each for each in self.found["alerts"] if (each["rule"], each["group"]) == (rule, group))


def home_of(folder: Path, warehouse: Path, config: str) -> Settings:
    """The warehouse of another home with a state and a configuration of its own."""
    (folder / "warehouse").symlink_to(warehouse / "warehouse")
    (folder / "tracehouse.toml").write_text(config, encoding="utf-8")
    return load_settings({"TRACEHOUSE_HOME": str(folder)}, folder)


def look(settings: Settings, hours: Sequence[float], deliver: Any) -> Any:
    """Checks so many hours before the end of the data."""
    store = Store.open(settings)
    outcome, as_of = None, store.as_of
    for back in hours:
        store.as_of = END - timedelta(hours=back)
        outcome = check(settings, store, store.as_of + timedelta(minutes=1), deliver=deliver)
    store.as_of = as_of
    return outcome


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, traffic_home: Path) -> Site:
    settings = home_of(tmp_path_factory.mktemp("alerted"), traffic_home, CONFIG)
    first: set[str] = set()

    def deliver(channel: str, notices: Sequence[Notice]) -> None:
        if channel == "dead":
            raise ChannelFailed("The server answered 500", may_have_arrived=False)
        if channel not in first:
            first.add(channel)
            raise ChannelFailed("No answer in 10 s", may_have_arrived=True)

    outcome = look(settings, (48, 36, 18, 0), deliver)
    return Site(settings, outcome_json(outcome, settings))


def texts(app: AppTest) -> str:
    kinds = ("markdown", "caption", "info", "warning", "error")
    parts = [str(element.value) for kind in kinds for element in app.get(kind)]
    titles = [str(box.proto) for kind in ("info", "warning") for box in app.get(kind)]
    return " ".join([*parts, *titles]).replace("\\", "").replace("\u2060", "")


def figures(app: AppTest) -> dict[str, str]:
    return {metric.label.replace("\\", ""): metric.value.replace("\\", "") for metric in app.metric}


def rows(app: AppTest, column: str) -> Any:
    """The first table that has this column."""
    return next(table.value for table in app.dataframe if column in table.value.columns)


def test_it_says_what_the_check_found(open_page: OpenPage, site: Site) -> None:
    app = open_page("alerts", site.settings.home)
    said = texts(app)
    assert "3 rules fire: errors (alert), errors by release (warning, web-2) and traffic (warning)." in said
    assert "1 rule can't look and 1 channel fails" in said
    assert f"Overall: {site.found['overall']}" in said
    levels = [each["level"] for each in site.found["alerts"]]
    assert figures(app) == {
        "In alert": str(levels.count("alert")),
        "In warning": str(levels.count("warning")),
        "No data": "0",
        "Too little to say": "2",  # the rules about a sync that has never run
        "Rules that can't look": str(len(site.found["failed_rules"])),
        "Channels that fail": str(len(site.found["failed_channels"])),
    }
    for each in site.found["alerts"]:
        assert each["sentence"] in said
    assert "told: hook; not yet dead · no look after 2026-11-22 01:00 says anything" in said
    assert "There is no metric 'eror_rate'" in said
    assert "Channel dead fails: The server answered 500" in said


def test_an_alert_links_to_its_window_and_conditions(open_page: OpenPage, site: Site) -> None:
    app = open_page("alerts", site.settings.home)
    links = {link.proto.page: link.proto.query_string for link in app.get("page_link") if link.proto.label == "Explain"}
    found = site.alert("errors by release", "web-2")
    address = parse_qs(links["errors"])
    assert address["where"] == ["release=web-2"]
    assert address["until"] == [found["at"]]
    assert address["since"] == [f"{(datetime.fromisoformat(found['at'][:-1]) - timedelta(days=2)).isoformat()}Z"]
    opened = open_page(
        "errors", site.settings.home, since=address["since"][0], until=address["until"][0], where=address["where"]
    )
    assert figures(opened)["Error rate"] == f"{100 * found['value']:.1f} %"


def test_every_rule_is_listed_with_what_it_says(open_page: OpenPage, site: Site) -> None:
    table = rows(open_page("alerts", site.settings.home), "condition").set_index("rule")
    assert table.index.to_list()[:4] == ["errors", "errors by release", "traffic", "typo"], "the gravest first"
    assert table["state"].to_dict() == {
        "errors": "alert",
        "errors by release": "warning",
        "traffic": "warning",
        "typo": "can't look",
        "slow answers": "ok",
        "sync is late": "not known",
        "sync fails": "not known",
        "daily cost": "off",
    }
    row = table.loc["errors by release"]
    assert row["condition"] == "warning > 2.0 %, alert > 50.0 %"
    assert row["value"] == f"{100 * site.alert('errors by release', 'web-2')['value']:.1f} %"
    assert (row["metric"], row["window"], row["origin"]) == ("Error rate, for each release", "2 days", "configured")
    assert (row["firing"], row["groups"]) == (1, 2)
    assert list(table.loc["traffic", "channels"]) == ["hook"]
    assert table["origin"]["errors"] == "comes along"


def test_a_rule_opens_with_what_it_saw(open_page: OpenPage, site: Site) -> None:
    app = open_page("alerts", site.settings.home, rule="errors by release", since="30d")
    assert "Error rate, over 2 days, for each release, at least 5 traces; warning > 2.0 % and alert > 50.0 %" in texts(
        app
    )
    [chart] = app.get("vega_lite_chart")
    looks = drawn(chart)
    last = looks.filter(group="web-2").sort("time").row(-1, named=True)
    found = site.alert("errors by release", "web-2")
    assert (last["value"], last["n"], last["level"]) == (found["value"], found["n"], "warning")
    assert f"{last['time']:%Y-%m-%dT%H:%M}" == found["at"][:16]
    assert set(looks["warn"]) == {0.02}
    assert f"last {100 * found['value']:.1f} % (web-2) at 2026-11-22 18:00" in chart.proto.alt
    groups = rows(app, "since").set_index("group")
    assert groups["level"].to_dict() == {"web-2": "warning", "web-1": "ok"}
    assert groups["n"]["web-2"] == found["n"]


def drawn(chart: Any) -> pl.DataFrame:
    """The largest data set of a chart."""
    return max((pl.read_ipc_stream(each.data.data) for each in chart.proto.datasets), key=lambda frame: frame.height)


def test_nothing_is_replayed_unasked_and_then_as_the_command_does(open_page: OpenPage, site: Site) -> None:
    app = open_page("alerts", site.settings.home, rule="errors by release")
    assert "Would have fired" not in figures(app)
    app.number_input[0].set_value(0.5)
    next(button for button in app.button if button.label == "Replay over all of history").click()
    app.run()
    assert not app.exception
    arguments = ["backtest", "errors by release", "--per-week", "0.5", "--json"]
    done = CliRunner().invoke(alerts, arguments, obj=site.settings, standalone_mode=False)
    answer = json.loads(done.output)
    assert answer["firing_count"] > 0
    shown = figures(app)
    assert shown["Would have fired"] == str(answer["firing_count"])
    assert shown["A week"] == f"{answer['per_week']:.2f}"
    assert shown["Time in warning"] == f"{100 * answer['levels']['warning']:.1f} %"
    assert f"alert = {answer['threshold']['value']:g}" in " ".join(block.value for block in app.code)
    listed = rows(app, "peak")
    assert [f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in listed["since"]] == [
        each["since"] for each in reversed(answer["firings"])
    ]
    assert list(listed["n"]) == [each["n"] for each in reversed(answer["firings"])]


def test_history_and_deliveries_are_those_of_the_command(open_page: OpenPage, site: Site) -> None:
    app = open_page("alerts", site.settings.home, since="30d", history_rule="errors by release")
    done = CliRunner().invoke(
        alerts, ["history", "--since", "2026-10-20", "--json"], obj=site.settings, standalone_mode=False
    )
    answer = json.loads(done.output)["history"]
    mine = [each for each in answer if each["rule"] == "errors by release"]
    shown = rows(app, "told")
    assert [f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in shown["at"]] == [each["at"] for each in mine]
    assert list(shown["n"]) == [each["n"] for each in mine]
    sent = rows(app, "duplicate")
    kept = [(each, sending) for each in answer for sending in each["deliveries"]]
    assert len(sent) == len(kept)
    assert sent["duplicate"].sum() == sum(sending["is_duplicate"] for _, sending in kept) > 0
    assert set(sent["error"].dropna()) == {"The server answered 500"}
    channels = rows(app, "last_sent").set_index("channel")
    assert channels["state"].to_dict() == {"hook": "works", "dead": "fails"}
    assert channels["waiting"]["dead"] == site.found["failed_channels"][0]["waiting"]
    assert channels["sent"]["hook"] == sum(sending["status"] == "sent" for _, sending in kept)
    app.selectbox(key="status").set_value("waiting").run()
    assert set(rows(app, "duplicate")["channel"]) == {"dead"}
    app.selectbox(key="history_level").set_value("alert").run()
    assert "Nothing of that in this period" in texts(app)


def test_a_long_history_is_read_in_parts(site: Site) -> None:
    diary = read_diary(site.settings, END - timedelta(days=30), END + timedelta(days=1))
    whole, first = diary.happenings(), diary.happenings(most=2)
    assert first == whole[:2]
    assert diary.changed() == len(whole) > 2
    assert diary.changed("traffic") == len(diary.happenings("traffic"))
    assert diary.sent("sent") == len(diary.deliveries("sent"))
    assert [each.record for each in diary.deliveries(most=1)] == [whole[0].record]


def test_rules_that_can_not_look_or_are_gone_say_so(open_page: OpenPage, site: Site) -> None:
    app = open_page("alerts", site.settings.home, rule="typo")
    assert any("It can't look: There is no metric" in box.value.replace("\\", "") for box in app.error)
    app.query_params["rule"] = "daily cost"
    assert "This rule is switched off" in texts(app.run())
    app.query_params["rule"] = "no such rule"
    assert "There is no such rule" in texts(app.run())


def test_before_the_first_check_it_says_what_to_run(open_page: OpenPage, tmp_path: Path, traffic_home: Path) -> None:
    settings = home_of(tmp_path, traffic_home, "")
    app = open_page("alerts", settings.home)
    said = texts(app)
    assert "No rule has looked yet: run tracehouse alerts check, or tracehouse sync" in said
    assert figures(app)["In alert"] == "—", "nothing is known, which is not 0"
    assert "Nothing changed in this period" in said
    assert "Nobody is told: there is no channel" in said
    assert "No rule is configured: the five that come along are at work" in said
    assert set(rows(app, "condition")["state"]) == {"not looked yet"}
    assert {RULE.strip(), CHANNEL.strip()} <= {block.value for block in app.code}
    assert not settings.state_path.exists(), "a page writes nothing"


def test_a_rule_that_has_not_looked_yet_opens(open_page: OpenPage, tmp_path: Path, traffic_home: Path) -> None:
    config = '[[alert]]\nname = "users"\nmetric = "traces"\nby = "user_id"\nwindow = "1d"\nalert = 9\n'
    app = open_page("alerts", home_of(tmp_path, traffic_home, config).home, rule="users", since="30d")
    assert "It has not looked yet" in texts(app)
    assert "6 of 240 values of user_id: those that came nearest to firing" in texts(app)
    assert drawn(app.get("vega_lite_chart")[0])["group"].n_unique() == 6


def test_all_quiet(open_page: OpenPage, tmp_path: Path, traffic_home: Path) -> None:
    config = '[[alert]]\nname = "errors"\nmetric = "error_rate"\nwindow = "7d"\nalert = 0.5\n'
    settings = home_of(tmp_path, traffic_home, config)
    check(settings, deliver=lambda *_: None)
    app = open_page("alerts", settings.home)
    assert "All quiet: none of 5 rules fires" in texts(app)
    assert "Overall: healthy" in texts(app)
    assert not [link for link in app.get("page_link") if link.proto.label == "Explain"]


def test_without_a_warehouse_the_sync_is_watched_all_the_same(open_page: OpenPage, tmp_path: Path) -> None:
    app = open_page("alerts", tmp_path)
    said = texts(app)
    assert "There is no data yet" in said
    assert "No rule has looked yet" in said
    assert "sync is late" in list(rows(app, "condition")["rule"])


def test_a_dead_sync_is_shown_without_a_warehouse(open_page: OpenPage, tmp_path: Path) -> None:
    state = State(tmp_path / "state.db")
    began = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=2)
    for number in range(3):
        run = Run(f"run-{number}", began + timedelta(hours=number))
        state.begin(run)
        state.finish(replace(run, finished=run.started + timedelta(minutes=1), status="failed"), [])
    state.close()
    check(load_settings({"TRACEHOUSE_HOME": str(tmp_path)}, tmp_path), deliver=lambda *_: None)
    app = open_page("alerts", tmp_path)
    assert "2 rules fire: sync fails (alert) and sync is late (alert)" in texts(app)
    assert "Failed syncs in a row: 3, above the alert limit of 2." in texts(app)
    assert "select a row" not in texts(app), "its detail would need data"


def test_a_period_without_an_end_reaches_up_to_the_clock() -> None:
    now = END + timedelta(days=2)
    zone = load_settings({}, Path("/")).timezone
    since, until = span_of(parse_window("7d", None, END, zone), now)
    assert since == END - timedelta(days=7)
    assert until > now, "rules about the sync look when the data has long ended"
    assert span_of(parse_window("7d", "2026-11-20", END, zone), now)[1] == datetime(2026, 11, 20)


def test_hostile_names_stay_text(
    open_page: OpenPage,
    tmp_path: Path,
    hostile_home: Path,
    hostile: str,
    assert_harmless: Callable[[AppTest], None],
) -> None:
    named = f"rule {hostile}"
    alert = f"[[alert]]\nname = {json.dumps(named)}\nmetric = 'traces'\nby = 'user_id'\nwindow = '7d'\nalert = 0\n"
    settings = home_of(tmp_path, hostile_home, f"{alert}[[channel]]\nname = {json.dumps(hostile)}\nurl_env = 'X'\n")

    def fail(*_: Any) -> None:
        raise ChannelFailed(f"It said {hostile}")

    outcome = check(settings, deliver=fail)
    assert [state.group for state in outcome.firing] == [hostile]
    app = open_page("alerts", settings.home, rule=named)
    assert_harmless(app)
    assert list(rows(app, "told")["group"]) == [hostile]
    assert len(app.get("vega_lite_chart")) == 1


def test_two_rules_of_one_name_cost_one_line(open_page: OpenPage, tmp_path: Path, traffic_home: Path) -> None:
    twice = '[[alert]]\nname = "one"\nmetric = "traces"\nalert = 1\n' * 2
    app = open_page("alerts", home_of(tmp_path, traffic_home, twice).home)
    assert any("Two" in box.value and "one" in box.value for box in app.error)


def test_a_dead_cron_is_told(open_page: OpenPage, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = last_check(site.settings, now=END + timedelta(days=3, minutes=1))
    monkeypatch.setattr("app.ui.alert_parts.last_check", lambda *_: outcome)
    assert "No rule has looked for 3 d 00 h: what fires since then is told to nobody" in texts(
        open_page("alerts", site.settings.home)
    )


def test_the_examples_are_rules_and_channels() -> None:
    given = tomllib.loads(RULE + CHANNEL)
    channels = tuple(ChannelSettings(**each) for each in given["channel"])
    configured = tuple(
        AlertSettings(**{**each, "channels": tuple(each.get("channels", ()))}) for each in given["alert"]
    )
    found = {rule.name: rule for rule in rules(Definitions(alert=configured, channel=channels))}
    assert found["errors per agent"].channels == ("on-call",)
    assert not found["daily cost"].shipped


def test_the_overview_says_it_in_a_line(open_page: OpenPage, site: Site) -> None:
    app = open_page("overview", site.settings.home)
    assert "Alerts · 3 rules fire: errors (alert), errors by release (warning, web-2) and traffic (warning)" in texts(
        app
    ).replace("*", "")
    assert "alerts" in [link.proto.page for link in app.get("page_link")]
