"""The clusters that ask: can they be read, do they still ask about everything, and does the ledger follow them."""

from __future__ import annotations

import base64
import binascii
import ssl
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Engine, select
from sqlmodel import Session, col

from governance.bootstrap import connect_to
from governance.cli.checks.model import Check, broken, ok, warning, wrong
from governance.db.session import reading
from governance.errors import GovernanceError
from governance.operations.clusters import Standing, standings
from governance.quota.tables import Binding
from governance.settings import Settings, Webhook
from webhooks.kubernetes.cluster import Api
from webhooks.kubernetes.install import Installation, manifests, review_path

Json = dict[str, Any]

_OURS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/governance"
_SYSTEM = "kube-system"
_OVERDUE = timedelta(minutes=1)
_CHOSEN = (
    "clientConfig",
    "timeoutSeconds",
    "namespaceSelector",
    "matchConditions",
)  # compared apart, or free to choose
_SHOWN_CHARACTERS_MAX = 80


def clusters(engine: Engine, settings: Settings) -> Iterator[Check]:
    """Every cluster that is configured, by manifest or by settings."""
    with reading(engine) as session:
        known = {one.name: one for one in standings(session, grace=_OVERDUE)}
        bound = _bound(session)
    for name in sorted(known.keys() | settings.clusters.keys()):
        standing, credentials = known.get(name), settings.clusters.get(name)
        if standing is None:
            yield warning(f"cluster {name}", "It is in the settings, and no Cluster manifest names it.", _APPLY)
        else:
            yield from follows(name, standing, reachable_from_here=credentials is not None)
        if credentials is not None:
            try:
                yield from registration(name, connect_to(name, credentials), bound[name], settings.webhook)
            except GovernanceError as error:
                yield broken(f"cluster {name}: API", error)


_APPLY = "Add the manifest and run: governance apply; or take the cluster out of the settings."


def _bound(session: Session) -> dict[str, set[str]]:
    """The namespaces that a project pays for, by cluster."""
    found: dict[str, set[str]] = defaultdict(set)
    rows = select(col(Binding.scope), col(Binding.name)).where(col(Binding.project_id).is_not(None))
    for cluster, name in session.execute(rows):
        found[cluster].add(name)
    return found


def follows(cluster: str, standing: Standing, *, reachable_from_here: bool) -> Iterator[Check]:
    """Whether a worker follows the cluster, since when everything is charged, and whether it enforces."""
    name = f"cluster {cluster}: watch"
    if standing.followed_by is None and not reachable_from_here:
        found = "Nobody follows it, and the settings hold no credentials for it."
        yield wrong(name, found, f"Set clusters.{cluster} to a kubeconfig file, and run: governance worker.")
    elif standing.followed_by is None:
        yield wrong(name, "Nobody follows it: what ends is not credited.", _WORKER)
    elif standing.relisted_at is None:
        yield warning(name, f"{standing.followed_by} follows it, and has not charged everything yet.", _WORKER)
    elif standing.overdue:
        found = f"{standing.overdue} objects were admitted and never seen, and nobody ruled on them in time."
        yield wrong(name, found, _WORKER)
    else:
        yield ok(
            name, f"{standing.followed_by} follows it; all charged since {standing.relisted_at:%Y-%m-%d %H:%M} UTC"
        )
    yield _mode(f"cluster {cluster}: mode", standing)


_WORKER = "Run: governance worker, with this cluster in its settings, and read its log."


def _mode(name: str, standing: Standing) -> Check:
    if standing.mode == "observe":
        return warning(name, "It observes: nothing is denied.", "It enforces once everything that exists was charged.")
    if standing.warned is not None:
        warned = standing.warned
        found = f"It warns until {warned.until:%Y-%m-%d %H:%M} UTC ({warned.by}: {warned.reason}): nothing is denied."
        return warning(name, found, "It enforces by itself afterwards; at once with: governance cluster enforce.")
    return ok(name, "it enforces")


def registration(cluster: str, api: Api, bound: AbstractSet[str], listener: Webhook) -> Iterator[Check]:
    """Whether the API server answers, and asks this service as `governance install kubernetes` says.

    Changes of webhook configurations are sent to no webhook: nobody else would notice.
    """
    found = api.get(_OURS)
    yield ok(f"cluster {cluster}: API", "it answers, and lets us read")
    name = f"cluster {cluster}: webhook"
    remedy = f"Run: governance install kubernetes --cluster {cluster} ... | kubectl apply -f -"
    if found is None:
        yield wrong(name, "It does not ask: ValidatingWebhookConfiguration governance is not there.", remedy)
        return
    changed = differing(cluster, found, bound)
    if changed:
        yield wrong(name, "; ".join(changed), remedy)
        return
    webhook = found["webhooks"][0]
    why = _handshake_problem(listener, webhook["clientConfig"])
    if why:
        yield wrong(name, f"It would refuse our certificate: {why}.", f"{remedy} with the --ca that issued it.")
        return
    yield ok(name, f"as installed; it never asks about {', '.join(_left_out(webhook))}")


