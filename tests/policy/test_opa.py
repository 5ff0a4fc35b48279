"""OPA gone, slow, answering nonsense, or running other policies: no answer, in time, with the reason."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from opa_client.opa import OpaClient
from pydantic import SecretStr

from governance import settings
from governance.errors import BadInput, PolicyUnavailable
from governance.policy import bundle
from governance.policy import opa as adapter
from governance.policy.factory import health, make_policy_engine
from governance.policy.opa import Opa
from tests.parts import opa
from tests.parts.process import free_port
from tests.policy.cases import ALL, CASES
from tests.policy.documents import sample
from tests.policy.server import Reply, Server, policies_of, policy, send, serving

TIMEOUT_MS = 400
WELL = {"violations": [], "warnings": [], "approvals": [], "checks": sorted(ALL)}


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as running:
        running.reply = answering({"result": WELL})
        yield running


def engine(url: str, **changes: Any) -> Opa:  # noqa: ANN401  (settings)
    chosen = settings.Policy(engine="opa", opa_url=url, **{"timeout_ms": TIMEOUT_MS, **changes})
    return Opa(bundle.load(), chosen)


def answering(body: object, status: int = 200) -> Reply:
    return lambda handler: send(handler, body, status)


def test_an_answer_of_a_server_with_our_policies_counts(server: Server) -> None:
    assert engine(server.url).evaluate(sample()).checks == ALL


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "policies are not loaded"),
        ({"result": {}}, "answer"),
        ({"result": None}, "answer"),
        ([], "policies are not loaded"),
        ({"result": {**WELL, "checks": ["freeze", "frost"]}}, "unknown code"),
        (b"", "nonsense"),
        (b"<html>", "nonsense"),
        (b"\xff\xfe\xfd", "nonsense"),
        (b"[" * 200_000, "nonsense"),
        (b'{"result":' * 100_000, "nonsense"),
        (b" " * (adapter.ANSWER_BYTES_MAX + 1), "not answering"),
    ],
    ids=["undefined", "empty", "null", "list", "code", "nothing", "html", "bytes", "deep", "deeper", "huge"],
)
def test_nonsense_is_no_answer(server: Server, body: object, message: str) -> None:
    server.reply = answering(body)
    with pytest.raises(PolicyUnavailable, match=message):
        engine(server.url, timeout_ms=5000).evaluate(sample())


def test_a_check_that_opa_does_not_evaluate_is_missing(server: Server) -> None:
    server.reply = answering({"result": {**WELL, "checks": ["headroom"]}})
    assert engine(server.url).evaluate(sample()).checks == {"headroom"}


@pytest.mark.parametrize("status", [400, 401, 404, 500, 503])
def test_a_failure_is_no_answer_and_is_not_repeated(server: Server, status: int) -> None:
    server.reply = answering({"result": WELL}, status)
    with pytest.raises(PolicyUnavailable, match=f"status {status}"):
        engine(server.url).evaluate(sample())
    assert [one[0] for one in server.seen] == ["GET", "POST"]


def test_a_redirect_is_not_followed(server: Server) -> None:
    def redirect(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(307)
        handler.send_header("Location", f"{server.url}/elsewhere")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    server.reply = redirect
    with pytest.raises(PolicyUnavailable, match="status 307"):
        engine(server.url).evaluate(sample())
    assert [path for _, path, _ in server.seen] == ["/v1/policies", "/v1/data/governance/admission"]


def silent(server: Server) -> Reply:
    def wait(_: BaseHTTPRequestHandler) -> None:
        server.over.wait(30)

    return wait


def dripping(server: Server) -> Reply:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        while not server.over.wait(0.05):
            handler.wfile.write(b" ")
            handler.wfile.flush()

    return drip


@pytest.mark.parametrize("slow", [silent, dripping])
@pytest.mark.parametrize("at", ["reply", "policies"])
def test_a_slow_opa_is_given_up_in_time(server: Server, slow: Any, at: str) -> None:  # noqa: ANN401  (one of two above)
    setattr(server, at, slow(server))
    began = time.monotonic()
    with pytest.raises(PolicyUnavailable, match="OPA is slow"):
        engine(server.url).evaluate(sample())
    assert time.monotonic() - began < 3 * TIMEOUT_MS / 1000


def test_many_threads_give_up_a_slow_opa_in_the_same_time(server: Server) -> None:
    server.policies = silent(server)
    asked = engine(server.url)

    def ask(_: int) -> float:
        began = time.monotonic()
        with pytest.raises(PolicyUnavailable, match="OPA is slow"):
            asked.evaluate(sample())
        return time.monotonic() - began

    with ThreadPoolExecutor(8) as threads:
        assert max(threads.map(ask, range(8))) < 3 * TIMEOUT_MS / 1000


def test_a_thread_that_waits_for_another_to_compare_gives_up_in_time(server: Server) -> None:
    asked = engine(server.url)
    with asked._verifying, pytest.raises(PolicyUnavailable, match="OPA is slow"):
        asked.evaluate(sample())
    assert server.seen == []


def test_an_opa_that_is_gone_is_no_answer() -> None:
    gone = engine(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(PolicyUnavailable, match="not answering"):
        gone.evaluate(sample())
    found = health(gone)
    assert (found.ready, found.remedy) == (False, "Look at OPA and at policy.opa_url.")


def test_a_connection_that_opa_closed_meanwhile_is_opened_again(server: Server) -> None:
    asked = engine(server.url)
    asked.evaluate(sample())

    def hang_up(handler: BaseHTTPRequestHandler) -> None:
        server.reply = answering({"result": WELL})
        handler.close_connection = True

    server.reply = hang_up
    assert asked.evaluate(sample()).checks == ALL
    assert [one[0] for one in server.seen] == ["GET", "POST", "POST", "POST"]


def test_a_connection_is_kept_and_the_policies_are_not_read_each_time(server: Server) -> None:
    asked = engine(server.url)
    for _ in range(3):
        asked.evaluate(sample())
    assert [one[0] for one in server.seen] == ["GET", "POST", "POST", "POST"]


def test_the_token_is_sent_and_the_environment_is_not_asked(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    asked = engine(server.url, opa_token=SecretStr("s3cret"))
    assert asked.evaluate(sample()).checks == ALL
    assert {headers["Authorization"] for _, _, headers in server.seen} == {"Bearer s3cret"}


EXTRA = 'package governance.rules.freeze\n\nchecks contains "freeze"\n'


@pytest.mark.parametrize(
    "change",
    [
        lambda running: running[1:],
        lambda running: [*running, policy("governance.rules.freeze", EXTRA)],
        lambda running: [*running, policy("governance.rules.more", "package governance.rules.more\n")],
        lambda running: [*running[1:], {**running[0], "raw": running[0]["raw"] + "\n"}],
        lambda _: [],
    ],
    ids=["one is missing", "one is extended", "one is new", "one is edited", "none"],
)
def test_other_policies_in_opa_are_no_answer(server: Server, change: Any) -> None:  # noqa: ANN401  (a function above)
    running = policies_of(bundle.load())["result"]
    server.policies = answering({"result": change(running)})
    asked = engine(server.url)
    with pytest.raises(PolicyUnavailable, match="OPA runs other policies"):
        asked.evaluate(sample())
    assert not health(asked).ready
    assert "POST" not in {one[0] for one in server.seen}


def test_policies_of_others_and_tests_in_the_same_opa_do_not_matter(server: Server) -> None:
    others = [policy("billing.rules", "package billing.rules\n"), policy("governance.rules.freeze_test", "x")]
    server.policies = answering({"result": [*policies_of(bundle.load())["result"], *others]})
    assert engine(server.url).evaluate(sample()).checks == ALL


@pytest.mark.parametrize("body", [{}, {"result": None}, {"result": [{}]}, {"result": {"a": 1}}, b"x", []])
def test_a_list_of_policies_that_is_nonsense_is_no_answer(server: Server, body: object) -> None:
    server.policies = answering(body)
    with pytest.raises(PolicyUnavailable):
        engine(server.url).evaluate(sample())


@pytest.mark.parametrize("url", ["127.0.0.1:8181", "ftp://opa", "http://", "http://opa:8181/v1", "http://opa:x"])
def test_an_address_that_is_none_is_refused_by_name(url: str) -> None:
    with pytest.raises(BadInput) as refused:
        make_policy_engine(settings.Policy(engine="opa", opa_url=url))
    assert refused.value.field == "policy.opa_url"


@pytest.mark.real
class TestARealOpa:
    @pytest.mark.parametrize("loaded", [".", "governance"])
    def test_policies_that_change_are_noticed_and_noticed_to_be_mended(self, tmp_path: Path, loaded: str) -> None:
        with opa.start(tmp_path, [bundle.packaged() / loaded]) as running:
            asked = Opa(bundle.load(), settings.Policy(engine="opa", opa_url=running.url), verify_every_s=0)
            assert health(asked).ready
            client = OpaClient(port=int(running.url.rpartition(":")[2]), host="127.0.0.1")
            client.update_policy_from_string(EXTRA, "extra")
            found = health(asked)
            assert not found.ready
            assert "governance.rules.freeze" in found.detail
            client.delete_policy("extra")
            assert health(asked).ready

    def test_an_opa_without_our_policies_is_no_answer(self, tmp_path: Path) -> None:
        (tmp_path / "other.rego").write_text("package other\n")
        with opa.start(tmp_path, [tmp_path / "other.rego"]) as running:
            found = health(engine(running.url))
        assert "OPA runs other policies" in found.detail

    def test_an_opa_that_dies_is_noticed_at_once(self, tmp_path: Path) -> None:
        with opa.start(tmp_path, [bundle.packaged() / "governance"]) as running:
            asked = engine(running.url)
            assert asked.evaluate(sample()).checks == ALL
            running.process.kill()
            with pytest.raises(PolicyUnavailable):
                asked.evaluate(sample())

    def test_sixteen_threads_get_the_answers_that_one_gets(self, opa_url: str) -> None:
        asked = engine(opa_url, timeout_ms=10_000)
        expected = [asked.evaluate(case.document) for case in CASES]
        with ThreadPoolExecutor(16) as threads:
            answers = threads.map(lambda at: asked.evaluate(CASES[at % len(CASES)].document), range(10 * len(CASES)))
            assert list(answers) == expected * 10
