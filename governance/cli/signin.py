"""`governance login`: sign in with the identity provider's device flow (RFC 8628), in whatever browser is at hand."""

from __future__ import annotations

import time
from typing import Any

import httpx
import typer

from governance.cli import credentials
from governance.cli.client import call, request, server, trust
from governance.cli.exits import NOT_ALLOWED, UNREACHABLE, Failed
from governance.cli.output import Format, Output, show, show_json

app = typer.Typer()

_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_INTERVAL_S = 5
_SLOWER_S = 5  # RFC 8628, section 3.5: slow_down adds five seconds
_TIMEOUT_S = 30


@app.command()
def login() -> None:
    """Sign in: prints an address and a code, and waits until you have confirmed it there."""
    address = server()
    flow = request(address, "GET", "/session/device")
    with httpx.Client(timeout=_TIMEOUT_S, verify=trust()) as provider:
        asked = _post(provider, flow["device_authorization_endpoint"], client_id=flow["client_id"], scope=flow["scope"])
        if "device_code" not in asked:
            raise Failed(f"The identity provider refused: {_said(asked)}.", NOT_ALLOWED)
        link = asked.get("verification_uri_complete") or asked["verification_uri"]
        typer.echo(f"Open {link}\nand confirm the code {asked['user_code']}.", err=True)
        signed_in = _wait(provider, flow, asked)
    if "id_token" not in signed_in:
        raise Failed("The identity provider gave no ID token. Its client needs the scope openid.", NOT_ALLOWED)
    exchange = {"id_token": signed_in["id_token"], "access_token": signed_in.get("access_token", "")}
    session = request(address, "POST", "/session", json=exchange)
    file = credentials.keep_token(address, session["token"], session["expires_at"], session["person"])
    show(f"Signed in to {address} as {session['person']}, until {session['expires_at']} ({file}).")


@app.command()
def logout() -> None:
    """Sign out: the token ends, here and on the server."""
    address = server()
    token = credentials.read_token(address)
    if token:
        try:
            request(address, "DELETE", "/session", token=token)
        except Failed as end:
            if end.code != NOT_ALLOWED:  # a token that is not good any more needs no ending
                raise
        finally:
            credentials.forget_token(address)
    show("Signed out.")


@app.command()
def whoami(output: Output = Format.TABLE) -> None:
    """Say who you are to the service, and what you may do."""
    who = call("GET", "/session")
    if output is Format.JSON:
        show_json(who)
        return
    show(f"{who['display_name']} ({who['person']}) on {server()}")
    show(f"roles: {', '.join(who['roles']) or '(none)'}")
    show(f"groups: {', '.join(who['groups']) or '(none)'}")
    show(f"may: {', '.join(who['permissions'])}")


def _wait(provider: httpx.Client, flow: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """Ask the provider until the person has confirmed; RFC 8628, section 3.4 and 3.5."""
    interval_s = float(asked.get("interval", _INTERVAL_S))
    ends = time.monotonic() + float(asked.get("expires_in", 600))
    while time.monotonic() < ends:
        time.sleep(interval_s)
        answer = _post(
            provider,
            flow["token_endpoint"],
            grant_type=_GRANT,
            device_code=asked["device_code"],
            client_id=flow["client_id"],
        )
        error = answer.get("error")
        if error is None:
            return answer
        if error == "slow_down":
            interval_s += _SLOWER_S
        elif error != "authorization_pending":
            raise Failed(f"Sign-in ended: {_said(answer)}. Run it again.", NOT_ALLOWED)
    raise Failed("Nobody confirmed the code in time. Run it again.", NOT_ALLOWED)


def _post(provider: httpx.Client, url: str, **form: str) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = provider.post(url, data=form, headers={"Accept": "application/json"}).json()
    except (httpx.HTTPError, ValueError) as error:
        raise Failed(f"The identity provider does not answer ({type(error).__name__}).", UNREACHABLE) from None
    return answer


def _said(answer: dict[str, Any]) -> str:
    return str(answer.get("error_description") or answer.get("error") or "no reason given")
