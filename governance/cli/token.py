"""`governance token`: API tokens for programs."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer

from governance.cli.client import call
from governance.cli.output import Format, Output, id_of, moment, show, show_json, show_table

app = typer.Typer(no_args_is_help=True, help="API tokens for programs.")

Owner = Annotated[str, typer.Option(help="A service's person; only for administrators.")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    scope: Annotated[list[str], typer.Option(help="What it may do, such as quota:read; may be repeated.")],
    days: Annotated[int, typer.Option(min=1, max=366, help="How long it lives.")] = 90,
    person: Owner = "",
    output: Output = Format.TABLE,
) -> None:
    """Make a token. It is shown once."""
    made = call(
        "POST", "/tokens", json={"name": name, "scopes": scope, "days": days, **({"person": person} if person else {})}
    )
    if output is Format.JSON:
        show_json(made)
        return
    typer.echo(
        f"{made['name']} ({made['id']}), until {made['expires_at']}. Keep it now, it is not shown again:", err=True
    )
    show(made["secret"])


@app.command("list")
def list_(person: Owner = "", output: Output = Format.TABLE) -> None:
    """List tokens; their secrets are not kept anywhere."""
    found = call("GET", "/tokens", params={"person": person})
    if output is Format.JSON:
        show_json(found)
        return
    show_table(
        ("id", "name", "scopes", "expires", "revoked", "last used"),
        [
            (
                one["id"],
                one["name"],
                ", ".join(one["scopes"]),
                moment(one["expires_at"]),
                moment(one["revoked_at"]),
                moment(one["last_used_at"]),
            )
            for one in found
        ],
    )


@app.command()
def revoke(token: Annotated[UUID, id_of("token", "governance token list shows them")]) -> None:
    """End a token now."""
    call("DELETE", f"/tokens/{token}")


@app.command()
def bootstrap(
    person: Annotated[str, typer.Option(help="The administrator's name, as their Person manifest will be called.")],
) -> None:
    """Make the first administrator, directly in the database, before anything was applied.

    Rights come from manifests, and manifests are applied by an administrator, so the first one cannot come that way.
    The token is for a day; after the first apply it is worth what the manifest of that person says.
    """
    from governance import clock
    from governance.configuration.first_admin import first_admin
    from governance.db.migrate import require_newest
    from governance.db.session import make_engine, transaction
    from governance.settings import load

    engine = make_engine(load().database)
    try:
        require_newest(engine)
        with transaction(engine) as session:
            made = first_admin(session, person, clock.now())
    finally:
        engine.dispose()
    typer.echo(f"{person} is administrator until the first apply says who is. The token, for a day:", err=True)
    show(made.secret)
