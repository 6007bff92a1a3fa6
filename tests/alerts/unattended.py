"""A cron host for months: `tracehouse sync` and `tracehouse report` over a server whose traffic goes on.

The command lines are the real ones, with the network of the sync, its clock and the pauses between attempts put in
their place. What goes wrong is drawn: outages of the server, days without cron, receivers that fail, deaths anywhere.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import random
import sqlite3
import threading
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

import app.alerts.check
import app.alerts.message
import etl.pipeline
from app.alerts.evaluation import evaluate
from app.cli import COMMANDS, SUMMARIES
from etl.cli import make_group, run
from etl.outside import Outside
from etl.sandbox.records import World
from etl.sandbox.sandbox import PUBLIC_KEY, SECRET_KEY, Sandbox
from etl.sandbox.tiny import tiny_world
from etl.sandbox.transport import direct_transport
from tests.alerts.dying import Died, Life, died
from tests.alerts.receivers import MailReceiver, closed_port
from tests.alerts.shop import CONFIG, DAY, HOUR, START, Hook, milliseconds, traffic
from tests.exact.crash import killed_at
from tests.exact.site import Clock

RUNS_AT = (HOUR + timedelta(minutes=7), 13 * HOUR + timedelta(minutes=7))


@dataclass
class Host:
    """The machine with the cron job.

    Attributes:
        looks: of a rule by the wall clock, when it looked.
        good: when the last run that ended well began.
        reports: by day, what the last report of it said, with how far the data reached then.
    """

    folder: Path
    days: int
    seed: int
    monkeypatch: pytest.MonkeyPatch
    runs_a_day: int = 1
    figures: Counter[str] = field(default_factory=Counter)
    looks: dict[str, set[datetime]] = field(default_factory=lambda: defaultdict(set))
    ends: list[tuple[datetime, str]] = field(default_factory=list)
    reports: dict[int, tuple[dict[str, Any], datetime]] = field(default_factory=dict)
    letters: dict[str, list[list[tuple[str, bool]]]] = field(default_factory=lambda: defaultdict(list))
    good: datetime | None = None
    first: datetime | None = None

    def __post_init__(self) -> None:
        self.draw = random.Random(self.seed)
        self.home = self.folder / "home"
        self.clock = Clock(START)
        models = tiny_world().models
        begin, end = milliseconds(START), milliseconds(START + (self.days + 9) * DAY)
        self.sandbox = Sandbox(World("p", "Shop", 0, begin, end, [], [], [], models, [], {}), clock=self.clock.seconds)
        self.coming = [one for day in range(self.days + 8) for one in traffic(self.draw, day)]
        self.coming.sort(key=lambda records: records[1].created, reverse=True)
        self.hook, self.ops = (Hook(random.Random(self.seed + number)) for number in (1, 2))
        self.mail = MailReceiver()
        self.is_down = self.is_ops_down = False
        self.kill_sync_at = self.kill_check_at = 0
        self._put_stand_ins()

    def _put_stand_ins(self) -> None:
        put = self.monkeypatch
        config = self.folder / "tracehouse.toml"
        config.write_text(CONFIG, encoding="utf-8")
        self.home.mkdir()
        (self.folder / "reports").mkdir()
        environ = {"TRACEHOUSE_HOME": str(self.home), "TRACEHOUSE_CONFIG": str(config)}
        environ |= {"LANGFUSE_PUBLIC_KEY": PUBLIC_KEY, "LANGFUSE_SECRET_KEY": SECRET_KEY, "HOOK_KEY": "k"}
        environ |= {"LANGFUSE_BASE_URL": "http://langfuse.test", "HOOK": f"http://127.0.0.1:{self.hook.http.port}/"}
        environ["POST"] = f"mailto://127.0.0.1:{self.mail.port}/?from=bot@example.com&to=team@example.com"
        for name, value in environ.items():
            put.setenv(name, value)
        put.chdir(self.folder)
        clock = self.clock

        class Simulated(datetime):
            @classmethod
            def now(cls, tz: Any = None) -> Any:
                return clock.now.replace(tzinfo=tz)

        put.setattr("etl.commands.sync.datetime", Simulated)
        put.setattr("app.alerts.deliver.FIRST_PAUSE", 0.0)
        put.setattr(etl.pipeline, "sync", functools.partial(self._sync, etl.pipeline.sync))
        put.setattr(app.alerts.check, "evaluate", self._evaluate)
        put.setattr(app.alerts.message, "message_for", functools.partial(self._worded, app.alerts.message.message_for))

    def _sync(self, real: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        outside = Outside(_Network(self), self.clock.sleep, self.clock.seconds, self.clock.today)
        try:
            if not self.kill_sync_at:
                return real(*arguments, **options, outside=outside)
            with killed_at(self.home, self.kill_sync_at):
                return real(*arguments, **options, outside=outside)
        finally:
            self.clock.advance(minutes=2)  # as long as it may take: when it ended is told by a clock that goes on
        raise Died

    def _evaluate(self, *arguments: Any, **options: Any) -> Any:
        life = Life(self.kill_check_at - 1 if self.kill_check_at else None, died)
        return evaluate(*arguments, **options, connect=life.connect)

    def _worded(self, real: Callable[..., Any], notices: Any, settings: Any) -> Any:
        message = real(notices, settings)
        told = [(notice.id, notice.duplicate) for notice in notices]
        if told not in self.letters[message.key]:
            self.letters[message.key].append(told)
        return message

    # What a day brings.

    def live(self) -> None:
        """All days, then some quiet ones, so that every delivery comes to an end one way or the other."""
        outages = self._spans(0.04, [0.4, 0.9, 1.6])
        dead = self._spans(0.06, [0.5, 1.5, 4.5])
        away = 0
        for day in range(1, self.days + 1):
            if away:
                away -= 1
                self.figures["days without cron"] += 1
                continue
            away = self.draw.choices([0, 1, 3], [95, 3, 2])[0] if day > 2 and day < self.days else 0
            for number, at in enumerate(RUNS_AT[: self.runs_a_day]):
                self.move_to(START + day * DAY + at)
                self.is_down = day > 1 and any(since <= self.clock.now < until for since, until in outages)
                self.is_ops_down = any(since <= self.clock.now < until for since, until in dead)
                self.fire_once(may_die=day > 1)
                if number == 0:
                    self.report(day - 1)
        self.is_down = self.is_ops_down = False
        self.hook.is_bad = self.ops.is_bad = 0.0
        for number in (1, 2):
            self.move_to(START + (self.days + number) * DAY + RUNS_AT[0])
            self._mail_is("")
            self.run_sync()

    def _spans(self, share: float, lengths: list[float]) -> list[tuple[datetime, datetime]]:
        begins = [START + day * DAY for day in range(2, self.days) if self.draw.random() < share]
        return [(begin, begin + self.draw.choice(lengths) * DAY) for begin in begins]

    def move_to(self, at: datetime) -> None:
        self.clock.now = max(at, self.clock.now)
        now, arrived = self.clock.milliseconds(), []
        while self.coming and self.coming[-1][1].created <= now:
            arrived += self.coming.pop()
        self.sandbox.insert(*arrived)

    def fire_once(self, *, may_die: bool) -> None:
        """A run of cron, which may die; then it is begun again at once, or comes back with the next one."""
        self._mail_is(self.draw.choice(["", "", "greeting", "busy", "refused"]))
        while may_die and self.draw.random() < 0.2:
            if self.draw.random() < 0.5:
                self.kill_sync_at = self.draw.randint(1, 160)
            else:
                self.kill_check_at = self.draw.randint(1, 130)
            self.run_sync()
            self.kill_sync_at = self.kill_check_at = 0
            self.clock.advance(minutes=1)
            if self.draw.random() < 0.3:
                return
        self.run_sync()
        if self.draw.random() < 0.1:
            self.figures["reruns"] += 1
            self.clock.advance(minutes=1)
            self.run_sync()

    def _mail_is(self, mood: str) -> None:
        self.mail.greeting = b"\xff no mail here\r\n" if mood == "greeting" else b"220 ready\r\n"
        self.mail.refuse = {"busy": {"RCPT TO": "451 later"}, "refused": {"MAIL FROM": "550 no"}}.get(mood, {})
        self.figures[f"mail {mood}"] += bool(mood)
        ops = closed_port() if self.is_ops_down else self.ops.http.port
        self.monkeypatch.setenv("OPS", f"http://127.0.0.1:{ops}/")

    # The two commands.

    def tracehouse(self, *arguments: str) -> tuple[int, Any]:
        """One command line: its exit code and the object that it prints."""
        said = io.StringIO()
        group = make_group("tracehouse", COMMANDS, SUMMARIES, "")
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()):
            code = run(group, arguments)
        return code, json.loads(said.getvalue())

    def run_sync(self) -> None:
        began = self.clock.now
        try:
            code, said = self.tracehouse("sync", "--json")
        except Died:
            self.figures["deaths in a sync" if self.kill_sync_at else "deaths in a check"] += 1
            _orphans_end()
            has_ended = self.kill_check_at != 0
        else:
            has_ended = True
            self.figures["syncs"] += 1
            assert code in (0, 1), said
            assert (code == 1) == self.is_down, said
            assert said.get("alerts", {}).get("error") is None, said
        if has_ended and not self.is_down:
            self.good = began
        self._note_looks()
        if self.first is None:
            [(self.first,)] = self._rows("select until from alert_looks where rule = 'errors'")

    def _note_looks(self) -> None:
        """What the clock said to a rule can't be told later, and a check may have died before it asked."""
        for rule in ("sync is late", "sync fails"):
            for until in self._rows("select until from alert_looks where rule = ? and until is not null", rule):
                self.looks[rule].add(datetime.fromisoformat(until[0]))

    def _rows(self, statement: str, *values: str) -> list[Any]:
        with contextlib.closing(sqlite3.connect(self.home / "state.db")) as connection:
            try:
                return connection.execute(statement, values).fetchall()
            except sqlite3.OperationalError:  # the first run died before there was a table
                return []

    def report(self, day: int) -> None:
        """The report of a day, by cron to a file and a channel; it may die as well."""
        place = self.folder / "reports" / f"{day}.html"
        since, until = (f"{START + number * DAY:%Y-%m-%d}" for number in (day, day + 1))
        arguments = ["report", "--since", since, "--until", until, "-o", str(place), "--json"]
        if self.draw.random() < 0.1:
            with killed_at(place.parent, self.draw.randint(1, 6)):
                self.tracehouse(*arguments)
            assert not place.exists() or place.read_text(encoding="utf-8").rstrip().endswith("</html>")
            self.figures["deaths in a report"] += 1
        code, said = self.tracehouse(*arguments, "--send", self.draw.choice(["hook", "team mail", "ops"]))
        self.figures["reports"] += 1
        self.figures["reports not sent"] += code
        if code:
            assert said["exit_code"] == 1, said
            code, said = self.tracehouse(*arguments)
        assert code == 0, said
        assert self.good is not None
        self.reports[day] = said, self.good

    def close(self) -> None:
        for receiver in (self.hook.http, self.ops.http, self.mail):
            receiver.close()


class _Network(httpx.BaseTransport):
    """To the server, unless it is down."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self._host.is_down:
            raise httpx.ConnectError("connection refused")
        return direct_transport(self._host.sandbox).handle_request(request)


def _orphans_end() -> None:
    """Threads of a process that is no more would have ended with it; here what they send must not come later."""
    for thread in threading.enumerate():
        if thread.name.startswith("alerts to "):
            thread.join()
