"""Commands that run on the service's own machine: they take its settings, and no sign-in."""

from __future__ import annotations

from typing import Annotated

import typer

from governance.cli.output import show

app = typer.Typer()


@app.command()
def migrate() -> None:
    """Bring the database's tables to what this version needs."""
    from governance.db.migrate import upgrade
    from governance.settings import load

    before, after = upgrade(load().database)
    show(f"The database is at migration {after}." if before == after else f"Migrated: {before or 'empty'} -> {after}.")


@app.command()
def serve(
    worker: Annotated[bool, typer.Option("--worker", help="Run the worker in the same process.")] = False,
) -> None:
    """Serve the webhook, the pages and the API, until Ctrl-C."""
    from governance.cli.serve import serve as run
    from governance.settings import load

    run(load(), with_worker=worker)


@app.command()
def worker() -> None:
    """Do what happens between requests: follow clusters, deliver messages, seal the audit log, until Ctrl-C."""
    from governance.cli.worker import work
    from governance.settings import load

    work(load())
