"""`tracehouse sync; tracehouse report` for months, unattended: every firing once, every report whole and right.

What has to fire is computed here from the server's own records, by the words of the rules and plain Python.
"""

from __future__ import annotations

import bisect
import itertools
import quopri
import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.alerts.outbox import TRIED_FOR
from tests.alerts.plain_rule import PlainRule
from tests.alerts.shop import DAY, HOUR, NAMES, START
from tests.alerts.test_simulation import Told, expected
from tests.alerts.unattended import Host
from tests.exact.truth import database_of

RULES = {
    "errors": PlainRule("errors"),
    "daily cost": PlainRule("daily cost", channels=("hook", "ops")),
    "slow answers": PlainRule("slow answers", repeat=12 * HOUR),
    "silence": PlainRule("silence"),
    "by name": PlainRule("by name", every=2 * HOUR, by="trace_name", no_data="no_data", recovery=False),
    "unlike other weeks": PlainRule("unlike other weeks", every=6 * HOUR, repeat=None),
    "sync is late": PlainRule("sync is late", by_wall_clock=True),
    "sync fails": PlainRule("sync fails", by_wall_clock=True),
}
CHANNELS = ("hook", "team mail", "ops")
AGAIN = "again after an interruption"
FIRST_LOOK_AFTER = timedelta(seconds=30)


@dataclass
class Truth:
    """The server's records by time, with sums up to each of them."""

    starts: list[datetime] = field(default_factory=list)
    bad: list[int] = field(default_factory=lambda: [0])
    lasted: list[float] = field(default_factory=lambda: [0.0])
    calls: list[datetime] = field(default_factory=list)
    cost: list[float] = field(default_factory=lambda: [0.0])

    @classmethod
    def of(cls, host: Host, *names: str) -> Truth:
        spans = database_of(host.sandbox).spans
        rows = defaultdict(list)
        for row in spans.newest.records:
            rows[row.trace_id].append(row)
        truth = cls()
        for key, own in sorted(rows.items(), key=lambda each: min(row.start for row in each[1])):
            if spans.traces[key].name not in names:
                continue
            begin, end = min(row.start for row in own), max(row.end for row in own)
            truth.starts.append(at(begin))
            truth.bad.append(truth.bad[-1] + any(row.level == "ERROR" for row in own))
            truth.lasted.append(truth.lasted[-1] + end - begin)
        for row in sorted((row for own in rows.values() for row in own if row.cost), key=lambda row: row.start):
            truth.calls.append(at(row.start))
            truth.cost.append(truth.cost[-1] + row.cost["total"])
        return truth

    def traces(self, since: datetime, until: datetime) -> tuple[int, int]:
        return bisect.bisect_left(self.starts, since), bisect.bisect_left(self.starts, until)

    def spent(self, since: datetime, until: datetime) -> tuple[int, float]:
        low, high = bisect.bisect_left(self.calls, since), bisect.bisect_left(self.calls, until)
        return high - low, self.cost[high] - self.cost[low]


def at(moment: int) -> datetime:
    return datetime.fromtimestamp(moment / 1000, UTC).replace(tzinfo=None)


def beyond(value: float, warn: float | None, alert: float) -> str:
    return "alert" if value > alert else "warning" if warn is not None and value > warn else "ok"


def error_rate(truth: Truth, moment: datetime, hours: int, *, least: int, warn: float | None, alert: float) -> str:
    low, high = truth.traces(moment - hours * HOUR, moment)
    if low == high:
        return "none"
    return "few" if high - low < least else beyond((truth.bad[high] - truth.bad[low]) / (high - low), warn, alert)


def by_name(truth: Truth, moment: datetime) -> str:
    low, high = truth.traces(moment - DAY, moment)
    return error_rate(truth, moment, 12, least=4, warn=None, alert=0.5) if high > low else "absent"


def slow(truth: Truth, moment: datetime) -> str:
    high = bisect.bisect_left(truth.starts, moment)
    return "few" if high < 20 else beyond((truth.lasted[high] - truth.lasted[high - 20]) / 20, None, 8000)


