"""Statements: what a department or project owes for a month, as JSON, CSV and PDF."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel
from sqlmodel import Session, col, select

from billing.api.asked import Month, NodeName, Reader, tell_read, text, visible_node
from billing.drill import lines_behind
from billing.statements import pdf as paper
from billing.statements.model import Line, Statement
from billing.statements.read import statements_of
from billing.statements.table import table
from billing.store import Store
from billing.tables import PostingRow
from governance.api.visible import nodes_under
from governance.db.session import reading
from governance.errors import NotFound
from governance.identity.model import Permission, Principal, allows_everywhere
from governance.identity.tables import Node
from governance.units import Period

router = APIRouter(tags=["billing"])

Currency = Annotated[str, Query(pattern="^([A-Z]{3})?$", description="Needed where there is more than one.")]
_FILES = {"csv": "text/csv; charset=utf-8", "pdf": "application/pdf"}


class LineShown(BaseModel):
    """Lines of the bill that are alike. `amount` is what is owed, `exact` the same before it was rounded, `billed` what
    the invoice has. `project` is empty for what nobody owns. `corrects`: the closed month that it corrects."""

    posting: UUID
    project: str
    service: str
    category: str
    rule: str
    issuer: str
    charge: str
    decision: UUID | None
    asked_by: str
    corrects: str
    lines: int
    billed: str
    exact: str
    amount: str


class ProjectShown(BaseModel):
    """What a project owes."""

    project: str
    amount: str


class StatementShown(BaseModel):
    """What a node owes for a month in one currency; amounts are decimal numbers as text. `state`: provisional, invoiced
    or closed; only a closed month's statement has a number. `digest`: of the allocation that it is made from."""

    number: str
    node: str
    title: str
    kind: str
    month: str
    currency: str
    state: str
    as_of: datetime
    digest: str
    total: str
    exact: str
    billed: str
    projects: list[ProjectShown]
    lines: list[LineShown]


@router.get("/billing/statements")
def statements(request: Request, node: NodeName, month: Month, principal: Reader) -> list[StatementShown]:
    """What a department or project owes for a month, by currency. It is audited."""
    found, _ = _statements(request, principal, node, month)
    return [_shown(one) for one in found]


@router.get(
    "/billing/statements/{form}",
    response_class=Response,
    responses={200: {"content": {media: {} for media in ("text/csv", "application/pdf")}}},
)
def statement_file(
    request: Request,
    form: Literal["csv", "pdf"],
    node: NodeName,
    month: Month,
    principal: Reader,
    currency: Currency = "",
) -> Response:
    """The same statement as a file. It is audited."""
    found, issuer = _statements(request, principal, node, month)
    fitting = [one for one in found if currency in {"", one.currency}]
    if not fitting:
        raise NotFound(f"Nothing of {node} was charged in {month}.", field="month")
    if len(fitting) > 1:
        there = ", ".join(one.currency for one in fitting)
        raise NotFound(f"There are statements in {there}.", field="currency", remedy="Name one of them.")
    (statement,) = fitting
    content = table(statement).encode() if form == "csv" else paper.pdf(statement, issuer)
    name = f"statement-{statement.node}-{statement.period}-{statement.currency.lower()}.{form}"
    return Response(content, media_type=_FILES[form], headers={"Content-Disposition": f'attachment; filename="{name}"'})


class CostLine(BaseModel):
    """A line of the bill. `file` is the SHA-256 of the stored file in which it is line `line`."""

    file: str
    line: int
    start: datetime
    end: datetime
    resource: str
    account: str
    description: str
    invoice: str
    billed: str
    effective: str


@router.get("/billing/postings/{posting}/lines")
def posting_lines(
    request: Request,
    posting: UUID,
    principal: Reader,
    limit: Annotated[int, Query(ge=1, le=1000, description="How many at most.")] = 100,
) -> list[CostLine]:
    """The lines of the bill behind a line of a statement, the dearest first; of what is split, the whole lines. It is
    audited."""
    state = request.app.state
    with reading(state.engine) as session:
        row = session.get(PostingRow, posting)
        nodes = nodes_under(session, principal, Permission.BILLING_READ)
    everywhere = allows_everywhere(principal, Permission.BILLING_READ)
    if row is None or not (everywhere or row.node_id in nodes):
        raise NotFound("There is no such line of a statement.", field="posting", remedy="A statement names them.")
    found = lines_behind(state.engine, Store(state.settings.billing.folder), posting, limit)
    tell_read(request, principal, "lines", str(posting))
    return [
        CostLine(
            file=one["file"],
            line=one["line"],
            start=one["ChargePeriodStart"].replace(tzinfo=UTC),
            end=one["ChargePeriodEnd"].replace(tzinfo=UTC),
            resource=one["ResourceId"] or one["ResourceName"] or "",
            account=one["SubAccountId"] or "",
            description=one["ChargeDescription"] or "",
            invoice=one["InvoiceId"] or "",
            billed=text(one["BilledCost"]),
            effective=text(one["EffectiveCost"]),
        )
        for one in found
    ]


def _statements(request: Request, principal: Principal, node: str, month: str) -> tuple[list[Statement], str]:
    period = str(Period.parse(month))
    with reading(request.app.state.engine) as session:
        wanted = visible_node(session, principal, node)
        found = statements_of(session, wanted, period)
        issuer = _root(session)
    tell_read(request, principal, "statement", f"{wanted.name}/{period}")
    return found, issuer


def _root(session: Session) -> str:
    return session.exec(select(Node.title).where(col(Node.parent_id).is_(None), col(Node.retired_at).is_(None))).one()


def _shown(one: Statement) -> StatementShown:
    return StatementShown(
        number=paper.number_of(one),
        node=one.node,
        title=one.title,
        kind=one.kind,
        month=one.period,
        currency=one.currency,
        state=one.state,
        as_of=one.as_of,
        digest=one.digest,
        total=text(one.total),
        exact=text(one.exact),
        billed=text(one.billed),
        projects=[ProjectShown(project=name, amount=text(amount)) for name, amount in one.projects],
        lines=[_line(line) for line in one.lines],
    )


def _line(one: Line) -> LineShown:
    return LineShown(
        posting=one.posting,
        project=one.project,
        service=one.service,
        category=one.category,
        rule=one.rule,
        issuer=one.issuer,
        charge=one.charge,
        decision=one.decision,
        asked_by=one.asked_by,
        corrects=one.of_period,
        lines=one.lines,
        billed=text(one.billed),
        exact=text(one.exact),
        amount=text(one.amount),
    )
