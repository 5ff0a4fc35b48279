from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from governance.cli import exits
from governance.cli.output import show
from tests.cli.conftest import Shell


def test_help_names_every_command_and_the_exit_codes(shell: Shell) -> None:
    ended = shell.run("--help")
    assert ended.code == 0
    for command in ("plan", "apply", "quota", "change", "decisions", "audit", "token", "login", "install", "migrate"):
        assert f" {command} " in ended.out
    assert "7 unreachable" in " ".join(ended.out.split())


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense",),
        ("plan",),
        ("plan", "-f"),
        ("plan", "--nonsense"),
        ("quota", "nonsense"),
        ("decisions", "show", "not-an-id"),
        ("decisions", "show"),
        ("change", "list", "--limit", "0"),
        ("change", "list", "--output", "xml"),
        ("install", "kubernetes"),
    ],
)
def test_a_command_that_is_not_written_rightly_ends_with_2_and_one_line(shell: Shell, words: tuple[str, ...]) -> None:
    ended = shell.run(*words)
    assert (ended.code, ended.out) == (exits.USAGE, "")
    assert ended.err.count("\n") == 1
    assert ". See: governance" in ended.err
    assert "--help" in ended.err


def test_a_group_without_a_command_shows_its_help(shell: Shell) -> None:
    ended = shell.run("change")
    assert ended.code == exits.USAGE
    assert "approve" in ended.out + ended.err


def test_a_server_that_does_not_answer_ends_with_7(shell: Shell) -> None:
    ended = shell.run("quota", "tree", SERVER="http://127.0.0.1:1", TOKEN="gov_x")
    assert ended.code == exits.UNREACHABLE
    assert ended.err.startswith("http://127.0.0.1:1 does not answer")
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize("address", ["ftp://x", "nothing", "http://governance.example.org"])
def test_a_token_is_never_sent_where_it_could_be_read(shell: Shell, address: str) -> None:
    ended = shell.run("quota", "tree", SERVER=address, TOKEN="gov_x")
    assert ended.code == exits.USAGE
    assert "GOVERNANCE_SERVER" in ended.err


def test_certificates_that_cannot_be_read_are_named(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    ended = shell.run("quota", "tree", SERVER="https://127.0.0.1:1", TOKEN="x", CA=str(tmp_path / "ca.pem"))
    assert (ended.code, "GOVERNANCE_CA" in ended.err) == (exits.INVALID, True)


def test_without_a_token_one_is_told_to_sign_in(shell: Shell) -> None:
    ended = shell.run("quota", "tree")
    assert (ended.code, ended.out) == (exits.NOT_ALLOWED, "")
    assert "governance login" in ended.err


def test_a_wrong_setting_is_named(shell: Shell) -> None:
    ended = shell.run("migrate", DATABASE__POOL_SIZE="many")
    assert ended.code == exits.INVALID
    assert ended.err.startswith("database.pool_size: ")


def test_a_failure_that_nobody_foresaw_shows_no_traceback_and_no_secret(shell: Shell) -> None:
    ended = shell.run("migrate", DATABASE__URL="nonsense://user:hunter2@host/name")
    assert ended.code == exits.OURS
    assert ended.err == "Something went wrong on our side (NoSuchModuleError).\n"


@pytest.mark.parametrize("words", [["--help"], ["quota", "--help"], ["doctor", "--help"]])
def test_help_loads_no_server_and_no_database(words: list[str]) -> None:
    code = (
        f"import sys; sys.argv={['governance', *words]}\n"
        "from governance.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "found=[m for m in ('sqlalchemy','fastapi','kubernetes','uvicorn','regopy','alembic') if m in sys.modules]\n"
        "assert not found, found"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def test_what_somebody_wrote_does_not_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    show("a\x1b[2Jb\nc")
    assert capsys.readouterr().out == "a [2Jb\nc\n"
