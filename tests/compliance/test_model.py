from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from governance.compliance.model import (
    Asked,
    Requirement,
    Standing,
    asked_of,
    digest_in,
    is_type,
    new_images,
    strictest,
)

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
A, B = "sha256:" + "aa" * 32, "sha256:" + "bb" * 32
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("image", "digest"),
    [
        (f"registry.example:5000/ct@{A}", A),
        (f"ct:7@{A}", A),
        ("ct:7", ""),
        ("registry.example:5000/ct", ""),
        ("", ""),
        (f"ct@{A}0", ""),
        (f"ct@{A.upper()}", ""),
        ("ct@sha256:12", ""),
        ("ct@sha512:" + "aa" * 64, ""),
        (f"ct@{A}\n", ""),
    ],
)
def test_a_digest_is_what_stands_behind_the_at_sign_and_nothing_else(image: str, digest: str) -> None:
    assert digest_in(image) == digest


def test_types_are_called_as_manifests_are() -> None:
    assert all(map(is_type, ("vuln-scan", "sbom", "iso.27001")))
    assert not any(map(is_type, ("", "Vuln", "-a", "a/b", "a" * 64, "vuln-scan\n")))


def test_requirements_add_up_and_the_strictest_age_holds() -> None:
    project, department, root = "1", "2", "3"
    found = strictest(
        [
            Requirement("sbom", project),
            Requirement("vuln-scan", project, 30 * DAY),
            Requirement("vuln-scan", department, 7 * DAY),
            Requirement("vuln-scan", root),
            Requirement("license", department, DAY),
            Requirement("license", root, DAY),
        ]
    )
    assert found == (
        Requirement("license", root, DAY),
        Requirement("sbom", project),
        Requirement("vuln-scan", department, 7 * DAY),
    )


def test_an_image_is_new_by_its_digest_and_a_tag_by_its_name() -> None:
    assert new_images([f"a@{A}", f"b@{B}", "c:1"], [f"mirror/a:2@{A}", "c:1"]) == (f"b@{B}",)
    assert new_images(["c:2", f"c:1@{A}"], ["c:1"]) == ("c:2", f"c:1@{A}")


def test_each_image_is_asked_for_each_type_and_ends_when_the_earlier_end_comes() -> None:
    required = [Requirement("sbom", "2"), Requirement("vuln-scan", "3", 2 * DAY)]
    passed = Standing("vuln-scan", A, "pass", AT)
    assert asked_of([f"a@{A}", "b:1"], required, [passed, Standing("vuln-scan", B, "fail", AT)]) == (
        Asked(f"a@{A}", A, "sbom", "2"),
        Asked(f"a@{A}", A, "vuln-scan", "3", "pass", AT, AT + 2 * DAY),
        Asked("b:1", "", "sbom", "2"),
        Asked("b:1", "", "vuln-scan", "3"),
    )
    (ending,) = asked_of([f"a@{A}"], required[1:], [Standing("vuln-scan", A, "pass", AT, AT + DAY)])
    assert ending.valid_until == AT + DAY
    (later,) = asked_of([f"a@{A}"], required[1:], [Standing("vuln-scan", A, "pass", AT, AT + 9 * DAY)])
    assert later.valid_until == AT + 2 * DAY
    (endless,) = asked_of([f"a@{A}"], [Requirement("vuln-scan", "3")], [passed])
    assert endless.valid_until is None
