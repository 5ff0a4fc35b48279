"""`governance billing`: invoices, reconciliation, the close of a month, and statements."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from governance.cli.client import call, download
from governance.cli.exits import INVALID, Failed
from governance.cli.output import Format, Output, id_of, moment, money, show, show_json, show_table

Month = Annotated[str, typer.Argument(help="A month: 2026-11.")]
Node = Annotated[str, typer.Argument(help="A department's or project's name.")]
Issuer = Annotated[str, typer.Option(help="Who sent the invoice, as its lines name it (InvoiceIssuerName).")]
Currency = Annotated[str, typer.Option(help="ISO 4217: EUR.")]

invoices = typer.Typer(no_args_is_help=True, help="Invoices, as their issuers sent them.")


@invoices.command("record")
def record_invoice(
    number: Annotated[str, typer.Argument(help="Its number, as its lines name it (InvoiceId) where they do.")],
    issuer: Issuer,
    month: Annotated[str, typer.Option(help="Its billing period: 2026-11.")],
    currency: Currency,
    amount: Annotated[str, typer.Option(help="Without tax: 1180.50.")],
    tax: Annotated[str, typer.Option(help="The tax on it.")] = "0",
) -> None:
    """Record an invoice; one with the same issuer and number is replaced."""
    sent = {"issuer": issuer, "number": number, "month": month, "currency": currency, "amount": amount, "tax": tax}
    call("POST", "/billing/invoices", json=sent)
    show(f"{issuer} {number} is recorded: {money(amount)} {currency} for {month}.")


def reconciliation(month: Month, output: Output = Format.TABLE) -> None:
    """Show each invoice of a month beside its lines, and how what was billed becomes what is charged back."""
    found = call("GET", f"/billing/months/{month}/reconciliation")
    if output is Format.JSON:
        show_json(found)
        return
    show_table(
        ("issuer", "invoice", "", "invoiced", "imported", "difference", "tolerance", "explained", ""),
        [
            (
                one["issuer"],
                one["invoice"] or "-",
                one["currency"],
                money(one["invoiced"]) if one["invoiced"] is not None else "-",
                money(one["imported"]),
                money(one["difference"]),
                money(one["tolerance"]),
                money(one["explained"]),
                "ties" if one["ok"] else "gap",
            )
            for one in found["invoices"]
        ],
        right=frozenset({3, 4, 5, 6, 7}),
    )
    show()
    show_table(
        ("issuer", "", "from billed to charged back", "amount"),
        [row for one in found["bridges"] for row in _bridge(one)],
        right=frozenset({3}),
    )


def explain(
    month: Month,
    issuer: Issuer,
    currency: Currency,
    amount: Annotated[str, typer.Option(help="How much of the difference it explains: -5.00.")],
    reason: Annotated[str, typer.Option(help="Why the invoice and its lines differ.")],
    invoice: Annotated[str, typer.Option(help="Which invoice, as the reconciliation names it.")] = "",
) -> None:
    """Explain a gap between an invoice and its lines. Reasons add up."""
    sent = {"issuer": issuer, "invoice": invoice, "currency": currency, "amount": amount, "reason": reason}
    call("POST", f"/billing/months/{month}/reasons", json=sent)
    show(f"{money(amount)} {currency} of {issuer} in {month} is explained.")


def months(output: Output = Format.TABLE) -> None:
    """Show every month that lines came for: open, prepared or closed."""
    found = call("GET", "/billing/months")
    if output is Format.JSON:
        show_json(found)
        return
    show_table(
        ("month", "state", "prepared by", "prepared", "closed by", "closed", "digest"),
        [
            (
                one["month"],
                one["state"],
                one["prepared_by"] or "-",
                moment(one["prepared_at"]) or "-",
                one["closed_by"] or "-",
                moment(one["closed_at"]) or "-",
                one["digest"][:16] or "-",
            )
            for one in found
        ],
    )


def prepare(month: Month) -> None:
    """Put a month before whoever closes it, who is somebody else."""
    done = call("POST", f"/billing/months/{month}/prepare")
    show(f"{month} is prepared, with allocation {done['digest'][:16]}. Somebody else closes it.")


def close(month: Month) -> None:
    """Close a month that somebody else prepared. It never changes again; what comes late is corrected after it."""
    done = call("POST", f"/billing/months/{month}/close")
    count = done["statements"]
    show(f"{month} is closed: {count} statement{'s' if count != 1 else ''}, allocation {done['digest'][:16]}.")


def statement(
    node: Node,
    month: Month,
    output: Output = Format.TABLE,
    currency: Annotated[str, typer.Option(help="Where there is more than one: EUR.")] = "",
    csv: Annotated[Path | None, typer.Option(help="Write it to this file as CSV.")] = None,
    pdf: Annotated[Path | None, typer.Option(help="Write it to this file as PDF.")] = None,
) -> None:
    """Show what a department or project owes for a month, line by line."""
    found = call("GET", "/billing/statements", params={"node": node, "month": month})
    wanted = [one for one in found if currency in {"", one["currency"]}]
    for form, file in (("csv", csv), ("pdf", pdf)):
        if file is not None:
            _write(form, file, {"node": node, "month": month, "currency": currency})
    if output is Format.JSON:
        show_json(wanted)
        return
    if not wanted:
        show(f"Nothing of {node} was charged in {month}.")
    for one in wanted:
        _show(one)


def lines(
    posting: Annotated[UUID, id_of("statement's line", "`--output json` of a statement tells it as `posting`")],
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 100,
    output: Output = Format.TABLE,
) -> None:
    """Show the lines of the bill behind a line of a statement, the dearest first."""
    found = call("GET", f"/billing/postings/{posting}/lines", params={"limit": limit})
    if output is Format.JSON:
        show_json(found)
        return
    show_table(
        ("from", "to", "what", "account", "invoice", "billed", "effective"),
        [
            (
                moment(one["start"]),
                moment(one["end"]),
                one["resource"] or one["description"] or "-",
                one["account"] or "-",
                one["invoice"] or "-",
                one["billed"].rstrip("0").rstrip("."),
                one["effective"].rstrip("0").rstrip("."),
            )
            for one in found
        ],
        right=frozenset({5, 6}),
    )


def _write(form: str, file: Path, asked: dict[str, str]) -> None:
    """Write a file whole, or not at all."""
    content = b"".join(download(f"/billing/statements/{form}", asked))
    try:
        file.write_bytes(content)
    except OSError as error:
        raise Failed(f"{file} cannot be written: {error.strerror}.", INVALID) from None
    show(f"{file} is written.", err=True)


def _show(one: dict[str, Any]) -> None:
    number = f"{one['number']}, " if one["number"] else ""
    show(f"{one['title']}, {one['month']}: {money(one['total'])} {one['currency']} ({number}{one['state']})")
    show()
    show_table(
        ("project", "what", "why", "lines", one["currency"]),
        [
            (line["project"] or "nobody's", _what(line), _why(line), f"{line['lines']:,}", money(line["amount"]))
            for line in one["lines"]
        ],
        right=frozenset({3, 4}),
    )
    show()
    show_table(
        ("project", one["currency"]),
        [
            *((each["project"] or "nobody's", money(each["amount"])) for each in one["projects"]),
            ("total", money(one["total"])),
        ],
        right=frozenset({1}),
    )


def _what(line: dict[str, Any]) -> str:
    what = line["charge"] or f"{line['service'] or 'no service'}, {line['category']}"
    return f"{what}, correction of {line['corrects']}" if line["corrects"] else what


def _why(line: dict[str, Any]) -> str:
    return f"asked by {line['asked_by']}, decision {line['decision']}" if line["decision"] else line["rule"] or "-"


def _bridge(one: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    named = (one["issuer"], one["currency"])
    steps = [
        (*named, f"{step['category']} {step['commitment']}".strip(), money(step["difference"])) for step in one["steps"]
    ]
    rows = [(*named, "billed", money(one["billed"])), *steps, (*named, "charged back", money(one["effective"]))]
    open_ = Decimal(one["effective"]) - Decimal(one["allocated"])
    return [*rows, (*named, "not allocated", money(str(open_)))] if open_ else rows
