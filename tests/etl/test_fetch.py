"""Reading slices of a simulated server: what is asked for, resuming, halving, drift, stopping, and all of its rows."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from etl.errors import AuthError, MalformedResponse, ReplyTooLarge
from etl.landing import Landing, Slice
from etl.langfuse import source, volumes
from etl.langfuse.capabilities import Capabilities, detect
from etl.langfuse.client import Client, iso
from etl.langfuse.limiter import Limiter
from etl.langfuse.walk import TARGET_BYTES, PageSize
from etl.plan import HISTORY_START, Volume, Window, plan, split, whole
from etl.sandbox.personality import Generation
from etl.sandbox.sandbox import Sandbox
from etl.sandbox.tiny import tiny_world
from etl.settings import Credentials

DAY = timedelta(days=1)
START = datetime.fromisoformat("2026-11-20")
MODERN = Capabilities("proj", "Shop", "org", None, "4.16.0", "modern", "/v3/scores", is_cloud=False)
LEGACY = replace(MODERN, version="3.150.0", family="legacy", score_route="/v2/scores")
OBSERVATIONS = Slice("proj", "observations", "modern", START, START + DAY)
TRACES = Slice("proj", "traces", "legacy", START, START + DAY)


@dataclass
class Server:
    """Lists of ids in both styles of paging; each request may first be met by ``on_request``."""

    rows: list[str] = field(default_factory=lambda: [f"row-{number:04d}" for number in range(250)])
    on_request: Callable[[httpx.Request], httpx.Response | None] = lambda _: None
    row_bytes: int = 0
    total_is_off_by: int = 0
    requests: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        params: dict[str, Any] = dict(request.url.params)
        self.requests.append({"path": request.url.path.removeprefix("/api/public"), **params})
        return self.on_request(request) or self._answer(params)

    def _answer(self, params: Mapping[str, str]) -> httpx.Response:
        limit = int(params["limit"])
        if "page" in params:
            page = int(params["page"])
            offset = (page - 1) * limit
            total = len(self.rows) + self.total_is_off_by
            meta: dict[str, Any] = {
                "page": page,
                "limit": limit,
                "totalItems": total,
                "totalPages": -(-total // limit),
            }
        else:
            offset = int(base64.b64decode(params["cursor"])) if "cursor" in params else 0
            is_last = offset + limit >= len(self.rows)
            meta = {} if is_last else {"cursor": base64.b64encode(str(offset + limit).encode()).decode()}
        rows = [
            {"id": key, "projectId": "proj", "input": "x" * self.row_bytes}
            for key in self.rows[offset : offset + limit]
        ]
        return httpx.Response(200, json={"data": rows, "meta": meta})


@dataclass
class Reading:
    """One client, one landing folder."""

    client: Client
    landing: Landing
    stop: threading.Event = field(default_factory=threading.Event)
    pages: list[int] = field(default_factory=list)

    def fetch(self, slice_: Slice, capabilities: Capabilities | None = None, **options: Any) -> None:
        known = capabilities or (MODERN if slice_.family == "modern" else LEGACY)
        settings = {"payloads": True, "page_size": 0, **options}
        source.fetch_slice(
            self.client, known, slice_, self.landing, stop=self.stop, on_page=self.pages.append, **settings
        )

    def ids(self, slice_: Slice) -> list[str]:
        return [row["id"] for path in self.landing.paths(slice_) for row in json.loads(path.read_bytes())["data"]]


def reading(server: Callable[[httpx.Request], httpx.Response], folder: Path) -> Reading:
    client = Client(
        Credentials("default", "http://langfuse.internal", "pk-lf-1", "sk-lf-1"),
        limiter=Limiter(),
        transport=httpx.MockTransport(server),
        sleep=lambda _: None,
    )
    return Reading(client, Landing(folder))


def test_observations_are_asked_for_with_everything(tmp_path: Path) -> None:
    server = Server()
    read = reading(server, tmp_path)
    read.fetch(OBSERVATIONS)
    assert server.requests == [
        {
            "path": "/v2/observations",
            "fields": "core,basic,time,metadata,model,usage,prompt,metrics,trace_context,io",
            "fromStartTime": "2026-11-20T00:00:00.000Z",
            "toStartTime": "2026-11-21T00:00:00.000Z",
            "limit": "500",
        }
    ]
    assert read.ids(OBSERVATIONS) == server.rows
    assert read.landing.progress(OBSERVATIONS).is_complete
    assert read.pages == [250]


def test_without_payloads_metadata_stays_whole(tmp_path: Path) -> None:
    server = Server()
    reading(server, tmp_path).fetch(OBSERVATIONS, payloads=False)
    assert "io" not in server.requests[0]["fields"].split(",")
    assert server.requests[0]["expandMetadata"] == "*"
    assert server.requests[0]["limit"] == "1000"


def test_scores_of_the_newest_route(tmp_path: Path) -> None:
    server = Server()
    scores = replace(OBSERVATIONS, entity="scores")
    read = reading(server, tmp_path)
    read.fetch(scores)
    assert [request["limit"] for request in server.requests] == ["100"] * 3
    assert server.requests[0]["fields"] == "details,subject,annotation"
    assert server.requests[0]["fromTimestamp"] == "2026-11-20T00:00:00.000Z"
    assert [request.get("cursor") is None for request in server.requests] == [True, False, False]
    assert read.ids(scores) == server.rows


@pytest.mark.parametrize(
    ("entity", "capabilities", "asked"),
    [
        ("traces", LEGACY, {"path": "/traces", "fields": "core,io", "orderBy": "timestamp.asc"}),
        (
            "observations",
            LEGACY,
            {"path": "/observations", "fromStartTime": iso(START), "toStartTime": iso(START + DAY)},
        ),
        ("sessions", LEGACY, {"path": "/sessions", "fromTimestamp": iso(START)}),
        ("scores", LEGACY, {"path": "/v2/scores", "fields": "score", "toTimestamp": iso(START + DAY)}),
        ("scores", replace(LEGACY, score_route="/scores"), {"path": "/scores"}),
        ("scores", replace(LEGACY, score_route="/v3/scores"), {"path": "/v3/scores"}),
        ("models", LEGACY, {"path": "/models"}),
        ("score_configs", MODERN, {"path": "/score-configs"}),
    ],
)
def test_what_lists_are_asked_for(
    tmp_path: Path, entity: str, capabilities: Capabilities, asked: dict[str, str]
) -> None:
    server = Server()
    read = reading(server, tmp_path)
    slice_ = replace(TRACES, entity=entity)
    read.fetch(slice_, capabilities)
    assert asked.items() <= server.requests[0].items()
    assert read.ids(slice_) == server.rows
    assert len(server.requests) == 3


def test_projects_are_a_list_without_meta(tmp_path: Path) -> None:
    body = b'{"data":[{"id":"proj","name":"Shop"}]}'
    read = reading(lambda _: httpx.Response(200, content=body), tmp_path)
    slice_ = whole(project_id="proj", entity="projects", now=START)
    read.fetch(slice_)
    assert [path.read_bytes() for path in read.landing.paths(slice_)] == [body]
    assert read.landing.progress(slice_).is_complete


@pytest.mark.parametrize("slice_", [OBSERVATIONS, TRACES])
@pytest.mark.parametrize("pages_before", [1, 2, 3])
def test_a_reading_goes_on_behind_what_is_landed(tmp_path: Path, slice_: Slice, pages_before: int) -> None:
    server = Server()
    first = reading(server, tmp_path)
    first.client.get = stopping_after(first, pages_before)  # type: ignore[method-assign] # a stop after so many pages
    first.fetch(slice_, page_size=100)
    assert first.landing.progress(slice_).pages == pages_before
    assert first.landing.progress(slice_).is_complete == (pages_before == 3)
    second = reading(server, tmp_path)
    second.fetch(slice_, page_size=100)
    assert second.ids(slice_) == server.rows
    assert len(server.requests) == 3


def stopping_after(read: Reading, pages: int) -> Any:
    get = read.client.get

    def get_and_stop(*args: Any, **options: Any) -> Any:
        reply = get(*args, **options)
        if len(read.pages) + 1 == pages:
            read.stop.set()
        return reply

    return get_and_stop


@pytest.mark.parametrize("slice_", [OBSERVATIONS, TRACES])
def test_a_crash_between_the_last_page_and_the_end_costs_no_request(tmp_path: Path, slice_: Slice) -> None:
    server = Server()
    read = reading(server, tmp_path)
    read.landing.write_page(slice_, 1, b'{"data":[],"meta":{}}', next_cursor=None)
    read.fetch(slice_)
    assert server.requests == []
    assert read.landing.progress(slice_).is_complete


def test_a_complete_slice_is_not_read_again_before_it_is_loaded(tmp_path: Path) -> None:
    server = Server()
    read = reading(server, tmp_path)
    read.fetch(OBSERVATIONS)
    read.fetch(OBSERVATIONS)
    assert len(server.requests) == 1
    read.landing.mark_loaded([OBSERVATIONS], "run-1")
    read.fetch(OBSERVATIONS)
    assert len(server.requests) == 2


def too_large_above(limit: int) -> Callable[[httpx.Request], httpx.Response | None]:
    return lambda request: httpx.Response(422) if int(request.url.params["limit"]) > limit else None


@pytest.mark.parametrize("slice_", [OBSERVATIONS, TRACES])
@pytest.mark.parametrize("most", [7, 30, 90])
def test_pages_are_halved_until_the_server_manages(tmp_path: Path, slice_: Slice, most: int) -> None:
    server = Server(on_request=too_large_above(most))
    read = reading(server, tmp_path)
    read.fetch(slice_)
    assert sorted(set(read.ids(slice_))) == server.rows
    assert read.landing.progress(slice_).is_complete


@pytest.mark.parametrize("slice_", [OBSERVATIONS, TRACES])
def test_pages_are_halved_in_the_middle_of_a_walk(tmp_path: Path, slice_: Slice) -> None:
    server = Server(on_request=lambda _: httpx.Response(524) if len(server.requests) in (2, 4, 5) else None)
    read = reading(server, tmp_path)
    read.fetch(slice_, page_size=100)
    assert sorted(set(read.ids(slice_))) == server.rows


@pytest.mark.parametrize("slice_", [OBSERVATIONS, TRACES])
def test_what_can_not_be_halved_is_for_the_caller_to_split(tmp_path: Path, slice_: Slice) -> None:
    server = Server(on_request=lambda _: httpx.Response(422))
    with pytest.raises(ReplyTooLarge):
        reading(server, tmp_path).fetch(slice_)
    assert len(server.requests) < 10


def test_page_sizes_follow_the_bytes() -> None:
    size = PageSize(500, 1000)
    size.learn(500, 500 * 1000)
    assert size.rows == 1000
    size.learn(1000, 4 * TARGET_BYTES)
    assert size.rows == 250
    size.learn(250, 250 * 100)
    assert size.rows == 500  # never more than doubled
    size.learn(500, 500 * TARGET_BYTES * 2)
    assert size.rows == 1


def test_page_sizes_recover_slowly_from_a_refusal() -> None:
    size = PageSize(800, 1000)
    assert size.shrink()
    seen = []
    for _ in range(16):
        size.learn(size.rows, size.rows)
        seen.append(size.rows)
    assert seen == [400] * 7 + [800] * 8 + [1000]


def test_heavy_rows_come_in_small_pages(tmp_path: Path) -> None:
    server = Server(row_bytes=100_000)
    read = reading(server, tmp_path)
    read.fetch(OBSERVATIONS, replace(MODERN, is_cloud=True))
    assert read.ids(OBSERVATIONS) == server.rows
    assert max(path.stat().st_size for path in read.landing.paths(OBSERVATIONS)[1:]) < 1.1 * TARGET_BYTES


def test_a_row_that_slips_to_a_page_already_read_is_found(tmp_path: Path) -> None:
    """A deletion ahead of the walk pulls later rows forward; each one hides a row."""
    server = Server()

    def delete_early_rows(_: httpx.Request) -> None:
        if len(server.requests) == 2:
            del server.rows[:3]

    server.on_request = delete_early_rows
    read = reading(server, tmp_path)
    read.fetch(TRACES)
    assert set(read.ids(TRACES)) >= set(server.rows)


def test_missing_rows_are_looked_for_once_and_no_more(tmp_path: Path) -> None:
    """Some servers count versions: their totals are never reached."""
    server = Server(total_is_off_by=7)
    read = reading(server, tmp_path)
    read.fetch(TRACES)
    assert read.landing.progress(TRACES).is_complete
    assert len(server.requests) == 6


def test_the_drift_check_remembers_pages_of_before_a_crash(tmp_path: Path) -> None:
    server = Server()
    first = reading(server, tmp_path)
    first.client.get = stopping_after(first, 1)  # type: ignore[method-assign] # a stop after the first page
    first.fetch(TRACES)
    reading(server, tmp_path).fetch(TRACES)
    assert len(server.requests) == 3


def test_lists_that_grow_and_shrink_end(tmp_path: Path) -> None:
    server = Server()

    def shrink(_: httpx.Request) -> None:
        if len(server.requests) == 2:
            server.rows = server.rows[:50]

    server.on_request = shrink
    read = reading(server, tmp_path)
    read.fetch(TRACES)
    assert read.landing.progress(TRACES).is_complete


def test_a_list_that_would_never_end_is_refused(tmp_path: Path) -> None:
    body = {"data": [], "meta": {"cursor": "same"}}
    with pytest.raises(MalformedResponse, match="never end"):
        reading(lambda _: httpx.Response(200, json=body), tmp_path).fetch(OBSERVATIONS)


@pytest.mark.parametrize("slice_", [OBSERVATIONS, TRACES])
def test_a_reply_without_rows_is_not_an_empty_slice(tmp_path: Path, slice_: Slice) -> None:
    read = reading(lambda _: httpx.Response(200, json={"message": "Welcome"}), tmp_path)
    with pytest.raises(MalformedResponse, match="without a list"):
        read.fetch(slice_)
    assert read.landing.pending() == []


@pytest.mark.parametrize("meta", [{}, {"page": 1, "totalPages": None, "totalItems": 3}])
def test_a_list_that_does_not_say_how_long_it_is_is_not_taken_for_its_first_page(
    tmp_path: Path, meta: dict[str, Any]
) -> None:
    read = reading(lambda _: httpx.Response(200, json={"data": [{"id": "a"}], "meta": meta}), tmp_path)
    with pytest.raises(MalformedResponse, match="no totals"):
        read.fetch(TRACES)
    assert read.landing.pending() == []


def test_a_stop_before_the_first_page_leaves_nothing(tmp_path: Path) -> None:
    server = Server()
    read = reading(server, tmp_path)
    read.stop.set()
    read.fetch(OBSERVATIONS)
    assert server.requests == []
    assert read.landing.unfinished() == []


@pytest.mark.parametrize("slice_", [OBSERVATIONS, TRACES])
def test_a_stop_while_waiting_leaves_the_slice_for_later(tmp_path: Path, slice_: Slice) -> None:
    server = Server()
    read = reading(server, tmp_path)
    waiting = Client(
        Credentials("default", "http://langfuse.internal", "pk-lf-1", "sk-lf-1"),
        limiter=Limiter(),
        stop=read.stop,
        transport=httpx.MockTransport(server),
    )

    def refuse_and_stop(_: httpx.Request) -> httpx.Response | None:
        if len(server.requests) < 2:
            return None
        read.stop.set()
        return httpx.Response(429, headers={"Retry-After": "100"})

    server.on_request = refuse_and_stop
    replace(read, client=waiting).fetch(slice_, page_size=100)
    assert read.landing.progress(slice_).pages == 1
    assert read.landing.unfinished() == [slice_]


@pytest.mark.parametrize("capabilities", [MODERN, LEGACY])
def test_refused_keys_end_the_counting(capabilities: Capabilities) -> None:
    client = reading(lambda _: httpx.Response(401), Path()).client
    with pytest.raises(AuthError):
        source.measure(client, capabilities, "observations", Window(HISTORY_START, START))


def counts(rows: dict[str, int]) -> httpx.Response:
    return httpx.Response(200, json={"data": [{"time_dimension": when, "count_count": n} for when, n in rows.items()]})


def test_modern_rows_are_counted_by_day() -> None:
    asked: list[dict[str, Any]] = []

    def server(request: httpx.Request) -> httpx.Response:
        query = json.loads(request.url.params["query"])
        asked.append(query)
        if query["timeDimension"]["granularity"] == "month":
            return counts({"2026-09": 0, "2026-10": 10, "2026-11-01": 20})
        return counts({"2026-10-30": 10, "2026-11-01": 0, "2026-11-02T00:00:00.000Z": 20})

    client = reading(server, Path()).client
    found = source.measure(client, MODERN, "observations", Window(HISTORY_START, START))
    october, november = datetime.fromisoformat("2026-10-30"), datetime.fromisoformat("2026-11-02")
    assert found == [Volume(october, october + DAY, 10), Volume(november, november + DAY, 20)]
    assert [query["fromTimestamp"] for query in asked] == ["1970-01-01T00:00:00.000Z", "2026-10-01T00:00:00.000Z"]
    assert asked[1]["toTimestamp"] == iso(START)


def test_long_histories_are_counted_by_month() -> None:
    client = reading(lambda _: counts({"2021-12": 5, "2026-11": 6}), Path()).client
    found = source.measure(client, MODERN, "observations", Window(HISTORY_START, START))
    assert [volume.rows for volume in found or []] == [5, 6]
    assert (found or [])[0].end == datetime.fromisoformat("2022-01-01")


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(404),
        httpx.Response(429, headers={"Retry-After": "9999"}),
        httpx.Response(200, json={"data": [{"when": 1}]}),
        httpx.Response(200, json={}),
    ],
)
@pytest.mark.parametrize("capabilities", [MODERN, LEGACY])
def test_a_server_that_can_not_count_is_read_all_the_same(answer: httpx.Response, capabilities: Capabilities) -> None:
    client = reading(
        lambda _: httpx.Response(answer.status_code, headers=answer.headers, content=answer.content), Path()
    )
    found = source.measure(client.client, capabilities, "observations", Window(HISTORY_START, START))
    assert found is None or found == []


def test_legacy_rows_are_counted_by_halving() -> None:
    times = [START - DAY * (number % 40) - timedelta(minutes=number) for number in range(12_000)]
    requests = []

    def server(request: httpx.Request) -> httpx.Response:
        params = request.url.params
        start, end = (
            datetime.fromisoformat(params[name]).replace(tzinfo=None) for name in ("fromTimestamp", "toTimestamp")
        )
        requests.append(params)
        if end - start > 365 * 20 * DAY:
            return httpx.Response(422, json={"message": "narrow your request"})
        total = sum(start <= time < end for time in times)
        return httpx.Response(200, json={"data": [], "meta": {"totalItems": total, "totalPages": total, "page": 1}})

    client = reading(server, Path()).client
    window = Window(HISTORY_START, START + DAY)
    found = source.measure(client, LEGACY, "traces", window)
    assert found is not None
    assert sum(volume.rows for volume in found) == len(times)
    assert max(volume.rows for volume in found) <= 5000
    assert len(requests) < 40
    assert requests[0]["fields"] == "core"


def test_entities_of_each_generation() -> None:
    assert source.entities(MODERN) == {"observations": "modern", "scores": "modern"}
    assert set(source.entities(LEGACY)) == {"traces", "observations", "scores", "sessions"}
    assert source.entities(LEGACY)["scores"] == "legacy"
    assert source.entities(replace(LEGACY, score_route="/v3/scores"))["scores"] == "modern"


@pytest.mark.parametrize(
    ("generation", "version"),
    [("v4", None), ("dual", None), ("v4_legacy", None), ("v3", None), ("v3", "3.180.0"), ("v2", None)],
)
def test_every_row_of_every_generation_is_landed(
    tmp_path: Path, generation: Generation, version: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Detect, count, plan, read at once from several threads: against the sandbox's own replies."""
    monkeypatch.setattr(volumes, "SHORTEST", timedelta(minutes=1))
    sandbox = Sandbox(tiny_world(), generation=generation, version=version)

    def server(request: httpx.Request) -> httpx.Response:
        answer = sandbox.answer_url("GET", request.url.path, request.url.query, dict(request.headers), b"")
        return httpx.Response(
            answer.status, headers={"content-type": answer.media_type, **answer.headers}, content=answer.body
        )

    credentials = Credentials("default", "http://sandbox", sandbox.public_key, sandbox.secret_key)
    client = Client(credentials, limiter=Limiter(), transport=httpx.MockTransport(server), sleep=lambda _: None)
    found = detect(client, previous=None)
    read = Reading(client, Landing(tmp_path))
    slices = [
        whole(project_id=found.project_id, entity=entity, now=START)
        for entity in source.REFERENCE_PATHS
        if source.is_offered(found, entity)
    ]
    window = Window(HISTORY_START, START + 365 * DAY)
    for entity, family in source.entities(found).items():
        planned = plan(
            project_id=found.project_id,
            entity=entity,
            family=family,
            window=window,
            watermark=None,
            slice_length=timedelta(hours=1),
            measure=lambda window, entity=entity: source.measure(client, found, entity, window),
        )
        slices += [half for slice_ in planned for half in split(slice_)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda slice_: read.fetch(slice_, found, page_size=3), slices))

    landed: dict[str, set[str]] = {}
    for pending in read.landing.pending():
        landed.setdefault(pending.slice.entity, set()).update(read.ids(pending.slice))
    world = sandbox.world
    own = {observation.id for observation in world.observations}
    observed = {key for key in landed["observations"] if not key.startswith("t-")}
    assert observed == {key for key in own if not key.startswith("t-")}
    if generation in ("v3", "v2", "v4_legacy"):
        assert landed["traces"] == {trace.id for trace in world.traces}
    if found.score_route == "/v3/scores":
        assert landed["scores"] == {score.id for score in world.scores}
    assert len(landed["models"]) == len(world.models)
    assert len(landed["projects"]) == 1
