"""Reserve in one statement on PostgreSQL: one round trip, and the guard is the database's own.

READ COMMITTED. Rows are locked by materialised parts of the statement, in the order binding, charges, usage (deepest
first); limits are read from the locked rows, and nothing is written unless no charge moved and no node goes over
(LEDGER.md, "The tree"). The walk is `quota.model.walk`, said in SQL; one contract test holds both to the same answers.
Keys are given as arrays as well as joined: whatever the planner thinks of the tables, it then reaches rows by index.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

import orjson
from sqlalchemy import text

from governance.db.base import NewRow, table_of
from governance.db.lane import Lane, Prepared, as_json, prepare
from governance.quota.model import Position
from governance.quota.plan import Proposal
from governance.quota.write import charge_row, object_row
from governance.units import EMPTY

_LOCKED = """
WITH RECURSIVE bound AS MATERIALIZED (
  SELECT CASE WHEN exempt THEN '[]'::jsonb ELSE path END AS path
  FROM binding WHERE scope = :scope AND name = :namespace FOR SHARE
), expected AS (
  SELECT * FROM jsonb_to_recordset(CAST(:expected AS jsonb)) AS e(id uuid, version integer)
), held AS MATERIALIZED (
  SELECT c.id, c.version FROM charge c
  WHERE c.id IN (SELECT id FROM expected) AND (SELECT path FROM bound) = CAST(:path AS jsonb)
  ORDER BY c.id FOR UPDATE
), unmoved AS MATERIALIZED (
  SELECT coalesce((SELECT path FROM bound) = CAST(:path AS jsonb), false)
    AND (SELECT count(*) FROM held JOIN expected USING (id, version)) = (SELECT count(*) FROM expected) AS yes
), ask AS (
  SELECT * FROM jsonb_to_recordset(CAST(:delta AS jsonb)) AS a(resource text, delta bigint)
), way AS (
  SELECT CAST(node AS uuid) AS node_id, place
  FROM jsonb_array_elements_text(CAST(:path AS jsonb)) WITH ORDINALITY AS w(node, place)
), locked AS MATERIALIZED (
  SELECT u.node_id, u.resource, u.depth, u.used, u.drawn, u.rule, way.place, ask.delta,
    u.hard + coalesce(u.borrowing, 0) + u.allowance AS most,
    CASE WHEN u.hard IS NULL OR (u.lending IS NULL AND u.depth > 0) THEN 0
      WHEN u.depth = 0 THEN u.hard ELSE greatest(0, u.hard - u.lending) END AS guaranteed
  FROM usage u JOIN way USING (node_id) JOIN ask USING (resource)
  WHERE u.scope = '' AND (SELECT yes FROM unmoved)
    AND u.node_id = ANY (ARRAY(SELECT node_id FROM way)) AND u.resource = ANY (ARRAY(SELECT resource FROM ask))
  ORDER BY u.depth DESC, u.node_id, u.resource FOR UPDATE OF u
), walked AS (
  SELECT l.*, l.delta AS increase, greatest(l.used + l.delta, l.guaranteed) AS drawn_after
  FROM locked l WHERE l.place = 1
  UNION ALL
  SELECT l.*, w.drawn_after - w.drawn, greatest(l.used + w.drawn_after - w.drawn, l.guaranteed)
  FROM walked w JOIN locked l ON l.resource = w.resource AND l.place = w.place + 1
), judged AS (
  SELECT *, increase > 0 AND used + increase > most AS refused FROM walked
), verdict AS MATERIALIZED (
  SELECT (SELECT yes FROM unmoved) AS unmoved,
    (SELECT count(*) FROM judged) = (SELECT count(*) FROM way, ask) AS complete,
    NOT EXISTS (SELECT FROM judged WHERE refused) AS within
), go AS MATERIALIZED (
  SELECT FROM verdict WHERE unmoved AND complete AND within
), taken AS (
  UPDATE usage u SET used = u.used + j.increase, drawn = j.drawn_after
  FROM judged j, go WHERE u.node_id = j.node_id AND u.scope = '' AND u.resource = j.resource
    AND u.node_id = ANY (ARRAY(SELECT node_id FROM way)) AND u.resource = ANY (ARRAY(SELECT resource FROM ask))
), settled AS (
  UPDATE charge c SET state = r.state, level = r.level, confirmed = r.confirmed, version = r.version,
    decision_id = r.decision_id, updated_at = r.updated_at
  FROM jsonb_populate_recordset(NULL::charge, CAST(:charges AS jsonb)) r, go
  WHERE c.id = r.id AND c.id IN (SELECT id FROM held)
), opened AS (
  INSERT INTO charge SELECT r.* FROM jsonb_populate_recordset(NULL::charge, CAST(:opened AS jsonb)) r, go
), known AS (
  INSERT INTO charge_object
  SELECT r.* FROM jsonb_populate_recordset(NULL::charge_object, CAST(:objects AS jsonb)) r, go
  ON CONFLICT (scope, uid) DO UPDATE SET charge_id = excluded.charge_id, parent_uid = excluded.parent_uid,
    owner_uid = excluded.owner_uid, pending = excluded.pending, children = excluded.children, sizes = excluded.sizes,
    maxima = excluded.maxima, names = excluded.names, name_key = excluded.name_key, need = excluded.need,
    gone = excluded.gone, deadline = excluded.deadline
)"""

_ALONGSIDE = """, beside_{number} AS (
  INSERT INTO {table} SELECT r.* FROM jsonb_populate_recordset(NULL::{table}, CAST(:beside_{number} AS jsonb)) r, go
)"""

_ANSWER = """
SELECT unmoved, complete, within, (SELECT coalesce(json_agg(json_build_object('node_id', node_id, 'resource', resource,
  'depth', depth, 'used', used, 'increase', increase, 'limit', most, 'drawn', drawn_after, 'rule', rule)), '[]')
  FROM judged WHERE refused) AS over
