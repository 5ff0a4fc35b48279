"""How resources and amounts are called in sentences, wherever a person reads them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from governance.units import is_bytes, is_cpu

SPACE = "\u00a0"  # between a number and its unit: the two are never parted at a line's end

_TITLES = {
    "requests.cpu": "CPU",
    "limits.cpu": "CPU limits",
    "requests.memory": "Memory",
    "limits.memory": "Memory limits",
    "requests.storage": "Storage",
    "requests.ephemeral-storage": "Scratch storage",
    "limits.ephemeral-storage": "Scratch storage limits",
    "persistentvolumeclaims": "Volume claims",
    "pods": "Pods",
    "services": "Services",
    "services.loadbalancers": "Load balancers",
    "services.nodeports": "Node ports",
    "credits": "Money per month",
    "vcpus": "vCPUs",
}
_COUNTS = {
    "deployments.apps": "Deployments",
    "statefulsets.apps": "Stateful sets",
    "daemonsets.apps": "Daemon sets",
    "replicasets.apps": "Replica sets",
    "jobs.batch": "Jobs",
    "cronjobs.batch": "Cron jobs",
}
_CLASS_SUFFIX = ".storageclass.storage.k8s.io/requests.storage"
_LONG = 99_999
_BINARY = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")


def resource_title(resource: str) -> str:
    """What a resource is called on a page; Kubernetes' own name stays in the details."""
    if resource in _TITLES:
        return _TITLES[resource]
    if resource.startswith("count/"):
        name = resource.removeprefix("count/")
        return _COUNTS.get(name, f"{name.split('.')[0].capitalize()} (count)")
    if resource.endswith(_CLASS_SUFFIX):
        return f"Storage, class {resource.removesuffix(_CLASS_SUFFIX)}"
    if is_gpu(resource):
        return "GPUs"
    return resource.removeprefix("requests.")


def noun(resource: str) -> str:
    """The same inside a sentence: `GPUs`, `memory`, `load balancers`."""
    title = resource_title(resource)
    return title if title[:2].isupper() or title == "vCPUs" else f"{title[0].lower()}{title[1:]}"


def scarcest_first(resource: str) -> tuple[int, str]:
    """For sorting: what is scarce and people speak of first, then what machines count."""
    ranks = (is_gpu(resource), resource == "requests.cpu", resource == "requests.memory", resource == "credits")
    if any(ranks):
        return ranks.index(True), resource
    counted = resource.startswith(("count/", "limits.")) or resource in {"pods", "cpu", "memory"}
    return len(ranks) + counted, resource


def is_gpu(resource: str) -> bool:
    """Whether the resource counts graphics processors, whoever makes them."""
    return resource.removeprefix("requests.").endswith("/gpu")


@dataclass(frozen=True, slots=True)
class Unit:
    """How the amounts of one column or meter are written: all in one unit with the same decimals."""

    divisor: int
    label: str
    decimals: int


def unit_for(resource: str, amounts: Iterable[int]) -> Unit:
    """The unit in which these ledger amounts of one resource read best."""
    values = [abs(one) for one in amounts if one]
    largest = max(values, default=0)
    if is_cpu(resource):
        return Unit(1000, "cores", _decimals(values, 1000))
    if resource == "credits":
        return Unit(1_000_000, "", 0 if all(one % 1_000_000 == 0 for one in values) else 2)
    if is_bytes(resource):
        power = _power(min(values, default=1024**3), largest)
        return Unit(1024**power, _BINARY[power], _decimals(values, 1024**power))
    return Unit(1, "", 0)


def _power(smallest: int, largest: int) -> int:
    """The unit in which the smallest amount is still a whole one, unless the largest becomes too long to read."""
    power = max(step for step in range(len(_BINARY)) if 1024**step <= max(smallest, 1))
    while power + 1 < len(_BINARY) and largest // 1024**power > _LONG:
        power += 1
    return power


def _decimals(amounts: Iterable[int], divisor: int) -> int:
    parts = [one % divisor for one in amounts]
    if not any(parts):
        return 0
    return 1 if all(one * 10 % divisor == 0 for one in parts) or divisor > 1000 else 2


def amount_text(amount: int, unit: Unit) -> str:
    """The amount alone, in that unit: `1,024` or `1.5`."""
    step = Decimal(1).scaleb(-unit.decimals)
    value = (Decimal(amount) / unit.divisor).quantize(step, rounding=ROUND_HALF_EVEN)
    return f"{value:,}"


def phrase(resource: str, amount: int, *, more: bool = False) -> str:
    """An amount in a sentence: `6 more GPUs`, `16 GiB more memory`, `2 load balancers`."""
    unit = unit_for(resource, (amount,))
    value, extra, name = amount_text(amount, unit), f"more{SPACE}" if more else "", noun(resource)
    if is_cpu(resource):
        return f"{value}{SPACE}{extra}{plural('core', one=amount == 1000)} of CPU"
    if is_bytes(resource):
        return f"{value}{SPACE}{unit.label} {extra or 'of '}{name}"
    return f"{value}{SPACE}{extra}{name[:-1] if amount == 1 and name.endswith('s') else name}"


def would_be(who: str, resource: str, used: int, increase: int, limit: int) -> str:
    """What a request would do to a limit: `Radiology would be at 94 % of its GPUs: 16 of 17 GPUs.`

    Args:
        who: the department or project, as people call it.
    """
    after = used + increase
    unit, name = unit_for(resource, (after, limit)), noun(resource)
    of = f"{amount_text(after, unit)} of {amount_text(limit, unit)}{SPACE}{measured(name, unit)}"
    if after > limit:
        return f"{who} would take {of}: {amount_text(after - limit, unit)} more than it may."
    return f"{who} would be at {percent(after, limit)} of its {name}: {of}."


def group_title(group: str, titles: Mapping[str, str] | None = None) -> str:
    """`Platform` for the group platform; for approver@radiology what people call that node, or its name.

    Args:
        titles: names of nodes as groups name them, to what people call them.
    """
    node = group.removeprefix("approver@")
    if node != group:
        return (titles or {}).get(node, node)
    return group.replace("-", " ").capitalize()


def measured(name: str, unit: Unit) -> str:
    """What a number counts: `GPUs`, or `GiB of memory`."""
    return f"{unit.label} of {name}" if unit.label else name


def plural(word: str, *, one: bool) -> str:
    """The word as it is, or with an s."""
    return word if one else f"{word}s"


def things(count: int, word: str) -> str:
    """`1 person`, `3 changes`: a count with its noun."""
    irregular = {"person": "people", "entry": "entries", "emergency": "emergencies"}
    return f"{count:,}{SPACE}{word if count == 1 else irregular.get(word, f'{word}s')}"


def listed(words: Iterable[str], joint: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    items = list(words)
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {joint} {items[-1]}" if items else ""


def percent(part: int, whole: int) -> str:
    """A share as a whole percentage: a little use is never 0 %, and 100 % is only said of what is full."""
    if whole <= 0:
        return f"100{SPACE}%" if part > 0 else f"0{SPACE}%"
    exact = Decimal(part) * 100 / whole
    shown = int(exact.quantize(Decimal(1), rounding=ROUND_HALF_EVEN))
    if part and shown == 0:
        shown = 1
    if part < whole and shown >= 100:
        shown = 99
    if part > whole and shown <= 100:
        shown = 101
    return f"{shown}{SPACE}%"
