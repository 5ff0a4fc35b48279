from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from governance import clock
from governance.audit.keys import ensure_key, public_pem
from governance.audit.seal import seal_and_ship
from governance.cli import exits
from tests.api.conftest import Api
from tests.api.rows import GPU, deny
from tests.api.test_quota_api import hold
from tests.cli.conftest import Ended, Shell


def run(shell: Shell, api: Api, person: str, *words: str) -> Ended:
    return shell.run(*words, SERVER=api.url, TOKEN=api.tokens[person])


def test_quota_show_prints_a_table_and_json(shell: Shell, api: Api) -> None:
    hold(api.engine, level=14, confirmed=10)
    shown = run(shell, api, "okafor", "quota", "show", "radiology")
    lines = shown.out.splitlines()
    assert lines[0] == "department radiology: St. Elisabeth Hospitals / Imaging / Radiology"
    columns = "resource hard held used available borrowed rule"
    assert lines[1] == "owner: M. Lindqvist"
    assert lines[2].lower().split() == columns.split()
    (gpu,) = [line.split() for line in lines if line.startswith(GPU)]
    assert gpu == [GPU, "12", "4", "10", "3", "2", "radiology"]
    found = json.loads(run(shell, api, "okafor", "quota", "show", "radiology", "--output", "json").out)
    assert found["node"]["name"] == "radiology"


def test_quota_show_says_from_where_an_owner_comes(shell: Shell, api: Api) -> None:
    lines = run(shell, api, "okafor", "quota", "show", "pacs").out.splitlines()
    assert lines[1] == "owner: M. Lindqvist, who owns Radiology"


def test_quota_of_what_one_may_not_see_ends_with_5(shell: Shell, api: Api) -> None:
    ended = run(shell, api, "okafor", "quota", "show", "pathology")
    assert (ended.code, ended.out) == (exits.NOT_FOUND, "")
    assert "There is no department or project pathology." in ended.err
    assert run(shell, api, "okafor", "quota", "show", "../session").code == exits.NOT_FOUND


def test_quota_tree_is_indented(shell: Shell, api: Api) -> None:
    lines = run(shell, api, "okafor", "quota", "tree").out.splitlines()
    assert [line.split("  ")[0] if line[0] != " " else line[:13] for line in lines] == [
        "NODE",
        "radiology",
        "  ct-training",
        "  pacs       ",
    ]


def test_a_change_is_asked_for_shown_and_approved(shell: Shell, api: Api) -> None:
    decision = str(deny(api.engine))
    until = (clock.now() + timedelta(days=3)).date().isoformat()
    words = ("change", "ask", decision, "--reason", "Backlog.", "--until", until)
    asked = run(shell, api, "okafor", *words)
    assert asked.out.startswith("CH-1  pending  version 1\nDr. A. Okafor asks for 6 more GPUs in radiology/ct-training")
    own = run(shell, api, "okafor", "change", "approve", "CH-1")
    assert (own.code, own.out) == (exits.NOT_ALLOWED, "")
    assert "CH-1" in run(shell, api, "lindqvist", "change", "list", "--state", "pending").out
    less = ("--at-most", f"{GPU}=4", "--output", "json")
    done = run(shell, api, "lindqvist", "change", "approve", "CH-1", "--note", "Room.", *less)
    assert json.loads(done.out)["grant"]["ceiling"] == {GPU: 4}


def test_a_change_is_rejected_with_a_note(shell: Shell, api: Api) -> None:
    ask(shell, api)
    run(shell, api, "lindqvist", "change", "question", "CH-1", "How long?")
    run(shell, api, "okafor", "change", "answer", "CH-1", "A week.")
    done = run(shell, api, "lindqvist", "change", "reject", "CH-1", "--note", "No room.")
    assert done.out.startswith("CH-1  rejected")
    assert "M. Lindqvist: reject  No room." in done.out
    assert "Dr. A. Okafor: answer  A week." in done.out


def ask(shell: Shell, api: Api) -> None:
    until = (clock.now() + timedelta(days=3)).isoformat()
    words = ("change", "ask", str(deny(api.engine)), "--reason", "Backlog.", "--until", until)
    assert run(shell, api, "okafor", *words).code == 0


def test_who_saw_an_older_version_is_told(shell: Shell, api: Api) -> None:
    ask(shell, api)
    assert run(shell, api, "okafor", "change", "withdraw", "CH-1").code == 0
    ended = run(shell, api, "lindqvist", "change", "approve", "CH-1", "--version", "1")
    assert (ended.code, ended.err.count("\n")) == (exits.CONFLICT, 1)


