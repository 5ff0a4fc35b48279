from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from governance import __version__
from governance.cli import exits
from governance.cli.output import show
from tests.cli.conftest import Shell


def test_help_names_every_command_and_the_exit_codes(shell: Shell) -> None:
    ended = shell.run("--help")
    assert ended.code == 0
    for command in ("plan", "apply", "quota", "change", "decisions", "audit", "token", "login", "install", "migrate"):
        assert f" {command} " in ended.out
    told = " ".join(ended.out.replace("│", " ").split())
    assert "docs/cli.md" in told
    assert all(f"{code} {meaning.split(',')[0]}" in told for code, meaning in exits.MEANINGS.items())


def test_the_guide_has_the_exit_codes_that_commands_end_with() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()
    table = re.findall(r"^\| ([0-9]+) \| (.+) \|$", guide.split("## Exit codes")[1], re.MULTILINE)
    assert {int(code): meaning for code, meaning in table} == exits.MEANINGS
    assert {
        getattr(exits, name) for name in dir(exits) if name.isupper() and isinstance(getattr(exits, name), int)
    } == {code for code in exits.MEANINGS if code}


@pytest.mark.parametrize("words", [("decisions", "show", "CH-1"), ("token", "revoke", "ci"), ("change", "ask", "x")])
def test_what_is_no_id_is_told_in_our_words(shell: Shell, words: tuple[str, ...]) -> None:
    ended = shell.run(*words, *(("--reason", "r", "--until", "2030-01-01") if words[1] == "ask" else ()))
    what = {"ask": "decision", "show": "decision", "revoke": "token"}[words[1]]
    assert ended.code == exits.USAGE
    assert f"{what.upper()}: {words[2]!r} is not the id of a {what}; " in ended.err
    assert "UUID" not in ended.err


@pytest.mark.parametrize("asked", [("--output", "json"), ("-o", "json"), ("--output=json",)])
def test_a_script_reads_what_went_wrong_as_json(shell: Shell, asked: tuple[str, ...]) -> None:
    unreachable = shell.run("quota", "tree", *asked, SERVER="http://127.0.0.1:1", TOKEN="gov_x")
    found = json.loads(unreachable.err)
    assert (unreachable.code, unreachable.out, found["exit_code"]) == (exits.UNREACHABLE, "", exits.UNREACHABLE)
    assert found["detail"].startswith("http://127.0.0.1:1 does not answer")
    unwritten = shell.run("decisions", "show", "x", *asked)
    assert (unwritten.code, json.loads(unwritten.err)["exit_code"]) == (exits.USAGE, exits.USAGE)
    setting = json.loads(shell.run("doctor", *asked, DATABASE__POOL_SIZE="many").err)
    assert setting["exit_code"] == exits.INVALID


@pytest.mark.parametrize("words", [("--help",), ("change", "approve", "--help")])
def test_a_reader_who_stops_ends_a_command_quietly(words: tuple[str, ...]) -> None:
    """As in `governance ... | head -0`: nobody reads the other end any more."""
    reads, writes = os.pipe()
    os.close(reads)
    try:
        command = [sys.executable, "-m", "governance", *words]
        done = subprocess.run(command, stdout=writes, stderr=subprocess.PIPE, check=False, timeout=60)
    finally:
        os.close(writes)
    assert (done.returncode, done.stderr) == (exits.UNREAD, b"")


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


def test_the_version_is_told(shell: Shell) -> None:
    ended = shell.run("--version")
    assert (ended.code, ended.out) == (0, f"governance {__version__}\n")


def test_a_command_that_there_is_not_is_followed_by_what_may_be_meant(shell: Shell) -> None:
    ended = shell.run("quota", "shw")
    assert ended.code == exits.USAGE
    assert "Did you mean 'show'? See: governance quota --help" in ended.err


def test_a_wrong_setting_is_named(shell: Shell) -> None:
    ended = shell.run("migrate", DATABASE__POOL_SIZE="many")
    assert ended.code == exits.INVALID
    assert ended.err.startswith("database.pool_size: ")


def test_a_failure_that_nobody_foresaw_shows_no_traceback_and_no_secret(shell: Shell) -> None:
    ended = shell.run("migrate", DATABASE__URL="sqlite:///x.db?timeout=hunter2")
    assert ended.code == exits.OURS
    assert ended.err == "Something went wrong on our side (ValueError).\n"


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
