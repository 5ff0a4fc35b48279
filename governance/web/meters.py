"""From ledger amounts to a meter: what is drawn where, and the same in words."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from governance.web.formats import number
from governance.web.views.parts import Badge, Kind, Meter, Number, Segment
from governance.wording import SPACE, Unit, percent, resource_title, unit_for

_NEAR_PERCENT = 85  # from here on a limit is called near


def meter(
    resource: str,
    *,
    used: int,
    held: int = 0,
    kept: int = 0,
    adds: int = 0,
    hard: int | None = None,
    borrowable: int = 0,
    allowance: int = 0,
    title: str = "",
    href: str = "",
) -> Meter:
    """A meter of one resource at one node, in ledger units.

    Args:
        used: what confirmed charges take; `held` what reservations take that were not seen running yet.
        kept: what is guaranteed to nodes below and not used by them, so that nobody else may have it.
        adds: what the request at hand would add.
        hard: the hard limit; None draws no limit.
        borrowable: what may be borrowed from the parent beyond the hard limit.
        allowance: what approved overruns add to the limit while they last.
    """
    total = used + held + kept + adds
    limit = None if hard is None else hard + borrowable + allowance
    width = max(total, limit or 0, hard or 0, 1)
    unit = unit_for(resource, (used, held, kept, adds, hard or 0, borrowable, allowance))
    name = title or resource_title(resource)

    def show(amount: int) -> Number:
        return number(resource, amount, unit)

    return Meter(
        title=name,
        resource=resource,
        sentence=_sentence(name, unit, resource, used, held, kept, adds, hard, borrowable, allowance),
        used=show(used),
        held=show(held) if held else None,
        kept=show(kept) if kept else None,
        adds=show(adds) if adds else None,
        hard=None if hard is None else show(hard),
        borrowable=show(borrowable) if borrowable else None,
        allowance=show(allowance) if allowance else None,
        segments=_segments({"used": used, "held": held, "kept": kept, "adds": adds}, limit, width),
        hard_at=None if hard is None else _percent(hard, width),
        borrow_width=_percent(borrowable + allowance, width) if borrowable + allowance else None,
        share="" if limit is None else percent(total, limit),
        badge=_badge(total, hard, limit),
        href=href,
    )


def _percent(part: int, whole: int) -> str:
    return f"{Decimal(part) * 100 / whole:.2f}"


def _segments(parts: Mapping[Kind, int], limit: int | None, width: int) -> tuple[Segment, ...]:
    """The pieces from left to right; what lies beyond the limit is drawn as over, whatever it is."""
    pieces: list[Segment] = []
    start = 0
    for kind, amount in parts.items():
        within = amount if limit is None else max(0, min(amount, limit - start))
        if within:
            pieces.append(Segment(kind, _percent(start, width), _percent(within, width)))
        start += amount
    if limit is not None and start > limit:
        pieces.append(Segment("over", _percent(limit, width), _percent(start - limit, width)))
    return tuple(pieces)


def _badge(total: int, hard: int | None, limit: int | None) -> Badge:
    if limit is None or hard is None:
        return Badge("no limit", "circle", "neutral")
    if total > limit:
        return Badge("over the limit", "alert-triangle", "bad")
    if total > hard:
        return Badge("borrows", "arrow-back-up", "info")
    if total * 100 >= limit * _NEAR_PERCENT and total:
        return Badge("nearly full", "alert-triangle", "caution")
    return Badge("within the limit", "circle-check", "good")


def _sentence(
    name: str,
    unit: Unit,
    resource: str,
    used: int,
    held: int,
    kept: int,
    adds: int,
    hard: int | None,
    borrowable: int,
    allowance: int,
) -> str:
    def show(amount: int) -> str:
        shown = number(resource, amount, unit)
        return f"{shown.text}{SPACE}{shown.unit}" if shown.unit else shown.text

    parts = [f"{show(used)} used"]
    if held:
        parts.append(f"{show(held)} reserved")
    if kept:
        parts.append(f"{show(kept)} guaranteed to others")
    if adds:
        parts.append(f"{show(adds)} more asked for")
    limit = "no limit" if hard is None else f"limit {show(hard)}"
    extra = [f"{show(borrowable)} may be borrowed"] if borrowable else []
    extra += [f"{show(allowance)} more allowed for a time"] if allowance else []
    return f"{name}: {', '.join([*parts, limit, *extra])}."
