"""The critical path on cases worked by hand; a picture stands beside each. Times in any whole unit."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from app.analysis.critical_path import IDLE, Segment, critical_path
from app.analysis.span_tree import arrange

Row = tuple[str, str | None, int, int | None]


def parts(*rows: Row, synthetic: str = "") -> list[tuple[str, int, int]]:
    """The path by names; ``-`` is idle."""
    names = [row[0] for row in rows]
    is_trace = [name == synthetic for name in names]
    tree = arrange("t", names, [row[1] for row in rows], is_trace)
    path = critical_path([row[2] for row in rows], [row[3] for row in rows], tree, is_trace)
    return [("-" if part.span == IDLE else names[part.span], part.start, part.end) for part in path]


def test_one_span_is_its_own_path() -> None:
    assert parts(("root", None, 0, 10)) == [("root", 0, 10)]


def test_steps_one_after_another_and_the_time_between_them() -> None:
    # root  ==========
    # a     ===
    # b          ====      root's own: 3-5 and 9-10
    assert parts(("root", None, 0, 10), ("a", "root", 0, 3), ("b", "root", 5, 9)) == [
        ("a", 0, 3),
        ("root", 3, 5),
        ("b", 5, 9),
        ("root", 9, 10),
    ]


def test_of_two_that_began_together_the_longer_one_counts() -> None:
    """A ======, b ===: shortening b changes nothing."""
    assert parts(("root", None, 0, 6), ("a", "root", 0, 6), ("b", "root", 0, 3)) == [("a", 0, 6)]


def test_what_still_ran_when_the_next_began_did_not_cause_it() -> None:
    # root  ==========
    # a     ======
    # b         ======     b began at 4 while a ran: before 4 the path is in root, not in a
    assert parts(("root", None, 0, 10), ("a", "root", 0, 6), ("b", "root", 4, 10)) == [("root", 0, 4), ("b", 4, 10)]


def test_a_fan_of_tools_then_an_answer() -> None:
    """Plan ==, three tools from 2 to 5, 8 and 7, answer from 8 to 12: plan, the slowest tool, answer."""
    rows: list[Row] = [("agent", None, 0, 12), ("plan", "agent", 0, 2), ("t1", "agent", 2, 5), ("t2", "agent", 2, 8)]
    rows += [("t3", "agent", 2, 7), ("answer", "agent", 8, 12)]
    assert parts(*rows) == [("plan", 0, 2), ("t2", 2, 8), ("answer", 8, 12)]


def test_the_path_goes_into_grandchildren() -> None:
    rows: list[Row] = [("root", None, 0, 10), ("step", "root", 1, 9), ("call", "step", 2, 8), ("retry", "call", 5, 8)]
    assert parts(*rows) == [
        ("root", 0, 1),
        ("step", 1, 2),
        ("call", 2, 5),
        ("retry", 5, 8),
        ("step", 8, 9),
        ("root", 9, 10),
    ]


def test_a_child_that_outlives_its_parent_ends_the_trace() -> None:
    # root  =====
    # job     ==========   the trace ends with the job; root's part is what came before it
    assert parts(("root", None, 0, 5), ("job", "root", 2, 12)) == [("root", 0, 2), ("job", 2, 12)]


def test_a_child_that_starts_after_its_parent_ended_leaves_idle_time() -> None:
    assert parts(("root", None, 0, 5), ("job", "root", 8, 12)) == [("root", 0, 5), ("-", 5, 8), ("job", 8, 12)]


def test_a_child_before_its_parent_begins_the_path() -> None:
    """A clock that is 2 ahead: nothing is lost and nothing negative."""
    assert parts(("a", "root", -2, 3), ("root", None, 0, 5)) == [("a", -2, 3), ("root", 3, 5)]


def test_a_span_without_an_end_reaches_to_the_last_end_below_it() -> None:
    assert parts(("root", None, 0, None), ("a", "root", 2, 7)) == [("root", 0, 2), ("a", 2, 7)]


def test_a_leaf_without_an_end_is_a_moment_and_not_on_the_path() -> None:
    assert parts(("root", None, 0, 10), ("tool", "root", 4, None)) == [("root", 0, 10)]


def test_no_end_at_all_is_no_path() -> None:
    assert parts(("root", None, 0, None)) == []
    assert parts() == []


def test_an_end_before_the_start_is_a_moment() -> None:
    assert parts(("root", None, 0, 10), ("odd", "root", 6, 2)) == [("root", 0, 10)]


def test_several_tops_and_the_gap_between_them() -> None:
    assert parts(("a", None, 0, 3), ("b", "elsewhere", 5, 9)) == [("a", 0, 3), ("-", 3, 5), ("b", 5, 9)]


def test_parents_in_a_circle_are_walked_once() -> None:
    assert parts(("a", "b", 0, 10), ("b", "a", 2, 8)) == [("a", 0, 2), ("b", 2, 8), ("a", 8, 10)]


def test_the_trace_object_does_no_work() -> None:
    rows: list[Row] = [("t-t", None, 0, 10), ("a", None, 2, 5)]
    assert parts(*rows, synthetic="t-t") == [("-", 0, 2), ("a", 2, 5), ("-", 5, 10)]


def test_a_chain_of_five_thousand_needs_no_recursion() -> None:
    names = [str(number) for number in range(5_000)]
    tree = arrange("t", names, [None, *names[:-1]], [False] * len(names))
    path = critical_path(list(range(5_000)), [10_000 - number for number in range(5_000)], tree, [False] * len(names))
    assert path[0] == Segment(0, 0, 1)
    assert sum(part.end - part.start for part in path) == 10_000


spans = st.tuples(
    st.integers(min_value=-1, max_value=12),
    st.integers(min_value=0, max_value=50),
    st.one_of(st.none(), st.integers(min_value=0, max_value=60)),
)


@given(st.lists(spans, min_size=1, max_size=12))
def test_the_parts_add_up_to_the_duration_whatever_is_broken(rows: list[tuple[int, int, int | None]]) -> None:
    ids = [str(number) for number in range(len(rows))]
    tree = arrange("t", ids, [None if p < 0 else str(p) for p, _, _ in rows], [False] * len(rows))
    starts, ends = [start for _, start, _ in rows], [end for _, _, end in rows]
    path = critical_path(starts, ends, tree, [False] * len(rows))
    last = max([*starts, *(end for end in ends if end is not None)])
    assert sum(part.end - part.start for part in path) == last - min(starts)
    for earlier, later in pairwise(path):
        assert earlier.end == later.start
    for part in path:
        assert part.start < part.end
        if part.span != IDLE:
            assert part.start >= starts[part.span]
            end = ends[part.span]
            assert end is None or part.end <= max(end, starts[part.span])
