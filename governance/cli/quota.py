"""`governance quota`: what a department or project may take, holds, and has left."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

import typer

from governance.cli.client import call
from governance.cli.output import Format, Output, moment, money, show, show_json, show_table

app = typer.Typer(no_args_is_help=True, help="What a department or project may take, holds, and has left.")

_COLUMNS = ("hard", "held", "used", "kept", "available", "borrowed", "allowance")
_REACHED = {"deny": "more is denied", "approval": "more needs an approval"}
_SELDOM = {"kept", "borrowed", "allowance"}  # shown where there is any, so that the table fits a terminal


@app.command("show")
def show_one(
    node: Annotated[str, typer.Argument(help="A department's or project's name.")], output: Output = Format.TABLE
) -> None:
    """Show how a department or project stands."""
    found = call("GET", f"/quota/nodes/{quote(node, safe='')}")
    if output is Format.JSON:
        show_json(found)
        return
    names = [one["title"] for one in reversed(found["path"])]
    show(f"{found['node']['kind']} {found['node']['name']}: {' / '.join(names)}")
    if owner := found["owner"]:
        of = owner["of"]
        inherited = "" if of["id"] == found["node"]["id"] else f", who owns {of['title']}"
        show(f"owner: {owner['display_name']}{inherited}")
    columns = [
        name for name in _COLUMNS if name not in _SELDOM or any(one[name]["value"] for one in found["resources"])
    ]
    show_table(
        ("resource", *columns, "rule"),
        [
            (one["resource"], *(one[name]["quantity"] if one[name] else "-" for name in columns), one["rule"])
            for one in found["resources"]
        ],
        right=frozenset(range(1, 1 + len(columns))),
    )
    for one in found["budgets"] or ():
        as_of = f"as of {moment(one['as_of'])}" if one["as_of"] else "no bill yet"
        show(
            f"budget {one['name']}: {money(one['spent'])} spent, {money(one['exposure'])} by the end of the month, "
            f"of {money(one['per_month'])} {one['currency']} ({as_of}); then {_REACHED[one['reached']]}"
        )
    if found["settled"]:
        show("")
        show_table(
            ("month", "", "estimate", "actual", "difference", "not billed yet", "charges", "billed through"),
            [
                (
                    one["month"],
                    one["currency"],
                    *(money(one[name]) for name in ("estimate", "actual", "difference", "foretold")),
                    str(one["charges"]),
                    one["billed_through"][:10] if one["billed_through"] else "-",
                )
                for one in found["settled"]
            ],
            right=frozenset(range(2, 7)),
        )


@app.command()
def tree(output: Output = Format.TABLE) -> None:
    """Show the departments and projects that you may see."""
    found = call("GET", "/quota/tree")
    if output is Format.JSON:
        show_json(found)
        return
    show_table(("node", "kind", "title"), [row for one in found for row in _rows(one, 0)])


def _rows(one: dict[str, Any], depth: int) -> list[tuple[str, str, str]]:
    below = [row for child in one["children"] for row in _rows(child, depth + 1)]
    return [("  " * depth + one["name"], one["kind"], one["title"]), *below]
