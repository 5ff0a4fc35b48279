"""`governance doctor`: what is wrong with an installation, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterator

import typer

from governance import clock
from governance.cli.checks.model import Check
from governance.cli.exits import INVALID, Failed
from governance.cli.output import Format, Output, show_json, show_table

app = typer.Typer()


@app.command()
def doctor(output: Output = Format.TABLE) -> None:
    """Say what is wrong with this installation and how to mend it. Changes nothing."""
    found = list(examine())
    if output is Format.JSON:
        shown = [{"name": one.name, "state": one.state, "found": one.found, "remedy": one.remedy} for one in found]
        show_json({"checks": shown, **{state: _count(found, state) for state in ("ok", "warning", "wrong")}})
    else:
        show_table(
            ("state", "check", "found, and what to do"),
            [(one.state, one.name, f"{one.found} {one.remedy}".rstrip()) for one in found],
        )
    if amiss := _count(found, "wrong"):
        raise Failed(f"{amiss} of {len(found)} checks found something wrong.", INVALID)


def examine() -> Iterator[Check]:
    """Look at everything; what cannot be looked at without something else that is wrong is left out."""
    from governance.cli.checks import clusters, parts, records  # the whole service, which no help page should wait for

    settings, check = parts.settings_check()
    yield check
    if settings is None:
        return
    yield from parts.certificates(settings, clock.now())
    yield parts.policy(settings.policy)
    yield parts.sign_in(settings)
    yield parts.mail(settings)
    yield parts.audit_key(settings.audit)
    engine, check = records.open_engine(settings.database)
    yield check
    if engine is None:
        return
    try:
        seals, ships = settings.audit.signing_key is not None, settings.audit.ship_to is not None
        yield from records.in_database(engine, clock.now, seals=seals, ships=ships)
        yield from clusters.clusters(engine, settings)
    finally:
        engine.dispose()


def _count(found: list[Check], state: str) -> int:
    return sum(one.state == state for one in found)