FROM verdict"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the statement found; it wrote if it was unmoved, complete and within."""

    unmoved: bool  # no charge, nor the binding, changed since the plan was made
    complete: bool  # every node of the path has a usage row for every resource that rises
    within: bool  # no node goes over
    over: tuple[Position, ...]  # those that do


def fits(proposal: Proposal) -> bool:
    """Whether one statement can write it: one path, no object that changes its charge, no allowance that changes."""
    plan = proposal.plan
    return not plan.reassigned and not plan.allowances and set(plan.deltas()) <= {plan.path}


def reserve_in_one(lane: Lane, proposal: Proposal, alongside: Sequence[NewRow], now: datetime, ends: float) -> Answer:
    """Run it, in a transaction of its own that is committed before this returns. Raises as `Lane.one` does."""
    plan = proposal.plan
    delta = plan.deltas().get(plan.path, EMPTY)
    fresh = [one for one in plan.charges if not one.version]
    parameters = {
        "scope": plan.scope,
        "namespace": plan.namespace,
        "path": as_json(list(plan.path)),
        "expected": as_json([{"id": one.id, "version": one.version} for one in plan.before]),
        "delta": as_json([{"resource": name, "delta": value} for name, value in delta.items()]),
        "charges": as_json([charge_row(one, plan.scope, now) for one in plan.charges if one.version]),
        "opened": as_json([charge_row(one, plan.scope, now) for one in fresh]),
        "objects": as_json([object_row(one, plan.scope) for one in plan.objects]),
    }
    for number, row in enumerate(alongside):
        parameters[f"beside_{number}"] = as_json([row.values])
    unmoved, complete, within, over = lane.one(
        _statement(tuple(table_of(row.table).name for row in alongside)), parameters, ends
    )
    return Answer(
        unmoved == "t",
        complete == "t",
        within == "t",
        tuple(Position(**one) for one in orjson.loads(over)),
    )


@cache
def _statement(tables: tuple[str, ...]) -> Prepared:
    beside = (_ALONGSIDE.format(number=number, table=table) for number, table in enumerate(tables))
    return prepare("_".join(("reserve", *tables)), text(_LOCKED + "".join(beside) + _ANSWER))
