"""The command line as a client of the API: which server, with which token, and what its errors mean for the shell.

`GOVERNANCE_SERVER` names the service, `GOVERNANCE_TOKEN` a token (else the one that `governance login` kept is used),
`GOVERNANCE_CA` a file of certificates to trust.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx

from governance.cli import credentials
from governance.cli.exits import INVALID, NOT_ALLOWED, UNREACHABLE, USAGE, Failed, code_of

SERVER_DEFAULT = "http://127.0.0.1:8080"
_PREFIX = "/api/v1"
_TIMEOUT_S = 30
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def server() -> str:
    """The address of the service. Raises Failed if it is not one that a token may be sent to."""
    address = os.environ.get("GOVERNANCE_SERVER", SERVER_DEFAULT).rstrip("/")
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise Failed(f"GOVERNANCE_SERVER: {address!r} is not an address. Write it like https://host.", USAGE)
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise Failed("GOVERNANCE_SERVER: a token is sent over TLS only. Write https://.", USAGE)
    return address


def call(
    method: str,
    path: str,
    *,
    json: Any = None,  # noqa: ANN401
    content: bytes | None = None,
    params: Mapping[str, Any] | None = None,
) -> Any:  # noqa: ANN401
    """Call the API with the caller's token; the answer's JSON, or None where there is none.

    Args:
        content: JSON that is sent as it is, in the place of `json`.

    Raises Failed: not signed in, refused, or unreachable.
    """
    return request(server(), method, path, token=_token(), json=json, content=content, params=params)


def pages(path: str, params: Mapping[str, Any], limit: int) -> list[Any]:
    """The items of a list, page after page, at most `limit`."""
    found: list[Any] = []
    cursor = ""
    while len(found) < limit:
        asked = {**params, "limit": min(200, limit - len(found)), "cursor": cursor}
        page = call("GET", path, params=asked)
        found += page["items"]
        cursor = page["next"]
        if not cursor:
            break
    return found


def download(path: str, params: Mapping[str, Any] | None = None) -> Iterator[bytes]:
    """The answer's bytes as they come. Raises Failed, also when the answer breaks off."""
    address, token = server(), _token()
    headers = {"Authorization": f"Bearer {token}"}
    try:
        with (
            httpx.Client(base_url=address, timeout=_TIMEOUT_S, verify=trust()) as client,
            client.stream("GET", _PREFIX + path, params=params, headers=headers) as answer,
        ):
            if not answer.is_success:
                answer.read()
                raise _refused(address, answer)
            yield from answer.iter_bytes()
    except httpx.HTTPError as error:
        raise _unreachable(address, error) from None


def upload(path: str, content: Iterator[bytes], params: Mapping[str, Any]) -> Any:  # noqa: ANN401
    """Send a file as it is read. Raises Failed."""
    address, token = server(), _token()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/octet-stream"}
    try:
        with httpx.Client(base_url=address, timeout=_TIMEOUT_S, verify=trust()) as client:
            answer = client.post(_PREFIX + path, content=content, params=params, headers=headers)
    except httpx.HTTPError as error:
        raise _unreachable(address, error) from None
    if answer.is_success:
        return answer.json()
    raise _refused(address, answer)


def failure_of(problem: dict[str, Any]) -> Failed:
    """What a problem document (RFC 9457) says, as the end of a command."""
    return Failed(_words(problem), code_of(problem["status"]), problem)


def request(
    address: str,
    method: str,
    path: str,
    *,
    token: str | None = None,
    json: Any = None,  # noqa: ANN401
    content: bytes | None = None,
    params: Mapping[str, Any] | None = None,
) -> Any:  # noqa: ANN401
    """One call. Raises Failed with the service's own words."""
    headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    if content is not None:
        headers["Content-Type"] = "application/json"
    asked = {name: value for name, value in (params or {}).items() if value not in {None, ""}}
    try:
        with httpx.Client(base_url=address, timeout=_TIMEOUT_S, verify=trust()) as client:
            answer = client.request(method, _PREFIX + path, json=json, content=content, params=asked, headers=headers)
    except httpx.HTTPError as error:
        raise _unreachable(address, error) from None
    if answer.is_success:
        return answer.json() if answer.content else None
    raise _refused(address, answer)


def trust() -> ssl.SSLContext | bool:
    """The certificates to trust: those of this machine, or of `GOVERNANCE_CA`."""
    file = os.environ.get("GOVERNANCE_CA")
    if not file:
        return True
    try:
        return ssl.create_default_context(cafile=file)
    except (OSError, ssl.SSLError):
        raise Failed(f"GOVERNANCE_CA: {file} holds no certificates that can be read.", INVALID) from None


def _token() -> str:
    token = os.environ.get("GOVERNANCE_TOKEN") or credentials.read_token(server())
    if not token:
        raise Failed("You are not signed in. Run: governance login, or set GOVERNANCE_TOKEN.", NOT_ALLOWED)
    return token


def _unreachable(address: str, error: httpx.HTTPError) -> Failed:
    why = str(error) or type(error).__name__
    return Failed(f"{address} does not answer ({why}). Check GOVERNANCE_SERVER.", UNREACHABLE)


def _refused(address: str, answer: httpx.Response) -> Failed:
    code = code_of(answer.status_code)
    try:
        problem = answer.json()
        return Failed(_words(problem), code, problem)
    except (ValueError, KeyError, TypeError):
        return Failed(f"{address} answered {answer.status_code} {answer.reason_phrase}.", code)


def _words(problem: dict[str, Any]) -> str:
    """A problem document (RFC 9457) in one line; a line for each wrong place of a file."""
    detail = problem["detail"]
    places = [one for one in problem.get("errors", ()) if "file" in one]
    if places:
        return "\n".join([*_places(places), problem.get("remedy", "")]).strip()
    fields = "; ".join(f"{one['field']}: {one['detail']}" for one in problem.get("errors", ()))
    named = f"{problem['field']}: " if problem.get("field") and not fields else ""
    return " ".join(part for part in (f"{named}{detail}", fields, problem.get("remedy", "")) if part)


def _places(errors: list[dict[str, Any]]) -> Iterator[str]:
    for one in errors:
        where = f"{one['file']}:{one['line']}" if one["line"] else one["file"]
        head = " ".join(f"{part}:" for part in (where, one["field"]) if part)
        yield " ".join(part for part in (head, one["detail"], one.get("remedy", "")) if part)
