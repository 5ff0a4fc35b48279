"""What a listener may be started with: `serve` refuses anything else, and `governance doctor` says what that is."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from governance.errors import BadInput
from governance.http.security import LOOPBACK
from governance.settings import Settings

Group = Literal["webhook", "web"]
ISSUE = "Have one issued for the name that is called; see docs/install.md."
_EVERYWHERE = frozenset({"", "0.0.0.0", "::"})  # noqa: S104  (to compare with, not to listen on)


def refuse_unsafe(settings: Settings) -> None:
    """Refuse to serve where sign-in could not be trusted, or where a listener would not be what was asked for.

    In production people sign in over TLS with an identity provider; the demo, where anybody may choose to be anybody,
    stays on this machine. Raises BadInput that names the setting.
    """
    public = urlsplit(settings.web.public_url)
    if public.scheme not in {"http", "https"} or not public.hostname or public.path not in {"", "/"}:
        raise BadInput(
            "The public URL is a scheme, a host and a port.",
            field="web.public_url",
            remedy="For example https://governance.example.org.",
        )
    if settings.environment == "demo":
        _refuse_beyond_this_machine(settings, public.hostname)
    else:
        _refuse_untrusted_sign_in(settings, public.scheme)
    _refuse_one_port_for_both(settings)
    if settings.webhook.client_names and settings.webhook.client_ca_file is None:
        raise BadInput(
            "Names of callers count only where their certificates are verified.",
            field="webhook.client_names",
            remedy="Set webhook.client_ca_file, or leave the names out.",
        )


def _refuse_beyond_this_machine(settings: Settings, public_host: str) -> None:
    hosts = {"web.host": settings.web.host, "web.public_url": public_host, "webhook.host": settings.webhook.host}
    for name, host in hosts.items():
        if host not in LOOPBACK:
            raise BadInput(
                "The demo lets anybody sign in as anybody, so it serves this machine only.",
                field=name,
                remedy="Use 127.0.0.1, or environment=production.",
            )


def _refuse_untrusted_sign_in(settings: Settings, public_scheme: str) -> None:
    if public_scheme != "https":
        raise BadInput(
            "People sign in over TLS only.",
            field="web.public_url",
            remedy="Name an https:// address (environment=demo allows plain HTTP on loopback).",
        )
    if not settings.oidc.issuer or not settings.oidc.client_id:
        missing = "oidc.client_id" if settings.oidc.issuer else "oidc.issuer"
        raise BadInput("Nobody could sign in.", field=missing, remedy="Name the identity provider and our client id.")
    issuer = urlsplit(settings.oidc.issuer)
    if issuer.scheme != "https" and issuer.hostname not in LOOPBACK:
        raise BadInput(
            "Who somebody is must not be told in the clear.", field="oidc.issuer", remedy="Name an https:// address."
        )


def _refuse_one_port_for_both(settings: Settings) -> None:
    webhook, web = settings.webhook, settings.web
    if webhook.port == web.port and (webhook.host == web.host or _EVERYWHERE & {webhook.host, web.host}):
        raise BadInput(
            f"Both listeners would take port {web.port}.", field="web.port", remedy="Give each a port of its own."
        )


def server_context(settings: Settings, group: Group) -> ssl.SSLContext | None:
    """The TLS of a listener, from the files that its settings name; None where it speaks plain HTTP.

    Raises BadInput that names the setting: a file that is missing, or that cannot be read or used.
    """
    context = own_certificate(settings, group)
    if context is not None and group == "webhook" and settings.webhook.client_ca_file is not None:
        ask_for_certificates(context, settings.webhook.client_ca_file)
    return context


def own_certificate(settings: Settings, group: Group) -> ssl.SSLContext | None:
    """By which a listener proves itself. Raises BadInput that names the setting."""
    listener = settings.webhook if group == "webhook" else settings.web
    needed = group == "webhook" and (settings.environment == "production" or settings.webhook.client_ca_file)
    if listener.certificate is None and listener.key is None and not needed:
        return None
    certificate = _readable(listener.certificate, f"{group}.certificate")
    key = _readable(listener.key, f"{group}.key")
    if b"ENCRYPTED" in key.read_bytes():
        raise BadInput(
            f"{key} asks for a passphrase, and nobody is there to type it.",
            field=f"{group}.key",
            remedy="Write it without one, in a file that its owner alone can read: openssl pkey -in KEY -out NEW.",
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key, password="")  # without one, OpenSSL would ask on the terminal
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise BadInput(
            f"{certificate} with {key} cannot be used ({_why(error)}).", field=f"{group}.certificate", remedy=ISSUE
        ) from None
    return context


def ask_for_certificates(context: ssl.SSLContext, client_ca: Path) -> None:
    """Callers may show a certificate, and one of another authority ends the handshake. Raises BadInput.

    What a connection without one may ask for is said in `governance.cli.callers`.
    """
    field = "webhook.client_ca_file"
    try:
        context.load_verify_locations(_readable(client_ca, field))
    except (OSError, ValueError) as error:
        raise BadInput(
            f"{client_ca} cannot be used ({_why(error)}).", field=field, remedy="Name a PEM file of certificates."
        ) from None
    context.verify_mode = ssl.CERT_OPTIONAL


def _readable(path: Path | None, field: str) -> Path:
    if path is None:
        raise BadInput("It is not set, and TLS needs a certificate and its key.", field=field, remedy=ISSUE)
    try:
        path.read_bytes()
    except OSError as error:
        raise BadInput(
            f"{path} cannot be read ({_why(error)}).", field=field, remedy="Name a PEM file, or mend its rights."
        ) from None
    return path


def _why(error: OSError | ValueError) -> str:
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
