"""`governance decisions`: what was decided, and why."""

from __future__ import annotations

import json
from typing import Annotated, Any
from uuid import UUID

import typer

from governance.cli.client import call, pages
from governance.cli.output import Format, Output, id_of, moment, show, show_json, show_table

Decision = Annotated[UUID, id_of("decision", "governance decisions list shows them")]

app = typer.Typer(no_args_is_help=True, help="What was decided, and why.")


@app.command("list")
def list_(
    outcome: Annotated[str, typer.Option(help="allow or deny.")] = "",
    actor: Annotated[str, typer.Option(help="A cluster's user name.")] = "",
    namespace: Annotated[str, typer.Option(help="A namespace.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 20,
    output: Output = Format.TABLE,
) -> None:
    """List decisions, the newest first."""
    asked = {"outcome": outcome, "actor": actor, "namespace": namespace}
    found = pages("/decisions", asked, limit)
    if output is Format.JSON:
        show_json(found)
        return
    show_table(
        ("id", "at", "outcome", "count", "actor", "what", "why"),
        [
            (
                one["id"],
                moment(one["at"]),
                one["outcome"],
                str(one["count"]),
                one["actor"],
                f"{one['operation'].lower()} {one['kind']} {one['namespace']}/{one['name']}",
                "; ".join(one["sentences"]),
            )
            for one in found
        ],
        right=frozenset({3}),
    )


@app.command("show")
def show_one(decision: Decision, output: Output = Format.TABLE) -> None:
    """Explain a decision: facts, policy version, configuration revision, violations, who approved."""
    one = call("GET", f"/decisions/{decision}")
    if output is Format.JSON:
        show_json(one)
        return
    show(f"{one['outcome'].upper()}  {one['operation'].lower()} {one['kind']} {one['namespace']}/{one['name']}")
    for sentence in one["sentences"]:
        show(f"  {sentence}")
    show()
    show_table(("fact", "value"), [*_facts(one)])
    if one["operation"] == "UPDATE" and one["request"].get("changes"):
        before, after = one["changes_before"], one["request"]["changes"]
        show()
        show_table(("field", "before", "after"), [(path, _value(before, path), _value(after, path)) for path in after])
    if one["facts"].get("quota"):
        show()
        show_table(
            ("node", "resource", "increase", "used", "limit", "rule"),
            [
                tuple(str(row[name]) for name in ("node", "resource", "increase", "used", "limit", "rule"))
                for row in one["facts"]["quota"]
            ],
            right=frozenset({2, 3, 4}),
        )
    _show_people(one)


def _value(values: dict[str, Any], path: str) -> str:
    value = values.get(path)
    return "-" if value is None else value if isinstance(value, str) else json.dumps(value)


def _facts(one: dict[str, Any]) -> list[tuple[str, str]]:
    times = f" ({one['count']} times, last {moment(one['last_seen_at'])})" if one["count"] > 1 else ""
    return [
        ("decision", one["id"]),
        ("at", moment(one["at"]) + times),
        ("actor", one["actor"]),
        ("cluster", one["scope"]),
        ("project", one["project"] or "(none)"),
        ("policy", one["policy_digest"]),
        ("configuration", f"revision {one['config_revision']}"),
        ("digest", one["digest"]),
        ("charge", one["charge_id"] or "(none)"),
        ("changes", ", ".join(one["changes"]) or "(none)"),
    ]


def _show_people(one: dict[str, Any]) -> None:
    if one["approved_by"]:
        show()
        columns = ("change", "approved by", "at", "note")
        show_table(
            columns, [(said["change"], said["person"], moment(said["at"]), said["note"]) for said in one["approved_by"]]
        )
    if one["audit"]:
        show()
        columns = ("at", "actor", "action", "subject")
        show_table(
            columns, [(moment(each["at"]), each["actor"], each["action"], each["subject"]) for each in one["audit"]]
        )
