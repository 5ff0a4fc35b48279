from typing import Any

import pytest

from governance.configuration.apply import read
from governance.configuration.model import InvalidConfiguration, SourceFile
from governance.configuration.specs import Quota
from tests.configuration.manifests import EXAMPLE, SMALL, small, text


def problems(files: list[SourceFile]) -> list[str]:
    with pytest.raises(InvalidConfiguration) as caught:
        read(files)
    return [str(one) for one in caught.value.problems]


def one_problem(key: str, spec: dict[str, Any]) -> str:
    (only,) = problems(small({key: spec}))
    return only


def changed(key: str, **fields: object) -> dict[str, Any]:
    return {**SMALL[key], **fields}


def test_the_small_hospital_is_read() -> None:
    manifests = read(small())
    assert len(manifests) == len(SMALL)
    assert manifests["Project", "ct"].canonical == {
        "department": "radiology",
        "environment": "research",
        "owner": "okafor",
    }


def test_every_problem_of_every_file_is_reported_in_one_run_with_file_line_and_field() -> None:
    first = text(
        "apiVersion: governance.io/v1\nkind: Department\nmetadata:\n  name: X y\nspec:\n  titel: X\n", "a.yaml"
    )
    second = text("apiVersion: v2\nkind: Deprtment\nmetadata: {name: y}\nspec: {}\nextra: 1\n", "b.yaml")
    assert problems([first, second]) == [
        "a.yaml:4: metadata.name: 'X y' is not a name. Use lower-case letters, digits, - and ., at most 63 characters.",
        "a.yaml:5: Department spec.title: It is missing. Add it.",
        "a.yaml:6: Department spec.titel: Unknown field. Did you mean title?",
        "b.yaml:1: apiVersion: 'v2' is not known. Write apiVersion: governance.io/v1.",
        "b.yaml:2: kind: 'Deprtment' is not a kind of manifest. Did you mean Department?",
        "b.yaml:5: extra: Unknown field.",
    ]


def test_a_field_deep_in_a_list_is_named_with_its_line() -> None:
    content = (
        "apiVersion: governance.io/v1\nkind: Person\nmetadata:\n  name: okafor\nspec:\n  displayName: Dr. Okafor\n"
        "  email: okafor@example.org\n  roles:\n    - role: requester\n      at: radiology\n    - role: aprover\n"
        "      at: radiology\n      since: 2020\n"
    )
    assert problems([text(content)]) == [
        "a.yaml:11: Person/okafor spec.roles[1].role: 'aprover': Input should be 'requester', 'approver', 'finance',"
        " 'auditor', 'admin' or 'service'.",
        "a.yaml:13: Person/okafor spec.roles[1].since: Unknown field.",
    ]


def test_a_number_where_text_is_wanted_says_to_quote_it() -> None:
    message = one_problem("Department/hospital", {"title": "Hospital", "costCentre": 4100})
    assert message.endswith("Department/hospital spec.costCentre: It must be text, and is a number. Put it in quotes.")


def test_a_manifest_that_stands_twice_names_the_first() -> None:
    (file,) = small()
    doubled = [file, SourceFile("second.yaml", file.content.split(b"---\n")[0])]
    assert problems(doubled) == [
        "second.yaml:4: Department/hospital metadata.name: Department hospital stands twice, first in hospital.yaml:1."
        " Remove one."
    ]


def test_a_document_that_is_not_a_mapping_is_refused() -> None:
    assert problems([text("- 1\n")]) == ["a.yaml:1: A manifest is a mapping with apiVersion, kind, metadata and spec."]


def test_a_file_of_another_kind_is_refused() -> None:
    assert "neither YAML nor a calendar" in problems([text("x", "notes.txt")])[0]


def test_equal_meanings_have_equal_canonical_forms() -> None:
    other: dict[str, dict[str, Any] | None] = {
        "Quota/radiology": {
            "for": {"department": "radiology"},
            "hard": {"requests.nvidia.com/gpu": "4", "requests.cpu": "10000m"},
            "lendingLimit": {},
        },
        "Group/platform": {"members": ["lindqvist"]},
    }
    assert read(small()).digest() == read(small(other)).digest()


def test_a_limit_of_zero_is_kept() -> None:
    manifests = read(small({"Quota/radiology": {"for": {"department": "radiology"}, "hard": {"pods": 0}}}))
    assert manifests["Quota", "radiology"].canonical["hard"] == {"pods": "0"}


def test_a_quantity_without_quotes_is_read_exactly() -> None:
    (file,) = small({"Quota/radiology": {"for": {"department": "radiology"}, "hard": {"cpu": "QUANTITY"}}})
    exact = SourceFile(file.name, file.content.replace(b"QUANTITY", b"0.1"))
    quota = read([exact])["Quota", "radiology"]
    assert isinstance(quota.spec, Quota)
    assert quota.canonical["hard"] == {"requests.cpu": "100m"}


