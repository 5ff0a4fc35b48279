"""`governance billing`, against a served API and a worker."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlmodel import col, update

from billing.jobs import handlers
from billing.store import Store
from governance import clock
from governance.admission.judge import Admission
from governance.db.session import transaction
from governance.jobs.work import work_due
from governance.policy.embedded import Embedded
from governance.policy.factory import make_policy_engine
from governance.pricing.tables import Price
from governance.quota.tables import ChargeResource, Scope
from governance.settings import Policy
from tests.admission.conftest import Hospital
from tests.api.conftest import Api
from tests.billing.bills import bill
from tests.billing.conftest import HOUR, START, of
from tests.cli.conftest import Ended, Shell
from tests.webhooks.cloud.samples import run_instances
from tests.webhooks.cloud.test_handle import ONE, Clouds


@pytest.fixture
def worker(api: Api) -> Iterator[None]:
    """A worker that does jobs until the test is over."""
    stop = threading.Event()
    store = Store(api.app.state.settings.billing.folder)

    def work() -> None:
        while not stop.wait(0.05):
            work_due(api.engine, handlers(store), clock.now)

    thread = threading.Thread(target=work)
    thread.start()
    yield
    stop.set()
    thread.join()


@pytest.fixture
def launched(api: Api) -> None:
    """An instance that the door has let in."""
    policy = make_policy_engine(Policy())
    assert isinstance(policy, Embedded)
    admission = Admission(api.engine, policy, "https://governance.example", lambda *_: None)
    clouds = Clouds(Hospital(api.engine, admission, {}))
    clouds.tell(run_instances(ONE))
    clouds.work()
    with transaction(api.engine) as session:
        session.execute(update(ChargeResource).values(valid_from=START))
        session.execute(update(Price).values(valid_from=START - HOUR))
        session.execute(update(Scope).where(col(Scope.kind) == "kubernetes").values(mode="enforce"))


def run(shell: Shell, api: Api, person: str, *words: str) -> Ended:
    return shell.run(*words, SERVER=api.url, TOKEN=api.tokens[person])


@pytest.mark.usefixtures("worker", "launched")
def test_a_bill_is_imported_and_its_euro_leads_back_to_who_asked(shell: Shell, api: Api, tmp_path: Path) -> None:
    file = tmp_path / "november.csv"
    file.write_bytes(bill(of(ONE, EffectiveCost="1.10", BilledCost="1.12"), of("i-0f", BilledCost="1000")))
    done = run(shell, api, "bauer", "billing", "import", "focus", str(file), "--source", "aws-main")
    assert (done.code, done.err) == (0, "")
    assert [line.split() for line in done.out.splitlines()][1:] == [
        ["2026-11", "2", "EUR", "1,001.12", "1.90", "in", "force"]
    ]
    again = run(shell, api, "bauer", "billing", "import", "focus", str(file), "--source", "aws-main")
    assert again.out.endswith("in force already\n")
    table = run(shell, api, "lindqvist", "billing", "settlement", "radiology", "2026-11")
    assert table.code == 0
    (row,) = [line for line in table.out.splitlines() if ONE in line]
    assert row.split()[:6] == [f"ct-training-burst/{ONE}", "g5.xlarge", "EUR", "1.12", "1.10", "-0.02"]
    assert "okafor@example.org" in row
    (exact,) = json.loads(
        run(shell, api, "lindqvist", "billing", "settlement", "radiology", "2026-11", "--output", "json").out
    )
    assert exact["difference"] == "-0.020000000000"
    shown = run(shell, api, "lindqvist", "decisions", "show", exact["decision"])
    assert "ec2/instances" in shown.out


@pytest.mark.usefixtures("worker", "launched")
def test_quota_show_says_what_it_cost_to_who_may_see_bills(shell: Shell, api: Api, tmp_path: Path) -> None:
    file = tmp_path / "november.csv"
    file.write_bytes(bill(of(ONE, EffectiveCost="1.10")))
    run(shell, api, "bauer", "billing", "import", "focus", str(file), "--source", "aws-main")
    shown = run(shell, api, "lindqvist", "quota", "show", "radiology").out
    row = next(line for line in shown.splitlines() if line.startswith("2026-11"))
    assert row.split() == ["2026-11", "EUR", "1.12", "1.10", "-0.02", "0.00", "1", "2026-11-27"]
    (budget,) = [line for line in shown.splitlines() if line.startswith("budget radiology: ")]
    assert budget.startswith("budget radiology: 1.10 spent, ")
    assert ", of 40,000.00 EUR (as of 2" in budget
    assert budget.endswith("; then more needs an approval")
    unseen = run(shell, api, "okafor", "quota", "show", "radiology").out
    assert "2026-11" not in unseen
    assert "budget" not in unseen


@pytest.mark.usefixtures("worker")
def test_a_bad_file_is_refused_with_every_place(shell: Shell, api: Api, tmp_path: Path) -> None:
    file = tmp_path / "bad.csv"
    file.write_bytes(bill({"BilledCost": "NaN"}, {"BillingCurrency": "Euro"}))
    refused = run(shell, api, "bauer", "billing", "import", "focus", str(file), "--source", "aws-main")
    assert refused.code == 3
    assert refused.err.splitlines() == [
        "bad.csv:2: BilledCost: 'NaN' is not a decimal number that can be kept. Write it like 1180.50.",
        "bad.csv:3: BillingCurrency: 'Euro' is not a currency. Use an ISO 4217 code such as EUR.",
        "Correct the file, or have the provider send it anew.",
    ]


def test_who_may_not_import_or_see_is_told(shell: Shell, api: Api, tmp_path: Path) -> None:
    file = tmp_path / "bill.csv"
    file.write_bytes(bill({}))
    refused = run(shell, api, "okafor", "billing", "import", "focus", str(file), "--source", "aws-main")
    assert (refused.code, "billing:import" in refused.err) == (4, True)
    assert run(shell, api, "okafor", "billing", "settlement", "radiology", "2026-11").code == 4
    assert run(shell, api, "bauer", "billing", "import", "focus", "nowhere.csv", "--source", "aws-main").code == 3
    empty = tmp_path / "empty.csv"
    empty.write_bytes(b"")
    assert (
        "The file is empty" in run(shell, api, "bauer", "billing", "import", "focus", str(empty), "--source", "a").err
    )