def costly(truth: Truth, moment: datetime) -> str:
    midnight = (moment - timedelta(microseconds=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    calls, spent = truth.spent(midnight, moment)
    return beyond(spent, None, 2.0) if calls else "none"


def silent(truth: Truth, moment: datetime) -> str:
    low, high = truth.traces(moment - 12 * HOUR, moment)
    return "alert" if high - low < 1 else "ok"


def unlike(truth: Truth, moment: datetime) -> str:
    calls, spent = truth.spent(moment - DAY, moment)
    if not calls:
        return "none"
    weeks = [(moment - week * timedelta(weeks=1)) for week in range(1, 5)]
    earlier = [truth.spent(end - DAY, end) for end in weeks if end - DAY >= truth.starts[0]]
    known = [each for count, each in earlier if count]
    return beyond(spent / statistics.median(known) - 1, 0.75, 2.0) if len(known) >= 2 else "few"


def looks_of(host: Host, rule: str, until: datetime) -> Iterator[tuple[str, list[tuple[datetime, str]]]]:
    """What each group of a rule is like at every moment that has to be looked at."""
    assert host.first is not None
    whole = Truth.of(host, *NAMES)
    every = RULES[rule].every
    first = datetime.fromisoformat(str(host.first))
    moments = [START + number * HOUR for number in range(int((until - FIRST_LOOK_AFTER - START) / HOUR) + 1)]
    begin = max(moment for moment in moments if moment <= first and (moment - START) % every == timedelta())
    moments = [moment for moment in moments if moment >= begin and (moment - START) % every == timedelta()]
    if rule == "by name":
        for name in NAMES:
            own = Truth.of(host, name)
            yield name, [(moment, by_name(own, moment)) for moment in moments]
        return
    level = {
        "errors": lambda moment: error_rate(whole, moment, 6, least=8, warn=0.2, alert=0.4),
        "daily cost": lambda moment: costly(whole, moment),
        "slow answers": lambda moment: slow(whole, moment),
        "silence": lambda moment: silent(whole, moment),
        "unlike other weeks": lambda moment: unlike(whole, moment),
    }[rule]
    yield "", [(moment, level(moment)) for moment in moments]


def clock_looks(host: Host, rule: str) -> list[tuple[datetime, str]]:
    """What a rule about the sync sees: when it looked, at the runs of the sync's own list."""
    statement = "select started, coalesce(finished, started), status from runs order by started"
    runs = [(datetime.fromisoformat(a), datetime.fromisoformat(b), status) for a, b, status in host._rows(statement)]
    found = []
    for moment in sorted(host.looks[rule]):
        known = [(ended, status) for _, ended, status in runs if ended <= moment]
        good = [ended for ended, status in known if status in ("done", "unchanged")]
        if rule == "sync is late":
            lag = (moment - (good[-1] if good else runs[0][0])) / HOUR
            found.append((moment, beyond(lag, 6, 26)))
        else:
            failed = itertools.takewhile(lambda each: each[1] not in ("done", "unchanged"), reversed(known))
            found.append((moment, beyond(len(list(failed)), 1, 2)))
    return found


def wanted(host: Host, until: datetime) -> list[Told]:
    found: list[Told] = []
    for name, rule in RULES.items():
        lines = [("", clock_looks(host, name))] if rule.by_wall_clock else looks_of(host, name, until)
        for group, looks in lines:
            found += expected(rule, group, looks)
    return sorted(found, key=lambda told: (told[2], told[0], told[1]))


def recorded(host: Host) -> list[Told]:
    rows = host._rows("select rule, grp, at, level, kind from alert_history")
    told = [(rule, group, datetime.fromisoformat(moment), level, kind) for rule, group, moment, level, kind in rows]
    return sorted(told, key=lambda each: (each[2], each[0], each[1]))


def arrived(host: Host) -> dict[tuple[str, str], list[bool]]:
    """By channel and notice, whether each copy that arrived was marked as a duplicate."""
    found = {("hook", key): marks for key, marks in host.hook.taken.items()}
    found |= {("ops", key): marks for key, marks in host.ops.taken.items()}
    for letter in host.mail.letters:
        text = quopri.decodestring(letter.data).decode("utf-8", "replace")
        key = text.partition("Message-ID: <")[2].partition("@")[0]
        marked = text.partition("text/html")[0].lower().count(AGAIN)
        for told in host.letters.get(key, ()):
            if sum(mark for _, mark in told) == marked:
                for notice, mark in told:
                    found.setdefault(("team mail", notice), []).append(mark)
                break
    return found


def assert_all_is_told(host: Host) -> None:
    notices = dict(host._rows("select id, rule from alert_notices"))
    made = dict(host._rows("select id, made_at from alert_notices"))
    owed = {(channel, key) for key, rule in notices.items() for channel in RULES[rule].channels or CHANNELS}
    rows = host._rows("select channel, notice_id, status, ended_at from alert_deliveries")
    assert {(channel, key) for channel, key, *_ in rows} == owed
    got = arrived(host)
    for channel, key, status, ended in rows:
        marks = got.get((channel, key), [])
        assert marks.count(False) <= 1, f"a second copy in {channel} carries the mark: {marks}"
        if status == "given_up":
            host.figures["given up"] += 1
            assert datetime.fromisoformat(ended) - datetime.fromisoformat(made[key]) >= TRIED_FOR
        else:
            assert (status, bool(marks)) == ("sent", True), (channel, key, status)
    assert set(got) <= owed, "nobody hears what was never recorded"
    host.figures["deliveries"] = len(rows)
    host.figures["notices"] = len(notices)
    host.figures["duplicates"] = sum(sum(marks) for marks in got.values())


def assert_reports_say_the_truth(host: Host) -> None:
    truth = Truth.of(host, *NAMES)
    for day, (said, good) in host.reports.items():
        page = (host.folder / "reports" / f"{day}.html").read_text(encoding="utf-8")
        assert page.startswith("<!DOCTYPE html>")
        assert page.rstrip().endswith("</html>")
        since, until = START + day * DAY, START + (day + 1) * DAY
        low, high = truth.traces(since, until)
        if good < until + timedelta(minutes=1):
            assert said["summary"]["total_requests"] <= high - low, "the sync had failed since"
            host.figures["reports on old data"] += 1
            continue
        summary, count = said["summary"], high - low
        assert summary["total_requests"] == count, day
        assert summary["total_cost_usd"] == pytest.approx(truth.spent(since, until)[1] or None, rel=1e-9)
        if count:
            assert summary["success_rate"] == pytest.approx(1 - (truth.bad[high] - truth.bad[low]) / count)
            lasted = (truth.lasted[high] - truth.lasted[low]) / count / 1000
            assert summary["latency_mean_s"] == pytest.approx(lasted)
    left = [path.name for path in (host.folder / "reports").iterdir() if path.suffix != ".html"]
    assert left == [], "no half file stays"


def prove(host: Host) -> Counter[str]:
    """Everything that the loop has to have done, and how much that was."""
    [(until,)] = host._rows("select until from alert_looks where rule = 'errors'")
    last = host.clock.now.replace(minute=0, second=0)
    assert datetime.fromisoformat(until) == last, "it has looked up to its last run"
    should, told = wanted(host, host.clock.now), recorded(host)
    assert told == should, first_difference(told, should)
    host.figures["changes"] = len(told)
    host.figures["firings"] = sum(kind == "firing" for *_, kind in told)
    assert_all_is_told(host)
    assert_reports_say_the_truth(host)
    return host.figures


def first_difference(told: Sequence[Told], should: Sequence[Told]) -> str:
    return f"too many: {sorted(set(told) - set(should))[:5]}, missing: {sorted(set(should) - set(told))[:5]}"


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    made: list[Host] = []

    def live(days: int, seed: int) -> Host:
        host = Host(tmp_path, days, seed, monkeypatch)
        made.append(host)
        host.live()
        return host

    yield live
    for host in made:
        host.close()


def test_some_days(hosts: Any) -> None:
    figures = prove(hosts(days=3, seed=5))
    assert figures["firings"] > 0
    assert figures["reports"] > 2


@pytest.mark.long
def test_two_hundred_days(hosts: Any, capsys: pytest.CaptureFixture[str]) -> None:
    began = time.process_time()
    host = hosts(days=200, seed=1)
    figures = prove(host)
    rules = Counter(rule for rule, *_, kind in recorded(host) if kind == "firing")
    with capsys.disabled():
        print(dict(figures), dict(rules), f"{time.process_time() - began:.0f} CPU seconds")  # noqa: T201 - what it is run for
    assert set(rules) == set(RULES), "every rule had something to fire for"