@pytest.mark.parametrize(
    ("hard", "said"),
    [
        ({"cpus": "1"}, "hard.cpus: 'cpus' is not a resource that is charged."),
        (
            {"request.cpu": "1"},
            "hard.request.cpu: 'request.cpu' is not a resource that is charged. Did you mean requests.cpu?",
        ),
        ({"nvidia.com/gpu": 1}, "is not a resource that is charged. Write requests.nvidia.com/gpu."),
        ({"cpu": "1", "requests.cpu": "2"}, "requests.cpu and cpu are the same resource."),
        ({"cpu": "many"}, "'many' is not a quantity."),
        ({"cpu": "-1"}, "-1 is out of range."),
        ({"cpu": "1e400"}, "1E+400 is out of range."),
        ({"cpu": True}, "It must be text, and is true or false."),
        ({"cpu": None}, "It must be text, and is nothing."),
        ([], "spec.hard: It must be a mapping, and is a list."),
    ],
)
def test_a_wrong_quantity_is_named(hard: object, said: str) -> None:
    assert said in one_problem("Quota/radiology", {"for": {"department": "radiology"}, "hard": hard})


@pytest.mark.parametrize(
    ("key", "fields", "said"),
    [
        ("Person/okafor", {"timeZone": "Vienna"}, "'Vienna' is not a time zone."),
        ("Person/okafor", {"email": "okafor"}, "'okafor' is not an e-mail address."),
        ("Department/hospital", {"currency": "Euro"}, "'Euro' is not a currency."),
        ("Project/ct", {"labels": {"a b": "c"}}, "a b: c is not a label."),
        ("NamespaceBinding/ct", {"exempt": True}, "It must name a project, or be exempt, and not both."),
        ("NamespaceBinding/ct", {"selector": {"matchLabels": {"a": "b"}}}, "name namespaces, or give a selector"),
        ("NamespaceBinding/ct", {"namespaces": [], "selector": {}}, "An empty selector would match every namespace."),
        (
            "NamespaceBinding/ct",
            {"namespaces": [], "selector": {"matchExpressions": [{"key": "a", "operator": "In"}]}},
            "In and its values do not fit.",
        ),
        ("Group/platform", {"members": ["lindqvist", "lindqvist"]}, "lindqvist stands twice."),
        ("ApprovalRule/big", {"require": []}, "at least 1 item"),
        ("ApprovalRule/big", {"require": [{"group": "platform", "minimum": 0}]}, "greater than or equal to 1"),
        ("ApprovalRule/big", {"require": [{"group": "approver@"}]}, "'approver@' is not a group."),
        ("ApprovalRule/big", {"when": {"kinds": ["Deployment"]}}, "Write group/resource"),
        ("ApprovalRule/big", {"require": [{"group": "platform"}, {"group": "platform"}]}, "platform stands twice."),
        ("Quota/radiology", {"for": {}}, "It must name one department or one project."),
        ("Quota/radiology", {"lendingLimit": {"pods": 1}}, "lendingLimit.pods: There is no hard limit"),
        ("Quota/radiology", {"lendingLimit": {"cpu": 11}}, "More is lent than the hard limit."),
        (
            "Person/okafor",
            {"roles": [{"role": "service", "at": "radiology"}, {"role": "approver", "at": "radiology"}]},
            "The role service stands alone",
        ),
    ],
)
def test_what_is_wrong_within_a_manifest_is_named(key: str, fields: dict[str, Any], said: str) -> None:
    assert said in one_problem(key, changed(key, **fields))


CALENDAR = (EXAMPLE / "turn-of-the-year.ics").read_bytes()


def test_a_calendar_is_taken_from_the_file_beside_the_manifest() -> None:
    (file,) = small({"FreezeCalendar/x": {"at": "hospital", "file": "x.ics"}})
    calendar = SourceFile("sub/x.ics", CALENDAR)
    manifests = read([SourceFile("sub/hospital.yaml", file.content), calendar])
    assert manifests["FreezeCalendar", "x"].canonical == {"at": "hospital", "calendar": calendar.content.decode()}


def test_a_calendar_file_that_was_not_given_is_named() -> None:
    message = one_problem("FreezeCalendar/x", {"at": "hospital", "file": "../../etc/x.ics"})
    assert "spec.file: There is no file ../../etc/x.ics among those given." in message


def test_a_calendar_that_cannot_be_expanded_is_named_with_its_field() -> None:
    assert "spec.calendar: " in one_problem("FreezeCalendar/x", {"at": "hospital", "calendar": "BEGIN:NOTHING"})
