from __future__ import annotations

import io
import json
from datetime import UTC, datetime

import pytest

from governance.cli import exits
from governance.db.session import transaction
from governance.quota.tables import Scope
from tests.api.conftest import Api
from tests.api.test_clusters_api import CLUSTER, charge_everything
from tests.cli.conftest import Ended, Shell

REASON = ("--reason", "The archive moves.")


class Terminal(io.StringIO):
    """Standard input with a person before it."""

    def isatty(self) -> bool:
        return True


def run(shell: Shell, api: Api, *words: str, person: str = "sato") -> Ended:
    return shell.run("cluster", *words, SERVER=api.url, TOKEN=api.tokens[person])


def test_clusters_are_listed_as_a_table_and_as_json(shell: Shell, api: Api) -> None:
    lines = run(shell, api, "list", person="brandt").out.splitlines()
    assert lines[0].split() == ["CLUSTER", "MODE", "UNTIL", "FOLLOWED", "BY", "CHARGED", "OVERDUE", "EPOCH"]
    assert lines[2].split() == [CLUSTER, "observe", "-", "nobody", "never", "0", "1"]
    found = json.loads(run(shell, api, "list", "--output", "json", person="brandt").out)
    assert [one["name"] for one in found] == ["burst-cloud-1", CLUSTER]


def test_a_cluster_is_shown(shell: Shell, api: Api) -> None:
    assert run(shell, api, "show", CLUSTER).out.splitlines() == [
        f"{CLUSTER}  observes: nothing is denied",
        "followed by: nobody",
        "everything charged: not yet",
        "overdue: 0 objects",
        "epoch: 1",
    ]
    assert json.loads(run(shell, api, "show", CLUSTER, "-o", "json").out)["mode"] == "observe"
    charge_everything(api)
    with transaction(api.engine) as session:
        row = session.get_one(Scope, CLUSTER)
        row.writer, row.writer_until = "worker-1/7", datetime(2099, 1, 2, 3, 4, 5, tzinfo=UTC)
    lines = run(shell, api, "show", CLUSTER).out.splitlines()
    assert lines[:2] == [f"{CLUSTER}  enforces", "followed by: worker-1/7 until 03:04:05 UTC"]
    assert run(shell, api, "show", "elsewhere").code == exits.NOT_FOUND


def test_a_cluster_is_switched_to_warn_and_back(shell: Shell, api: Api) -> None:
    charge_everything(api)
    warned = run(shell, api, "warn", CLUSTER, "--for", "1h30m", *REASON)
    assert warned.out.startswith(f"{CLUSTER}  warns until ")
    assert "The archive moves.): nothing is denied" in warned.out
    assert run(shell, api, "enforce", CLUSTER, *REASON).out.startswith(f"{CLUSTER}  enforces\n")


def test_a_cluster_that_observes_cannot_be_switched(shell: Shell, api: Api) -> None:
    ended = run(shell, api, "warn", CLUSTER, "--for", "2h", *REASON)
    assert (ended.code, ended.out) == (exits.CONFLICT, "")
    assert "It enforces by itself once everything that exists is charged" in ended.err


@pytest.mark.parametrize(
    ("time", "code"), [("2", exits.USAGE), ("", exits.USAGE), ("two hours", exits.USAGE), ("0m", exits.INVALID)]
)
def test_a_time_that_cannot_be_read_is_refused(shell: Shell, api: Api, time: str, code: int) -> None:
    charge_everything(api)
    ended = run(shell, api, "warn", CLUSTER, "--for", time, *REASON)
    assert (ended.code, ended.out) == (code, "")


def test_more_than_a_day_is_refused(shell: Shell, api: Api) -> None:
    charge_everything(api)
    ended = run(shell, api, "warn", CLUSTER, "--for", "1d1m", *REASON)
    assert (ended.code, ended.err.splitlines()) == (
        exits.INVALID,
        [
            "minutes: A cluster may warn for at most 24 hours. Choose a shorter time; the limit is the setting "
            "operations.warn_hours_max."
        ],
    )


def test_a_rebuild_needs_a_yes(shell: Shell, api: Api) -> None:
    charge_everything(api)
    assert run(shell, api, "rebuild", CLUSTER, *REASON).code == exits.USAGE
    assert json.loads(run(shell, api, "show", CLUSTER, "-o", "json").out)["epoch"] == 1
    done = run(shell, api, "rebuild", CLUSTER, *REASON, "--yes").out
    assert done.startswith(f"{CLUSTER}  observes: nothing is denied\n")
    assert done.endswith("epoch: 2\nvoid: no grants\n")


@pytest.mark.parametrize(("typed", "epoch"), [(CLUSTER, 2), ("burst-cloud-1", 1)])
def test_a_rebuild_at_a_terminal_needs_the_name(shell: Shell, api: Api, typed: str, epoch: int) -> None:
    charge_everything(api)
    shell.patch.setattr("sys.stdin", Terminal(f"{typed}\n"))
    ended = run(shell, api, "rebuild", CLUSTER, *REASON)
    assert (ended.code == 0) is (epoch == 2)
    assert json.loads(run(shell, api, "show", CLUSTER, "-o", "json").out)["epoch"] == epoch


def test_nobody_else_may(shell: Shell, api: Api) -> None:
    for words in (("list",), ("rebuild", CLUSTER, *REASON, "--yes")):
        assert run(shell, api, *words, person="okafor").code == exits.NOT_ALLOWED
