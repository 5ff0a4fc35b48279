from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.configuration.document import DEPTH_MAX, FILE_BYTES_MAX, NODES_MAX, read_documents
from governance.configuration.model import SourceFile
from tests.configuration.manifests import text


def problem(content: str | bytes) -> str:
    raw = content if isinstance(content, bytes) else content.encode()
    _, problems = read_documents(SourceFile("a.yaml", raw))
    assert len(problems) == 1
    return str(problems[0])


def test_every_field_knows_its_line() -> None:
    documents, problems = read_documents(text("a: 1\nb:\n  - x\n  - c: y\n---\nd: 2\n"))
    assert problems == []
    assert [one.value for one in documents] == [{"a": 1, "b": ["x", {"c": "y"}]}, {"d": 2}]
    assert documents[0].lines == {(): 1, ("a",): 1, ("b",): 2, ("b", 0): 3, ("b", 1): 4, ("b", 1, "c"): 4}
    assert documents[1].lines[("d",)] == 6


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("no", "no"),
        ("on", "on"),
        ("2026-01-01", "2026-01-01"),
        ("10:30", "10:30"),
        ("0o17", "0o17"),
        ("True", True),
        ("false", False),
        ("~", None),
        ("12", 12),
        ("-3", -3),
        ("1.50", Decimal("1.50")),
        ("1e3", Decimal("1e3")),
        ("'12'", "12"),
        ('"true"', "true"),
        ("1.2.3", "1.2.3"),
        (".", "."),
    ],
)
def test_scalars_are_read_by_the_core_schema(written: str, read: object) -> None:
    documents, problems = read_documents(text(f"a: {written}\n"))
    assert problems == []
    value = documents[0].value["a"]
    assert (value, type(value)) == (read, type(read))


def test_empty_documents_are_left_out() -> None:
    assert read_documents(text("---\n---\n# nothing\n---\n")) == ([], [])


def test_a_key_that_stands_twice_is_named_with_both_lines() -> None:
    assert (
        problem("a:\n  b: 1\n  c: 2\n  b: 3\n") == "a.yaml:4: a.b: The key stands twice, first in line 2. Remove one."
    )


def test_an_alias_is_refused() -> None:
    assert problem("a: &x [1]\nb: *x\n").startswith("a.yaml:1: a: Anchors and aliases are not allowed.")


def test_a_bomb_of_aliases_is_refused_at_its_first_anchor() -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 60)]
    assert problem("\n".join(lines)).startswith("a.yaml:1: a0: Anchors")


def test_a_tag_is_refused() -> None:
    assert "a.yaml:2: b: The tag" in problem("a: 1\nb: !!python/object:os.system x\n")


def test_a_tab_is_named_as_such() -> None:
    message = problem("a:\n\tb: 1\n")
    assert message.startswith("a.yaml:2: ")
    assert "Indent with spaces, not tabs." in message


def test_bytes_that_are_not_utf8_are_found_by_line() -> None:
    assert problem(b"a: 1\nb: \xff\n") == "a.yaml:2: The file is not UTF-8. Save it as UTF-8."


def test_a_control_character_is_found_by_line() -> None:
    assert problem(b"a: 1\nb: x\x00y\n") == "a.yaml:2: There is a control character in the file. Remove it."


def test_a_file_that_is_too_large_is_not_read() -> None:
    assert "larger than" in problem(b"a" * (FILE_BYTES_MAX + 1))


def test_depth_is_limited() -> None:
    deep = "a: " + "[" * (DEPTH_MAX - 1) + "]" * (DEPTH_MAX - 1)
    assert read_documents(text(deep))[1] == []
    assert "nested more than" in problem("a: " + "[" * DEPTH_MAX + "]" * DEPTH_MAX)
    assert "nested more than" in problem("[" * 500_000)


def test_the_number_of_values_is_limited() -> None:
    assert "more than" in problem("- 1\n" * (NODES_MAX + 1))


def test_a_number_of_many_digits_is_not_computed() -> None:
    assert "longer than 64 digits" in problem("a: " + "9" * 65)


def test_a_key_must_be_text() -> None:
    assert "A key must be text." in problem("? [a]\n: 1\n")


def test_what_was_read_before_the_error_is_kept() -> None:
    documents, problems = read_documents(text("a: 1\n---\nb: [\n"))
    assert [one.value for one in documents] == [{"a": 1}]
    assert len(problems) == 1


@given(st.binary(max_size=200) | st.text(alphabet="ab:-[]{}&*!|>'\"\n\t #%?,~1.", max_size=80).map(str.encode))
def test_any_bytes_give_documents_or_problems_and_never_an_error(content: bytes) -> None:
    read_documents(SourceFile("a.yaml", content))
