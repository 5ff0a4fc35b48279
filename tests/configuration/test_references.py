from typing import Any

import pytest

from governance.configuration.apply import read
from governance.configuration.model import InvalidConfiguration
from tests.configuration.manifests import SMALL, example, small


def problems(changes: dict[str, dict[str, Any] | None]) -> list[str]:
    with pytest.raises(InvalidConfiguration) as caught:
        read(small(changes))
    return [str(one) for one in caught.value.problems]


def changed(key: str, **fields: object) -> dict[str, dict[str, Any] | None]:
    return {key: {**SMALL[key], **fields}}


def delegated(person: str, until: str = "2027-01-02T00:00:00Z") -> dict[str, dict[str, Any] | None]:
    away = {"person": person, "since": "2026-12-24T00:00:00Z", "until": until}
    return changed("Person/lindqvist", delegates=[away])


def test_the_example_hospital_is_valid() -> None:
    assert len(read(example())) > 40


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            changed("Project/ct", department="radiologie"),
            "spec.department: There is no department radiologie. Did you mean radiology?",
        ),
        (changed("Project/ct", owner="nobody"), "spec.owner: There is no person nobody."),
        (
            changed("Department/radiology", owner="lindqvst"),
            "Department/radiology spec.owner: There is no person lindqvst. Did you mean lindqvist?",
        ),
        (changed("Department/radiology", parent="xyz"), "spec.parent: There is no department xyz."),
        (
            changed("Group/platform", members=["lindqvst"]),
            "spec.members[0]: There is no person lindqvst. Did you mean lindqvist?",
        ),
        (changed("NamespaceBinding/ct", cluster="x"), "spec.cluster: There is no cluster x."),
        (changed("NamespaceBinding/ct", project="x"), "spec.project: There is no project x."),
        (changed("ApprovalRule/big", at="x"), "spec.at: There is no department x."),
        (changed("ApprovalRule/big", require=[{"group": "x"}]), "spec.require[0].group: There is no group x."),
        (changed("ApprovalRule/big", require=[{"group": "approver@x"}]), "There is no department x."),
        ({"FreezeCalendar/f": {"at": "x", "calendar": "y"}}, "FreezeCalendar/f spec.at: There is no department x."),
        (
            changed("Person/okafor", roles=[{"role": "requester", "at": "x"}]),
            "spec.roles[0].at: There is no department x.",
        ),
        (delegated("x"), "Person/lindqvist spec.delegates[0].person: There is no person x."),
        (delegated("lindqvist"), "spec.delegates[0].person: Nobody stands in for themselves."),
        (
            delegated("sato", until="2026-12-24T00:00:00+01:00"),
            "spec.delegates[0].until: The time ends (2026-12-23T23:00:00+00:00) before it begins",
        ),
        (delegated("sato", until="2027-01-02"), "spec.delegates[0].until: '2027-01-02' is not a time with its zone."),
        (delegated("sato", until="0001-01-01T00:00:00+01:00"), "is not a time with its zone."),
        (changed("Quota/radiology", **{"for": {"project": "x"}}), "spec.for.project: There is no project x."),
        ({"Project/radiology": SMALL["Project/ct"]}, "A department has the name radiology too"),
        ({"Department/second": {"title": "Second"}}, "There is a root already: hospital"),
        (changed("Person/sato", roles=[]), "Nobody is admin at hospital: nobody could apply again."),
        (
            changed("Person/sato", identities={"oidc": ["Okafor@example.org"]}),
            "identities.oidc[0]: Okafor@example.org is okafor already.",
        ),
        (
            {"NamespaceBinding/second": SMALL["NamespaceBinding/ct"]},
            "NamespaceBinding/second spec.namespaces[0]: ct is bound by ct already.",
        ),
        ({"Quota/second": SMALL["Quota/radiology"]}, "The quota radiology limits it for radiology already."),
        (
            {"Quota/root": {"for": {"department": "hospital"}, "hard": {"cpu": 20}, "borrowingLimit": {"cpu": 1}}},
            "The root has nobody to lend to or borrow from.",
        ),
    ],
)
def test_what_is_wrong_between_manifests_is_named(changes: dict[str, dict[str, Any] | None], said: str) -> None:
    assert said in "\n".join(problems(changes))


def test_a_circle_of_departments_is_shown() -> None:
    found = problems(changed("Department/imaging", parent="radiology"))
    assert any("The departments go in a circle: imaging -> radiology -> imaging." in one for one in found)


def test_an_empty_configuration_is_refused() -> None:
    only_people: dict[str, dict[str, Any] | None] = {key: None for key in SMALL if not key.startswith("Person/")}
    assert any("There is no department." in one for one in problems(only_people))
    with pytest.raises(InvalidConfiguration, match="There is no department"):
        read([])


def test_a_rule_that_nobody_can_meet_says_who_is_missing() -> None:
    (found,) = problems(changed("ApprovalRule/big", require=[{"group": "platform", "minimum": 2}]))
    assert "spec.require[0]: This can never be met: platform needs 2 and lacks 1; it is lindqvist." in found


def test_one_person_counts_for_one_requirement() -> None:
    two = changed("ApprovalRule/big", require=[{"group": "platform"}, {"group": "approver@radiology"}])
    (found,) = problems(two)
    assert "lacks 1" in found
    third = {"roles": [{"role": "approver", "at": "imaging"}], "displayName": "F", "email": "f@example.org"}
    read(small({**two, "Person/ferreira": third}))


def test_an_admin_does_not_count_as_an_approver() -> None:
    sato = {**SMALL["Person/sato"], "roles": [{"role": r, "at": "hospital"} for r in ("admin", "approver")]}
    (found,) = problems({"Person/sato": sato, **changed("ApprovalRule/big", require=[{"group": "approver@hospital"}])})
    assert "it is nobody" in found


def test_more_may_not_be_guaranteed_below_a_node_than_it_has() -> None:
    quotas: dict[str, dict[str, Any] | None] = {
        "Quota/hospital": {"for": {"department": "hospital"}, "hard": {"cpu": 20}},
        "Quota/radiology": {"for": {"department": "radiology"}, "hard": {"cpu": 30}, "lendingLimit": {"cpu": 10}},
    }
    read(small(quotas))
    quotas["Quota/ct"] = {"for": {"project": "ct"}, "hard": {"cpu": 31}, "lendingLimit": {"cpu": 0}}
    (found,) = problems(quotas)
    assert "Quota/radiology spec.hard" in found
    assert "The guarantees below radiology add up to more than" in found
