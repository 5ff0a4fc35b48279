"""Need and tree arithmetic, each example worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from governance.quota.model import (
    AllowanceState,
    Declaration,
    ObjectState,
    Pending,
    UsageRow,
    joint_need,
    rises,
    walk,
)
from governance.units import EMPTY, ResourceList
from tests.quota.hospital import CPU, LATER

PODS = "count/pods"
PATH = ("project", "department", "root")


def takes(replicas: int, unit: int = 1, *, surge: int = 0, rolling: bool = False) -> Declaration:
    fixed = ResourceList({"count/deployments.apps": 1})
    return Declaration(
        "apps/deployments", replicas, ResourceList({CPU: unit}), surge, rolling, fixed, template=f"{unit}"
    )


def state(
    observed: Declaration | None = None, *pending: Declaration, children: ResourceList = EMPTY, gone: bool = False
) -> ObjectState:
    entries = tuple(Pending("1", one, f"{number}", LATER) for number, one in enumerate(pending))
    nobody = UUID(int=0)
    return ObjectState(
        nobody, nobody, "uid", "kind", "ct", "web", observed=observed, pendings=entries, children=children, gone=gone
    )


def test_a_declaration_takes_its_replicas_and_its_surge_only_while_rolling() -> None:
    assert takes(3, 2, surge=1).value() == ResourceList({CPU: 6, "count/deployments.apps": 1})
    assert takes(3, 2, surge=1, rolling=True).value()[CPU] == 8


def test_a_need_is_the_largest_of_what_was_seen_and_what_is_pending_component_by_component() -> None:
    wide = replace(takes(5), unit=ResourceList({CPU: 1}))
    tall = replace(takes(1), unit=ResourceList({CPU: 2, "requests.memory": 7}))
    assert state(wide, tall).need() == ResourceList({CPU: 5, "requests.memory": 7, "count/deployments.apps": 1})


def test_children_draw_on_their_parent_and_are_counted_on_top() -> None:
    below = ResourceList({CPU: 3, PODS: 3})
    assert state(takes(5), children=below).need() == ResourceList({CPU: 5, PODS: 3, "count/deployments.apps": 1})
    assert state(takes(2), children=below).need()[CPU] == 3


def test_of_one_name_the_values_do_not_add_up_but_what_hangs_below_does() -> None:
    former = state(takes(4), children=ResourceList({CPU: 4, PODS: 4}))
    latter = state(None, takes(5), children=ResourceList({CPU: 2, PODS: 2}))
    assert joint_need((former, latter)) == ResourceList({CPU: 6, PODS: 6, "count/deployments.apps": 1})
    assert joint_need((former, state(None, takes(5)))) == ResourceList({CPU: 5, PODS: 4, "count/deployments.apps": 1})


def test_only_a_component_that_is_larger_rises() -> None:
    assert rises(None, takes(1))
    assert rises(takes(1), takes(2))
    assert not rises(takes(2), takes(2))
    assert not rises(takes(2), takes(1))
    assert not rises(takes(2), None)
    assert rises(takes(4), replace(takes(1), unit=ResourceList({"requests.memory": 1})))


def positions(rows: list[UsageRow], delta: int, *allowances: AllowanceState) -> list[tuple[int, int | None, int]]:
    """Increase, limit and what is passed up, from the project to the root."""
    found = walk(rows, PATH, ResourceList({CPU: delta}), allowances)
    return [(one.increase, one.limit, one.drawn) for one in found]


def row(node: str, used: int = 0, hard: int | None = None, **rest: int | None) -> UsageRow:
    """As a sound ledger has it: it passes up the larger of what it uses and what it guarantees."""
    made = UsageRow(node, CPU, depth=len(PATH) - 1 - PATH.index(node), used=used, hard=hard, **rest)  # type: ignore[arg-type]  # amounts by name
    return replace(made, drawn=max(used, made.guaranteed))


@pytest.mark.parametrize(
    ("hard", "lending", "depth", "guaranteed"),
    [
        pytest.param(10, 4, 1, 6, id="what is not lent"),
        pytest.param(10, None, 1, 0, id="all may be lent"),
        pytest.param(10, 0, 1, 10, id="nothing is lent"),
        pytest.param(10, 12, 1, 0, id="more is lent than there is"),
        pytest.param(10, 4, 0, 10, id="the root lends nothing"),
        pytest.param(None, 4, 1, 0, id="no limit"),
    ],
)
def test_what_is_guaranteed(hard: int | None, lending: int | None, depth: int, guaranteed: int) -> None:
    assert UsageRow("n", CPU, depth, hard=hard, lending=lending).guaranteed == guaranteed


def test_within_its_guarantee_a_child_does_not_move_its_parent() -> None:
    rows = [row("project", 0, 10, lending=4), row("department", 6, 20), row("root", 6, 100)]
    assert positions(rows, 5) == [(5, 10, 6), (0, 20, 6), (0, 100, 100)]


def test_above_its_guarantee_only_the_rest_is_passed_up() -> None:
    rows = [row("project", 5, 10, lending=4), row("department", 6, 20), row("root", 6, 100)]
    assert positions(rows, 4) == [(4, 10, 9), (3, 20, 9), (3, 100, 100)]


def test_what_is_given_back_is_passed_up_down_to_the_guarantee() -> None:
    rows = [row("project", 9, 10, lending=4), row("department", 9, 20), row("root", 9, 100)]
    assert positions(rows, -8) == [(-8, 10, 6), (-3, 20, 6), (-3, 100, 100)]


def test_a_department_that_guarantees_hides_its_project_from_the_root() -> None:
    rows = [row("project", 2, 10), row("department", 2, 8, lending=0), row("root", 8, 9)]
    assert positions(rows, 6) == [(6, 10, 8), (6, 8, 8), (0, 9, 9)]
    over = [one.node_id for one in walk(rows, PATH, ResourceList({CPU: 7})) if one.refused]
    assert over == ["department"]


def test_borrowing_raises_the_limit_and_a_parents_limit_caps_it() -> None:
    rows = [row("project", 4, 4, borrowing=3), row("department", 4, 6), row("root", 4)]
    found = walk(rows, PATH, ResourceList({CPU: 3}))
    assert [(one.limit, one.over, one.refused) for one in found] == [(7, 0, False), (6, 1, True), (None, 0, False)]


def test_two_that_share_a_cohort_borrow_what_the_other_does_not_need() -> None:
    """As Kueue's documentation has it: two queues of 9 in one cohort; nothing is guaranteed, so one may take 15 of
    the 18 when the other takes 3, and not one more. Here the department's own limit is the cohort's sum."""
    rows = [row("project", 12, 9, borrowing=9), row("department", 15, 18), row("root", 15)]
    assert not any(one.refused for one in walk(rows, PATH, ResourceList({CPU: 3})))
    assert [one.node_id for one in walk(rows, PATH, ResourceList({CPU: 4})) if one.refused] == ["department"]


def test_a_limit_cut_below_usage_refuses_increases_only() -> None:
    rows = [row("project", 9, 4), row("department", 9), row("root", 9)]
    assert [one.refused for one in walk(rows, PATH, ResourceList({CPU: 1}))] == [True, False, False]
    down = walk(rows, PATH, ResourceList({CPU: -1}))
    assert [(one.over, one.refused) for one in down] == [(4, False), (0, False), (0, False)]


def test_a_parent_above_its_limit_does_not_refuse_what_does_not_reach_it() -> None:
    rows = [row("project", 0, 5, lending=0), row("department", 9, 7), row("root", 9)]
    assert not any(one.refused for one in walk(rows, PATH, ResourceList({CPU: 5})))


def test_allowances_are_added_to_those_that_the_rows_count() -> None:
    rows = [row("project", 4, 4, allowance=1), row("department", 4, 4), row("root", 4)]
    more = AllowanceState("department", CPU, 2, uuid4(), LATER)
    assert [limit for _, limit, _ in positions(rows, 1, more)] == [5, 6, None]


def test_a_row_that_is_missing_stands_for_a_node_without_limit_that_has_taken_nothing() -> None:
    assert positions([], 3) == [(3, None, 3)] * 3
    assert [one.depth for one in walk([], PATH, ResourceList({CPU: 3}))] == [2, 1, 0]
