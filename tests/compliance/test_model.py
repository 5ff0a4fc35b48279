"""Which images must have passed what, and which checkpoint counts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from governance.compliance.model import FOREVER_S, Asked, Newest, Requirement, asked, digest_of, is_newer
from tests.compliance.signing import DIGEST, IMAGE, PASSED

AT = datetime(2026, 11, 27, 10, tzinfo=UTC)
AT_S = int(AT.timestamp())
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("image", "digest"),
    [
        (IMAGE, DIGEST),
        (f"registry.example:5000/a/b:1.2@{DIGEST}", DIGEST),
        ("registry.example/slides:1", ""),
        ("slides", ""),
        ("", ""),
        (f"slides@{DIGEST.upper()}", ""),
        (f"slides@{DIGEST[:-1]}", ""),
        (f"slides@{DIGEST}\n", ""),
        (f"slides@sha512:{'0' * 128}", ""),
        (DIGEST, ""),
    ],
)
def test_an_image_is_named_by_its_digest_or_by_none(image: str, digest: str) -> None:
    assert digest_of(image) == digest


def newest(result: str = "pass", until: datetime | None = None) -> Newest:
    return Newest("vuln-scan", DIGEST, result, AT, until)


SCAN = Requirement("vuln-scan", "pathology")


def one_of(*requirements: Requirement, known: Newest | None = None, environment: str = "production") -> list[Asked]:
    return list(asked([IMAGE, IMAGE], requirements or [SCAN], [known] if known else [], environment))


def test_each_image_is_asked_about_once_for_each_type() -> None:
    assert one_of() == [Asked(IMAGE, DIGEST, "vuln-scan", "pathology", "", 0, 0)]
    both = one_of(SCAN, Requirement("licences", "hospital"))
    assert [one.type for one in both] == ["vuln-scan", "licences"]


def test_a_pass_holds_as_long_as_it_says_and_as_the_department_lets_it() -> None:
    old = Requirement("vuln-scan", "pathology", max_age=30 * DAY)
    assert one_of(known=newest())[0].until_s == FOREVER_S
    assert one_of(known=newest(until=AT + DAY))[0].until_s == AT_S + 86400
    assert one_of(old, known=newest())[0].until_s == AT_S + 30 * 86400
    assert one_of(old, known=newest(until=AT + DAY))[0].until_s == AT_S + 86400
    assert one_of(old, known=newest(until=AT + 60 * DAY))[0].until_s == AT_S + 30 * 86400


def test_of_several_departments_the_strictest_holds() -> None:
    near, far = Requirement("vuln-scan", "near", max_age=30 * DAY), Requirement("vuln-scan", "far", max_age=DAY)
    assert one_of(near, far, known=newest())[0].node == "far"
    assert one_of(far, near, known=newest())[0].node == "far"
    assert one_of(SCAN, Requirement("vuln-scan", "far"), known=newest())[0].node == "pathology"


def test_what_another_environment_requires_is_not_asked() -> None:
    staging = Requirement("vuln-scan", "pathology", environments=("staging",))
    assert one_of(staging) == []
    assert len(one_of(staging, environment="staging")) == 1


def test_a_tag_alone_has_passed_nothing() -> None:
    (found,) = asked(["slides:1"], [SCAN], [newest()], "production")
    assert (found.digest, found.result) == ("", "")


@pytest.mark.parametrize(
    ("result", "later", "newer"),
    [("pass", DAY, True), ("fail", DAY, True), ("pass", -DAY, False), ("fail", -DAY, False)],
)
def test_the_newer_one_counts_by_when_it_was_checked(result: str, later: timedelta, newer: bool) -> None:
    one = replace(PASSED, at=AT + later, result="fail" if result == "fail" else "pass")
    assert is_newer(one, newest()) is newer


def test_of_the_same_time_a_failure_counts() -> None:
    assert is_newer(replace(PASSED, at=AT, result="fail"), newest("pass"))
    assert not is_newer(replace(PASSED, at=AT, result="pass"), newest("fail"))
    assert not is_newer(replace(PASSED, at=AT), newest())
