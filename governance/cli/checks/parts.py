"""What stands around the service: its settings and certificates, the policy engine, sign-in, mail."""

from __future__ import annotations

import os
import smtplib
import ssl
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509

from governance.audit.keys import load_key
from governance.bootstrap import channels_of
from governance.cli.checks.model import Check, ok, tried, warning, wrong
from governance.errors import BadInput, Unavailable
from governance.http.listeners import ISSUE, Group, ask_for_certificates, own_certificate, refuse_unsafe
from governance.identity.oidc import Provider
from governance.notify.email import connected
from governance.policy.factory import health, make_policy_engine
from governance.settings import Audit, Oidc, Policy, Settings, load

RENEW_BEFORE = timedelta(days=30)
_OTHERS = 0o077  # the rights of everybody but the owner


def settings_check() -> tuple[Settings | None, Check]:
    """Read the settings as `serve` does; without them nothing else can be looked at."""
    try:
        settings = load()
    except BadInput as error:
        return None, wrong("settings", f"{error.field}: {error.detail}", error.remedy or "See docs/settings.md.")
    return settings, tried("settings", lambda: _safe(settings))


def _safe(settings: Settings) -> Check:
    refuse_unsafe(settings)
    channels_of(settings)
    file = os.environ.get("GOVERNANCE_SETTINGS_FILE", "")
    if file and Path(file).stat().st_mode & _OTHERS:
        return warning("settings", f"{file} can be read by others, and may hold secrets.", f"Run: chmod 600 {file}")
    return ok("settings", f"valid, for {settings.environment}{f', from {file}' if file else ''}")


def certificates(settings: Settings, now: datetime) -> Iterator[Check]:
    """The certificates of both listeners, and of the authorities that vouch for those who call the webhook."""
    host = urlsplit(settings.web.public_url).hostname or ""
    yield tried("webhook certificate", lambda: _certificate("webhook", settings, now, None))
    yield tried("webhook callers", lambda: _callers(settings, now))
    if settings.web.certificate or settings.web.key:
        yield tried("web certificate", lambda: _certificate("web", settings, now, host))
    elif settings.environment == "production":
        yield ok("web certificate", "none here: TLS ends in front of this service")


def _certificate(group: Group, settings: Settings, now: datetime, host: str | None) -> Check:
    name, listener = f"{group} certificate", settings.webhook if group == "webhook" else settings.web
    own_certificate(settings, group)
    if listener.certificate is None or listener.key is None:
        return wrong(name, "webhook.certificate and webhook.key are not set, and clusters call over TLS only.", ISSUE)
    chain = x509.load_pem_x509_certificates(listener.certificate.read_bytes())
    names = _names(chain[0])
    if host is not None and not _covers(names, host):
        return wrong(name, f"names {', '.join(names) or 'nobody'}, and people open {host}", ISSUE)
    if listener.key.stat().st_mode & _OTHERS:
        return warning(name, f"{listener.key} can be read by others.", f"Run: chmod 600 {listener.key}")
    return _in_time(name, chain, now, f"for {', '.join(names)}", ISSUE)


def _callers(settings: Settings, now: datetime) -> Check:
    name, file = "webhook callers", settings.webhook.client_ca_file
    if file is None:
        if settings.environment == "demo":
            return ok(name, "demo: whoever is on this machine")
        found = "Whoever reaches the port is answered as a cluster is, and can take up capacity."
        return warning(name, found, "Set webhook.client_ca_file, or let the network decide; see docs/install.md.")
    ask_for_certificates(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), file)
    lasting = max(x509.load_pem_x509_certificates(file.read_bytes()), key=lambda one: one.not_valid_after_utc)
    bearing = f" and bears one of: {', '.join(settings.webhook.client_names)}" if settings.webhook.client_names else ""
    return _in_time(name, [lasting], now, f"whoever {file} vouches for{bearing}", _AUTHORITY)


_AUTHORITY = "Add the authority that comes after it to webhook.client_ca_file, and issue from that one."