@pytest.mark.parametrize(
    "words",
    [("approve", "CH-1", "--at-most", "gpu"), ("approve", "CH-1", "--version", "1", "--until", "tomorrow")],
)
def test_terms_that_cannot_be_read_end_with_2(shell: Shell, api: Api, words: tuple[str, ...]) -> None:
    ask(shell, api)
    assert run(shell, api, "lindqvist", "change", *words).code == exits.USAGE


def test_decisions_are_listed_and_explained(shell: Shell, api: Api) -> None:
    decision = str(deny(api.engine))
    listed = run(shell, api, "okafor", "decisions", "list", "--outcome", "deny")
    assert decision in listed.out
    shown = run(shell, api, "okafor", "decisions", "show", decision)
    for said in ("DENY  update apps/deployments ct-training/ct-train", "requested 6, used 15, limit 17", "revision 1"):
        assert said in shown.out
    assert ["spec.replicas", "2", "8"] in [line.split() for line in shown.out.splitlines()]
    assert json.loads(run(shell, api, "okafor", "decisions", "show", decision, "-o", "json").out)["id"] == decision
    assert run(shell, api, "adeyemi", "decisions", "show", decision).code == exits.NOT_FOUND


def test_a_token_is_made_listed_and_revoked(shell: Shell, api: Api) -> None:
    made = run(shell, api, "okafor", "token", "create", "ci", "--scope", "quota:read")
    secret = made.out.strip()
    assert secret.startswith("gov_")
    assert secret not in made.err
    assert shell.run("quota", "tree", SERVER=api.url, TOKEN=secret).code == 0
    listed = json.loads(run(shell, api, "okafor", "token", "list", "-o", "json").out)
    (token,) = [one["id"] for one in listed if one["name"] == "ci"]
    assert run(shell, api, "okafor", "token", "revoke", token).code == 0
    assert shell.run("quota", "tree", SERVER=api.url, TOKEN=secret).code == exits.NOT_ALLOWED


def test_whoami_says_what_one_may_do(shell: Shell, api: Api) -> None:
    assert "roles: requester" in run(shell, api, "okafor", "whoami").out


def test_the_audit_log_is_exported_over_the_api_and_verified_offline(shell: Shell, api: Api, tmp_path: Path) -> None:
    key = ensure_key(tmp_path / "audit.pem")
    (tmp_path / "public.pem").write_text(public_pem(key))
    seal_and_ship(api.engine, key, tmp_path / "heads", clock.now())
    export = tmp_path / "export.jsonl"
    assert run(shell, api, "brandt", "audit", "export", str(export)).code == 0
    verify = ("audit", "verify", str(export), "--key", str(tmp_path / "public.pem"), "--heads", str(tmp_path / "heads"))
    good = shell.run(*verify)
    assert (good.code, good.err) == (0, "")
    assert "compared with 1 heads" in good.out
    export.write_bytes(export.read_bytes().replace(b"configuration.apply", b"configuration.aplly"))
    bad = shell.run(*verify)
    assert bad.code == exits.INVALID
    assert str(export) in bad.err


def test_an_export_that_is_refused_leaves_no_file(shell: Shell, api: Api, tmp_path: Path) -> None:
    assert run(shell, api, "okafor", "audit", "export", str(tmp_path / "x")).code == exits.NOT_ALLOWED
    assert list(tmp_path.glob("x*")) == []


def test_install_kubernetes_prints_what_kubectl_applies(shell: Shell, tmp_path: Path) -> None:
    from webhooks.kubernetes.certificates import issue

    ca = issue(tmp_path, ["127.0.0.1"], clock.now()).authority
    words = ("install", "kubernetes", "--cluster", "imaging-onprem-1", "--ca", str(ca))
    printed = shell.run(*words, "--url", "https://127.0.0.1:8443")
    assert printed.code == 0
    kinds = {one["kind"] for one in yaml.safe_load_all(printed.out)}
    assert {"ValidatingWebhookConfiguration", "ClusterRole", "ServiceAccount"} <= kinds
    assert shell.run(*words).code == exits.USAGE
    assert shell.run(*words, "--url", "http://x").code == exits.INVALID
    assert shell.run(*words, "--service", "nonsense").code == exits.INVALID
    assert shell.run(*words[:-1], str(tmp_path / "none"), "--url", "https://x").code == exits.INVALID