def differing(cluster: str, found: Json, bound: AbstractSet[str]) -> list[str]:
    """What of a registration, as the API server holds it, is not as it was installed.

    Address, authorities, time limit and `--pods` are for the installation to choose. Not so the namespaces that are
    left out: kube-system and the service's own, and none that a project pays for.
    """
    webhooks = found.get("webhooks") or []
    if len(webhooks) != 1:
        return [f"it has {len(webhooks)} webhooks, not 1"]
    webhook = webhooks[0]
    wanted = [_expected(cluster, pods) for pods in ("lenient", "strict")]
    conditions = webhook.get("matchConditions")
    changed = [] if any(conditions == one["matchConditions"] for one in wanted) else ["matchConditions were changed"]
    for field in sorted(wanted[0].keys() - set(_CHOSEN)):
        changed += _unequal(field, webhook.get(field), wanted[0][field])
    changed += _unequal("objectSelector", webhook.get("objectSelector") or {}, {})
    changed += _selector_problems(webhook, bound)
    path = _path(webhook.get("clientConfig") or {})
    return [*changed, *_unequal("path", path, review_path(cluster))]


def _expected(cluster: str, pods: str) -> Json:
    strictness: Any = pods
    webhook: Json = manifests(Installation(cluster, "https://any", b"", pods=strictness))[-1]["webhooks"][0]
    return webhook


def _unequal(field: str, found: object, wanted: object) -> list[str]:
    if found == wanted:
        return []
    told = f"{field} is {found}, not {wanted}"
    return [told if len(told) <= _SHOWN_CHARACTERS_MAX else f"{field} were changed"]


def _selector_problems(webhook: Json, bound: AbstractSet[str]) -> list[str]:
    selector = webhook.get("namespaceSelector") or {}
    wanted = _expected("any", "lenient")["namespaceSelector"]["matchExpressions"][0]
    expressions = selector.get("matchExpressions") or []
    shapes = [{**one, "values": wanted["values"]} for one in expressions]
    if selector.get("matchLabels") or shapes != [wanted]:
        return ["namespaceSelector was changed"]
    left_out = _left_out(webhook)
    unasked = sorted(bound & set(left_out) - {_SYSTEM})
    if unasked:
        return [f"it never asks about {', '.join(unasked)}, which a project pays for"]
    return [f"it never asks about {', '.join(left_out)}"] if len(left_out) > len(wanted["values"]) else []


def _left_out(webhook: Json) -> list[str]:
    return sorted(webhook["namespaceSelector"]["matchExpressions"][0]["values"])


def _path(client: Mapping[str, Any]) -> str:
    service = client.get("service")
    return str(service.get("path", "")) if service else urlsplit(client.get("url", "")).path


def _handshake_problem(listener: Webhook, client: Mapping[str, Any]) -> str:
    """Why the API server would refuse our certificate; empty if it would not, or if another listener ends TLS."""
    if listener.certificate is None or listener.key is None:
        return ""
    service = client.get("service")
    host = f"{service['name']}.{service['namespace']}.svc" if service else urlsplit(client["url"]).hostname or ""
    try:
        authorities = base64.b64decode(client.get("caBundle", ""), validate=True).decode("ascii")
        asking = ssl.create_default_context(cadata=authorities or None)
        answering = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        answering.load_cert_chain(listener.certificate, listener.key, password="")  # never ask for one
        _shake_hands(asking, answering, host)
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    except (OSError, ValueError, binascii.Error) as error:
        return getattr(error, "reason", None) or "caBundle holds no certificates"
    return ""


def _shake_hands(asking: ssl.SSLContext, answering: ssl.SSLContext, host: str) -> None:
    """A TLS handshake in memory: what the API server will say, without waiting for it to call."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = asking.wrap_bio(back, there, server_hostname=host)
    server = answering.wrap_bio(there, back, server_side=True)
    done: set[ssl.SSLObject] = set()
    while len(done) < 2:
        for one in _unfinished((client, server), done):
            try:
                one.do_handshake()
                done.add(one)
            except ssl.SSLWantReadError:
                continue


def _unfinished(sides: Iterable[ssl.SSLObject], done: set[ssl.SSLObject]) -> list[ssl.SSLObject]:
    return [one for one in sides if one not in done]
