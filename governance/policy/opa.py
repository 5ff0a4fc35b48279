"""An Open Policy Agent beside this service, or a central one (opa-python-client 3.0.0, OPA 1.x).

This service never writes policies into OPA: who may decide what is admitted is then who runs OPA (`opa run -b`, a
bundle server), and no replica or older release can replace what others evaluate. It reads them back instead, and
answers only while they are, file by file, the ones that it holds itself.

Facts about the client, each held by a test. Its own session has no limit on an answer's length, nor on its time as a
whole (its timeout starts again with each byte), follows redirects, reads proxies and netrc from the environment for
each call, and takes more processor time than OPA does; `_Session` stands in for it. It quotes no path, so that a policy
whose id begins with a slash can't be read by name: all are read at once. An undefined result comes back as `{}`.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

import orjson
import urllib3
from opa_client.opa import OpaClient
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ProtocolError, ReadTimeoutError

from governance import settings
from governance.errors import BadInput, PolicyUnavailable
from governance.policy import answer, bundle, question
from governance.policy.model import Evaluation, Rule

ANSWER_BYTES_MAX = 4 * 1024 * 1024
VERIFY_EVERY_S = 5.0
_CHUNK_BYTES = 64 * 1024

_Result = TypeVar("_Result")


class _StatusError(Exception):
    """OPA answered with a status that is no success; redirects are none."""


@dataclass(frozen=True, slots=True)
class _Response:
    """As much of a response as the library asks for."""

    status_code: int
    content: bytes

    def raise_for_status(self) -> None:
        if not 200 <= self.status_code < 300:
            raise _StatusError(f"failing with status {self.status_code}")

    def json(self) -> Any:  # noqa: ANN401  (any JSON)
        return orjson.loads(self.content)


class _Session:
    """A kept connection to one OPA: an answer of limited length, read to its end within the time given."""

    def __init__(self, root_url: str, trust: ssl.SSLContext | None, headers: Mapping[str, str]) -> None:
        secure = {"ssl_context": trust} if trust else {}
        self._origin = root_url[: -len(urlsplit(root_url).path)]
        self._pool = urllib3.connection_from_url(root_url, maxsize=1, retries=False, **secure)
        self._headers = {"Accept-Encoding": "identity", "Content-Type": "application/json", **headers}

    def get(self, url: str, *, timeout: float) -> _Response:
        return self._exchange("GET", url, None, timeout)

    def post(self, url: str, *, json: object, timeout: float) -> _Response:
        return self._exchange("POST", url, orjson.dumps(json), timeout)

    def _exchange(self, method: str, url: str, body: bytes | None, timeout_s: float) -> _Response:
        ends = time.monotonic() + timeout_s
        response = self._pool.urlopen(
            method,
            url.removeprefix(self._origin),
            body,
            self._headers,
            redirect=False,
            timeout=timeout_s,
            preload_content=False,
        )
        content = bytearray()
        while chunk := response.read1(_CHUNK_BYTES):
            content += chunk
            if len(content) > ANSWER_BYTES_MAX or time.monotonic() > ends:
                response.close()
                raise TimeoutError if time.monotonic() > ends else HTTPError(f"more than {ANSWER_BYTES_MAX} bytes")
        response.release_conn()
        return _Response(response.status, bytes(content))


class _Client(OpaClient):  # type: ignore[misc]  # the library has no types
    """The library's client over a session of our own, and the one read that it lacks."""

    def __init__(self, *, trust: ssl.SSLContext | None, **arguments: Any) -> None:  # noqa: ANN401  (the library's)
        self._trust = trust
        super().__init__(ssl=trust is not None, **arguments)

    def _init_session(self) -> _Session:
        return _Session(self.root_url, self._trust, self.headers or {})

    def policies(self) -> list[dict[str, Any]]:
        """Every policy that OPA holds, with its text, in one request."""
        response = self._session.get(f"{self.root_url}/policies", timeout=self.timeout)
        response.raise_for_status()
        found: list[dict[str, Any]] = response.json()["result"]
        return found


