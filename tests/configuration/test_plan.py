from typing import Any

from governance.configuration.apply import read
from governance.configuration.model import Difference, FieldChange, Manifests
from governance.configuration.plan import plan
from tests.configuration.manifests import SMALL, small


def in_force(manifests: Manifests) -> dict[tuple[str, str], dict[str, Any]]:
    return {key: one.canonical for key, one in manifests.items()}


def test_the_first_plan_creates_everything() -> None:
    made = plan(read(small()), {}, 0)
    assert {one.action for one in made.differences} == {"create"}
    assert len(made.differences) == len(SMALL)
    assert made.base == 0


def test_a_configuration_that_is_in_force_changes_nothing() -> None:
    manifests = read(small())
    made = plan(manifests, in_force(manifests), 3)
    assert made.empty
    assert (made.base, made.unchanged) == (3, len(SMALL))


def test_an_update_shows_each_field_before_and_after() -> None:
    before = read(small())
    quota = {"for": {"department": "radiology"}, "hard": {"cpu": "12", "pods": 5}}
    made = plan(read(small({"Quota/radiology": quota})), in_force(before), 1)
    assert made.differences == (
        Difference(
            "update",
            "Quota",
            "radiology",
            (
                FieldChange("hard.pods", None, "5"),
                FieldChange("hard.requests.cpu", "10", "12"),
                FieldChange("hard.requests.nvidia.com/gpu", "4", None),
            ),
        ),
    )


def test_what_the_files_leave_out_is_deleted() -> None:
    before = read(small())
    made = plan(read(small({"ApprovalRule/big": None})), in_force(before), 1)
    assert [(one.action, one.kind, one.name) for one in made.deletes] == [("delete", "ApprovalRule", "big")]
    assert made.differences == made.deletes


def test_the_digest_does_not_depend_on_the_order_of_files() -> None:
    forwards, backwards = read(small()), Manifests(reversed(list(read(small()).values())))
    assert plan(forwards, {}, 0).digest == plan(backwards, {}, 0).digest
