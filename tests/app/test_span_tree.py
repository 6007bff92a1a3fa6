"""Every span has one place in the tree, whatever its parent says."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.analysis.span_tree import TOP, Tree, arrange


def tree_of(*rows: tuple[str, str | None], synthetic: str = "") -> Tree:
    return arrange("t", [row[0] for row in rows], [row[1] for row in rows], [row[0] == synthetic for row in rows])


def test_children_stand_below_their_parent_in_the_order_given() -> None:
    tree = tree_of(("root", None), ("late child of b", "b"), ("a", "root"), ("b", "root"), ("child of a", "a"))
    assert tree.order == [0, 2, 4, 3, 1]
    assert tree.depths == [0, 2, 1, 1, 2]
    assert tree.parents == [TOP, 3, 0, 0, 2]
    assert (tree.orphans, tree.cut) == (frozenset(), frozenset())


def test_a_parent_elsewhere_leaves_its_child_at_the_top() -> None:
    tree = tree_of(("a", "in another service"), ("b", "a"), ("c", None), ("d", ""))
    assert tree.depths == [0, 1, 0, 0]
    assert tree.orphans == {0}


def test_a_row_below_a_trace_object_that_did_not_come_is_no_orphan() -> None:
    assert tree_of(("a", "t-t"), ("b", "t-other")).orphans == {1}


def test_a_trace_object_stands_above_everything() -> None:
    tree = tree_of(("a", None), ("t-t", None), ("b", "gone"), ("c", "t-t"), ("d", "a"), synthetic="t-t")
    assert tree.parents == [1, TOP, 1, 1, 0]
    assert tree.order == [1, 0, 4, 2, 3]


def test_a_circle_is_cut_at_its_earliest_span() -> None:
    tree = tree_of(("hangs off", "b"), ("b", "c"), ("c", "d"), ("d", "b"), ("root", None))
    assert tree.cut == {1}
    assert tree.parents == [1, TOP, 3, 1, TOP]
    assert sorted(tree.order) == [0, 1, 2, 3, 4]


def test_two_circles_below_a_trace_object() -> None:
    tree = tree_of(("a", "b"), ("b", "a"), ("c", "c"), ("d", "e"), ("e", "d"), ("t-t", "a"), synthetic="t-t")
    assert tree.cut == {0, 3}
    assert [tree.parents[span] for span in (0, 2, 3, 5)] == [5, 5, 5, TOP]


def test_a_chain_of_twenty_thousand_needs_no_recursion() -> None:
    ids = [str(number) for number in range(20_000)]
    tree = arrange("t", ids, [None, *ids[:-1]], [False] * len(ids))
    assert tree.depths[-1] == 19_999
    assert len(tree.with_ancestors([19_999])) == 20_000


def test_what_a_filter_keeps_has_its_ancestors() -> None:
    tree = tree_of(("root", None), ("a", "root"), ("b", "a"), ("c", "root"))
    assert tree.with_ancestors([2]) == {0, 1, 2}
    assert tree.with_ancestors([]) == set()


@given(st.lists(st.integers(min_value=-1, max_value=30), max_size=30), st.integers(min_value=-1, max_value=30))
def test_every_span_has_one_place_below_its_parent(parents: list[int], synthetic: int) -> None:
    ids = [str(number) for number in range(len(parents))]
    tree = arrange("t", ids, [None if p < 0 else str(p) for p in parents], [i == synthetic for i in range(len(ids))])
    assert sorted(tree.order) == list(range(len(ids)))
    place = {span: position for position, span in enumerate(tree.order)}
    for span, parent in enumerate(tree.parents):
        assert parent == TOP or place[parent] < place[span]
        assert tree.depths[span] == (0 if parent == TOP else tree.depths[parent] + 1)