def _in_time(name: str, certificates: Sequence[x509.Certificate], now: datetime, found: str, remedy: str) -> Check:
    """Whether all of them are valid, and stay so for a while."""
    ends = min(one.not_valid_after_utc for one in certificates)
    if ends <= now or max(one.not_valid_before_utc for one in certificates) > now:
        return wrong(name, f"not valid now: it ends {ends:%Y-%m-%d %H:%M} UTC", remedy)
    if ends - now < RENEW_BEFORE:
        return warning(name, f"ends in {(ends - now).days} days, {ends:%Y-%m-%d}", f"{remedy} Then restart serve.")
    return ok(name, f"{found}, until {ends:%Y-%m-%d}")


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    addresses = (str(one) for one in found.get_values_for_type(x509.IPAddress))
    return [*found.get_values_for_type(x509.DNSName), *addresses]


def _covers(names: list[str], host: str) -> bool:
    """RFC 9525, section 6.3: a wildcard stands for the whole first label."""
    wanted = {host, f"*.{host.partition('.')[2]}"}
    return any(name.lower() in wanted for name in names)


def policy(chosen: Policy) -> Check:
    """The policies are read, checked, compiled and evaluated."""

    def look() -> Check:
        engine = make_policy_engine(chosen)
        found = health(engine)
        if not found.ready:
            return wrong("policy", found.detail, found.remedy)
        return ok("policy", f"{chosen.engine}, {len(engine.rules)} rules, digest {found.digest}")

    return tried("policy", look)


def sign_in(settings: Settings) -> Check:
    """The identity provider's discovery, for pages and for the command line."""
    if settings.environment == "demo" and not settings.oidc.issuer:
        return ok("sign-in", "demo: whoever opens the pages chooses whom to be")
    return _provider(settings.oidc, settings.web.public_url)


def _provider(oidc: Oidc, public_url: str) -> Check:
    provider = Provider(oidc, redirect_uri=f"{public_url.rstrip('/')}/sign-in/callback")
    try:
        provider.depart()  # names where to go; nobody goes there
    except Unavailable as error:
        return wrong("sign-in", error.detail, _ISSUER)
    try:
        provider.device_endpoints()
    except Unavailable as error:
        remedy = "Allow the device code grant (RFC 8628) at the provider, or give people API tokens."
        return warning("sign-in", f"Pages work, `governance login` does not: {error.detail}", remedy)
    return ok("sign-in", f"{oidc.issuer} answers, for pages and command line")


_ISSUER = (
    "Set oidc.issuer to exactly what the provider calls itself at /.well-known/openid-configuration; "
    "if your own authority vouches for it, name that in REQUESTS_CA_BUNDLE."
)


def mail(settings: Settings) -> Check:
    """The mail server greets us, and takes our password; no mail is sent."""
    chosen = settings.mail
    if not chosen.host:
        return warning("mail", "Off: nobody is told by mail what they should decide.", "Set mail.host.")
    try:
        with connected(chosen) as server:
            code, _ = server.noop()
    except (OSError, smtplib.SMTPException) as error:
        answer = f"answers {error.smtp_code}" if isinstance(error, smtplib.SMTPResponseException) else "does not answer"
        found = f"{chosen.host}:{chosen.port} {answer} ({type(error).__name__})."
        return wrong("mail", found, "Check mail.host, port, starttls, username and password.")
    return ok("mail", f"{chosen.host}:{chosen.port} answers {code}")


def audit_key(chosen: Audit) -> Check:
    """The key that seals the audit log, and the place to which its heads go."""
    if chosen.signing_key is None:
        found = "Without audit.signing_key the audit log is not sealed, and a change in it cannot be found."
        return wrong("audit key", found, "Make one: openssl genpkey -algorithm ed25519 -out audit.pem")
    file, folder = chosen.signing_key, chosen.ship_to

    def look() -> Check:
        load_key(file)
        if file.stat().st_mode & _OTHERS:
            return wrong("audit key", f"{file} can be read by others.", f"Run: chmod 600 {file}")
        if folder is None:
            return warning("audit key", "Heads stay on this host: a cut tail cannot be found.", "Set audit.ship_to.")
        if not _writable(folder):
            return wrong("audit key", f"{folder} cannot be written.", "Mount it, or set audit.ship_to to another.")
        return ok("audit key", f"{file}; heads go to {folder}")

    return tried("audit key", look)


def _writable(folder: Path) -> bool:
    """The folder, or, as shipping makes it, the nearest one above that is there."""
    there = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    return there.is_dir() and os.access(there, os.W_OK)