class Opa:
    """Evaluates in OPA over its REST API. Safe to call from many threads: each keeps a connection of its own.

    Args:
        policies: what OPA must be running, to the byte.
        chosen: the address, token, certificates and time limit, which holds for one evaluation as a whole.
        verify_every_s: how old a comparison of OPA's policies with ours may be.
    """

    def __init__(
        self, policies: bundle.Bundle, chosen: settings.Policy, verify_every_s: float = VERIFY_EVERY_S
    ) -> None:
        self._policies = policies
        self._texts = {(one.package, one.text) for one in policies.modules}
        self._client_arguments = _arguments(chosen)
        self._timeout_s = chosen.timeout_ms / 1000
        self._verify_every_s = verify_every_s
        self._verified_at = float("-inf")
        self._verifying = threading.Lock()
        self._own = threading.local()

    @property
    def digest(self) -> str:
        return self._policies.digest

    @property
    def rules(self) -> Mapping[str, Rule]:
        return self._policies.rules

    def evaluate(self, document: Mapping[str, Any]) -> Evaluation:
        written = orjson.Fragment(question.encode(document))
        ends = time.monotonic() + self._timeout_s
        self._verify(ends)
        body = self._ask(ends, lambda client: client.query_rule(written, bundle.ENTRYPOINT))
        if not isinstance(body, dict) or "result" not in body:
            raise PolicyUnavailable("OPA answers nothing: the policies are not loaded.", remedy=_REMEDY)
        return answer.parse(body["result"], self.rules)

    def _verify(self, ends: float) -> None:
        """Raise PolicyUnavailable unless OPA held exactly our policies a moment ago. One thread asks for all."""
        if time.monotonic() - self._verified_at < self._verify_every_s:
            return
        if not self._verifying.acquire(timeout=max(0, ends - time.monotonic())):
            raise _silent("slow")
        try:
            if time.monotonic() - self._verified_at >= self._verify_every_s:
                asked_at = time.monotonic()
                self._compare(self._ask(ends, _running))
                self._verified_at = asked_at
        finally:
            self._verifying.release()

    def _compare(self, running: set[tuple[str, str]]) -> None:
        differing = sorted({package for package, _ in running ^ self._texts})
        if differing:
            raise PolicyUnavailable(
                f"OPA runs other policies than digest {self.digest[:12]}: {', '.join(differing)}.", remedy=_REMEDY
            )

    def _ask(self, ends: float, call: Callable[[_Client], _Result]) -> _Result:
        """Call OPA; once more where a kept connection had been closed, for a question changes nothing."""
        try:
            try:
                return call(self._client(ends))
            except ProtocolError:
                return call(self._client(ends))
        except (ConnectTimeoutError, ReadTimeoutError, TimeoutError) as error:
            raise _silent("not answering" if isinstance(error, NewConnectionError) else "slow") from error
        except _StatusError as error:
            raise _silent(str(error)) from error
        except HTTPError as error:
            raise _silent(f"not answering ({type(error).__name__})") from error
        except (TypeError, ValueError, LookupError, AttributeError, RecursionError) as error:
            raise _silent("answering nonsense") from error

    def _client(self, ends: float) -> _Client:
        """This thread's client, with the time that is left."""
        left_s = ends - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        client: _Client | None = getattr(self._own, "client", None)
        if client is None:
            client = self._own.client = _Client(**self._client_arguments)
        client.timeout = left_s
        return client


_REMEDY = "Load this release's policies into OPA (docs/policies.md)."


def _running(client: _Client) -> set[tuple[str, str]]:
    """OPA's modules below `governance` as (package, text), tests left out."""
    modules = set()
    for one in client.policies():
        package = [part["value"] for part in one["ast"]["package"]["path"][1:]]
        if package[0] == "governance" and not package[-1].endswith("_test"):
            modules.add((".".join(package), one["raw"]))
    return modules


def _arguments(chosen: settings.Policy) -> dict[str, Any]:
    """What the client takes. Raises BadInput for an address that is not scheme, host and port alone."""
    try:
        address = urlsplit(chosen.opa_url)
        host, port = address.hostname or "", address.port
    except ValueError:
        address, host, port = urlsplit(""), "", None
    if address.scheme not in {"http", "https"} or not host or address.path.strip("/"):
        raise BadInput(
            f"{chosen.opa_url} is not the address of an OPA.",
            field="policy.opa_url",
            remedy="Write it like http://127.0.0.1:8181, without a path.",
        )
    secure = address.scheme == "https"
    return {
        "host": f"[{host}]" if ":" in host else host,
        "port": port or (443 if secure else 80),
        "trust": ssl.create_default_context(cafile=chosen.opa_ca) if secure else None,
        "token": chosen.opa_token.get_secret_value() if chosen.opa_token else None,
        "retries": 0,
    }


def _silent(how: str) -> PolicyUnavailable:
    return PolicyUnavailable(f"OPA is {how}.", remedy="Look at OPA and at policy.opa_url.")
