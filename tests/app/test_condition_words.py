from __future__ import annotations

import pytest

from app.metrics.condition_words import condition_words


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("session.duration_ms>=600000", "Session duration at least 10 m"),
        ("session.duration_ms>600000", "Session duration longer than 10 m"),
        ("session.duration_ms<5400000", "Session duration shorter than 1 h 30 m"),
        ("session.avg_response_ms>1500", "Session response time longer than 1.5 s"),
        ("session.cost_usd>1", "Session cost above $1.00"),
        ("session.cost_usd<=0.002", "Session cost at most $0.002"),
        ("session.error_count>=2", "Session errors at least 2"),
        ("session.failed_count>0", "Session failed turns above 0"),
        ("trace.tool_call_count>9", "Trace tool calls above 9"),
        ("session.turns<3", "Session turns below 3"),
        ("session.total_tokens>=12000", "Session total tokens at least 12,000"),
        ("session.satisfaction_mean<2.5", "Session satisfaction below 2.50"),
        ("text~refund not received", "Says “refund not received”"),
        ("trace_name=support", "trace_name=support"),
        ("session.turns=3", "session.turns=3"),
        ("model!=gpt-4o", "model!=gpt-4o"),
        ("nothing>x", "nothing>x"),
    ],
)
def test_a_bound_is_said_in_words(text: str, said: str) -> None:
    assert condition_words(text) == said
