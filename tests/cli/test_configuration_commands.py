from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from governance.cli import exits
from tests.api.conftest import Api
from tests.cli.conftest import Ended, Shell
from tests.configuration.manifests import EXAMPLE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the example hospital, to be changed."""
    return Path(shutil.copytree(EXAMPLE, tmp_path / "hospital"))


def run(shell: Shell, api: Api, *words: str, person: str = "sato") -> Ended:
    return shell.run(*words, SERVER=api.url, TOKEN=api.tokens[person])


def change(file: Path, before: str, after: str) -> None:
    content = file.read_text()
    assert before in content
    file.write_text(content.replace(before, after))


def test_a_second_apply_says_that_nothing_changes(shell: Shell, api: Api, folder: Path) -> None:
    ended = run(shell, api, "apply", "-f", str(folder))
    assert ended == Ended(0, "Nothing changes: revision 1 is in force, with 53 manifests.\n", "")


def test_a_plan_shows_the_difference_and_an_apply_makes_it(shell: Shell, api: Api, folder: Path) -> None:
    change(folder / "departments.yaml", "title: Pathology", "title: Pathology and Genetics")
    change(folder / "people.yaml", "- {role: requester, at: pathology}", "- {role: requester, at: imaging}")
    planned = run(shell, api, "plan", "-f", str(folder))
    assert planned.code == 0
    assert "~ Department/pathology\n    title: Pathology -> Pathology and Genetics\n" in planned.out
    assert planned.out.endswith("Against revision 1: 2 to update.\n")
    assert run(shell, api, "apply", "-f", str(folder)).out.endswith("Revision 2: 2 to update.\n")
    assert run(shell, api, "plan", "-f", str(folder)).out.startswith("Nothing changes: revision 2")


def test_a_bad_file_is_refused_whole_naming_file_line_and_field(shell: Shell, api: Api, folder: Path) -> None:
    change(folder / "departments.yaml", "parent: imaging", "parrent: imaging")
    ended = run(shell, api, "apply", "-f", str(folder))
    assert (ended.code, ended.out) == (exits.INVALID, "")
    lines = ended.err.splitlines()
    assert lines[0] == (
        f"{folder}/departments.yaml:26: Department/radiology spec.parrent: Unknown field. Did you mean parent?"
    )
    assert lines[-1] == "Nothing was applied."
    assert run(shell, api, "plan", "-f", str(EXAMPLE)).out.startswith("Nothing changes: revision 1")


def test_deleting_needs_to_be_asked_for(shell: Shell, api: Api, folder: Path) -> None:
    (folder / "rules.yaml").unlink()
    ended = run(shell, api, "apply", "-f", str(folder))
    assert ended.code == exits.CONFLICT
    assert "--delete" in ended.err
    done = run(shell, api, "apply", "-f", str(folder), "--delete")
    assert done.out.endswith("Revision 2: 3 to delete.\n")


def test_json_is_for_scripts(shell: Shell, api: Api, folder: Path) -> None:
    change(folder / "departments.yaml", "title: Pathology", "title: Genetics")
    done = json.loads(run(shell, api, "apply", "-f", str(folder), "--output", "json").out)
    assert done["revision"] == 2
    assert done["changes"] == [
        {
            "action": "update",
            "kind": "Department",
            "name": "pathology",
            "fields": [{"field": "title", "before": "Pathology", "after": "Genetics"}],
        }
    ]


def test_who_is_not_an_administrator_is_told_so(shell: Shell, api: Api) -> None:
    ended = run(shell, api, "apply", "-f", str(EXAMPLE), person="okafor")
    assert (ended.code, ended.err.count("\n")) == (exits.NOT_ALLOWED, 1)
    assert "configuration:plan" in ended.err


def test_files_that_cannot_be_read_are_named_before_anything_is_sent(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"a: 1\nb: \xff\n")
    ended = shell.run("plan", "-f", str(tmp_path), "-f", str(tmp_path / "missing.yaml"))
    assert ended.code == exits.INVALID
    assert ended.err.splitlines() == [
        f"{tmp_path}/a.yaml:2: The file is not UTF-8. Save it as UTF-8.",
        f"{tmp_path}/missing.yaml: It cannot be read (No such file or directory).",
        "Nothing was applied.",
    ]


def test_a_folder_without_manifests_is_refused(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert shell.run("apply", "-f", str(tmp_path / "empty")).code == exits.INVALID
