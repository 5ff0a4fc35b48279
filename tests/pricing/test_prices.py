"""Prices from manifests: a new one never rewrites what an earlier one was, on both databases."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import Engine
from sqlmodel import col, select

from governance import clock
from governance.bootstrap import metadata
from governance.configuration.apply import Applier, apply
from governance.db.session import reading
from governance.pricing.prices import price_now, prices_of
from governance.pricing.tables import Price
from tests.configuration.manifests import small

ITEM = ("aws", "eu-north-1", "g5.xlarge")


def set_price(engine: Engine, price: str | None, **more: object) -> None:
    table = {"provider": "aws", "currency": "EUR", "perHour": {"g5.xlarge": price}, **more} if price else None
    apply(engine, small({"PriceTable/aws": table}), Applier(None, "test"), clock.now(), deletes=True)


def rows(engine: Engine) -> list[tuple[Decimal, bool]]:
    with reading(engine) as session:
        found = session.scalars(select(Price).order_by(col(Price.id)))
        return [(one.per_hour, one.valid_to is None) for one in found]


def test_a_new_price_ends_the_one_before_and_a_repeat_changes_nothing(engine: Engine) -> None:
    metadata.create_all(engine)
    set_price(engine, "1.12")
    set_price(engine, "1.12")
    assert rows(engine) == [(Decimal("1.12"), True)]
    set_price(engine, "1.123456789012")
    assert rows(engine) == [(Decimal("1.12"), False), (Decimal("1.123456789012"), True)]
    set_price(engine, None)
    assert [held for _, held in rows(engine)] == [False, False]


def test_a_region_of_its_own_beats_the_rest(engine: Engine) -> None:
    metadata.create_all(engine)
    set_price(engine, "1.12")
    with reading(engine) as session:
        found = price_now(session, ITEM, "EUR", clock.now())
        assert found is not None
        assert found.per_hour == Decimal("1.12")
        assert price_now(session, ITEM, "USD", clock.now()) is None
        assert prices_of(session, [("aws", "x", "unheard-of")]) == {("aws", "x", "unheard-of"): ()}
    set_price(engine, "2", region="eu-north-1")
    with reading(engine) as session:
        found = price_now(session, ITEM, "EUR", clock.now())
        assert found is not None
        assert found.per_hour == Decimal(2)
