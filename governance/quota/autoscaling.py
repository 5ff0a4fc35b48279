"""How far autoscalers may go, told to what they scale. Pure. LEDGER.md, "Kubernetes: the charge of a root".

Where policy charges the maximum, what an autoscaler scales is charged for as many replicas as the autoscaler may set;
the autoscaler itself for nothing but its count. It stands below what it scales, yet every incarnation of that name is
told, and every target that a pending write of it names: whichever of them comes to be is covered.
"""

from __future__ import annotations

from dataclasses import replace

from governance.quota.draft import Draft, put
from governance.quota.model import AUTOSCALER, Known


def charges_maximum(known: Known) -> bool:
    """Whether policy says so for this namespace."""
    return known.binding is not None and known.binding.autoscaling == "maximum"


def align(draft: Draft) -> None:
    """Tell what is scaled what the autoscalers in the draft may set. What others told it stays."""
    told: dict[str | None, dict[str, int]] = {}
    for uid, one in draft.objects.items() if charges_maximum(draft.known) else ():
        for key, maximum in one.targets().items():
            told.setdefault(key, {})[uid] = maximum
    for one in list(draft.objects.values()):
        if one.kind == AUTOSCALER:
            continue
        others = {uid: maximum for uid, maximum in one.maxima.items() if uid not in draft.objects}
        maxima = others | told.get(one.name_key(), {})
        if maxima != one.maxima:
            put(draft, replace(draft.objects[one.uid], maxima=maxima))
