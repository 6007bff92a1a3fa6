from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime

from hypothesis import given
from hypothesis import settings as bounded
from hypothesis import strategies as st

from app.alerts.notice import Notice, notice_id

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
FIRING = Notice(
    id=notice_id("slow answers", "", datetime(2026, 11, 26, 5), "firing"),
    rule="slow answers",
    group="",
    kind="firing",
    level="alert",
    before="ok",
    at=datetime(2026, 11, 26, 5),
    since=datetime(2026, 11, 26, 4, 50),
    window_from=datetime(2026, 11, 26, 3, 12, 7, 250_000),
    value=12_345.6,
    n=100,
    baseline=None,
    threshold=10_000.0,
    below=False,
    metric="latency_mean_ms",
    label="Mean latency",
    format="duration",
    unit="ms",
    units="traces",
    window="latest 100 traces",
)


@bounded(deadline=None, max_examples=50)
@given(group=TEXT, where=st.lists(TEXT, max_size=3), value=st.none() | st.floats(allow_nan=False), at=st.datetimes())
def test_a_notice_survives_json(group: str, where: list[str], value: float | None, at: datetime) -> None:
    notice = replace(FIRING, group=group, where=tuple(where), value=value, at=at, window_from=None)
    assert Notice.from_json(json.loads(json.dumps(notice.as_json()))) == notice


@bounded(deadline=None, max_examples=50)
@given(first=st.tuples(TEXT, TEXT, st.datetimes(), TEXT), second=st.tuples(TEXT, TEXT, st.datetimes(), TEXT))
def test_an_id_is_of_one_change_only(
    first: tuple[str, str, datetime, str], second: tuple[str, str, datetime, str]
) -> None:
    assert (notice_id(*first) == notice_id(*second)) == (first == second)


def test_an_id_stays_the_same_between_versions() -> None:
    assert notice_id("errors", "1", datetime(2026, 1, 1), "firing") != notice_id(
        "errors1", "", datetime(2026, 1, 1), "firing"
    )
    assert notice_id("errors", "café", datetime(2026, 1, 1), "firing") == "8305a8b0bb2e22ff688e1633"
