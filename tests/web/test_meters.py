"""A meter draws what the ledger says, and says what it draws."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from governance.web.meters import meter
from governance.web.views.parts import Meter

GPU = "requests.nvidia.com/gpu"


def widths(drawn: Meter) -> dict[str, Decimal]:
    return {one.kind: Decimal(one.width) for one in drawn.segments}


def test_what_a_request_adds_beyond_the_limit_is_drawn_as_over() -> None:
    drawn = meter(GPU, used=7, held=2, kept=1, adds=8, hard=12, borrowable=5)
    assert [one.kind for one in drawn.segments] == ["used", "held", "kept", "adds", "over"]
    assert drawn.badge.word == "over the limit"
    assert drawn.hard_at == "66.67"


def test_a_meter_within_the_hard_limit_borrows_nothing() -> None:
    assert meter(GPU, used=12, hard=12, borrowable=5).badge.tone == "good"
    assert meter(GPU, used=13, hard=12, borrowable=5).badge.word == "borrows"
    assert meter(GPU, used=11, hard=12).badge.word == "nearly full"
    assert meter(GPU, used=0, hard=0).badge.tone == "good"


def test_without_a_limit_nothing_is_drawn_against_one() -> None:
    drawn = meter("count/jobs.batch", used=7)
    assert (drawn.hard, drawn.hard_at, drawn.share, drawn.badge.word) == (None, None, "", "no limit")


def test_the_sentence_says_everything_that_is_drawn() -> None:
    said = meter(GPU, used=8, held=2, kept=1, adds=6, hard=12, borrowable=5, allowance=1).sentence.replace(
        "\u00a0", " "
    )
    assert said == (
        "GPUs: 8 used, 2 reserved, 1 guaranteed to others, 6 more asked for, limit 12, 5 may be borrowed, "
        "1 more allowed for a time."
    )


amounts = st.integers(0, 2**62)


@given(used=amounts, held=amounts, kept=amounts, adds=amounts, hard=amounts, borrowable=amounts, allowance=amounts)
def test_the_pieces_touch_and_never_leave_the_bar(
    used: int, held: int, kept: int, adds: int, hard: int, borrowable: int, allowance: int
) -> None:
    drawn = meter(
        GPU, used=used, held=held, kept=kept, adds=adds, hard=hard, borrowable=borrowable, allowance=allowance
    )
    edge = Decimal(0)
    for piece in drawn.segments:
        assert abs(Decimal(piece.start) - edge) <= Decimal("0.03")
        edge = Decimal(piece.start) + Decimal(piece.width)
    assert edge <= Decimal("100.03")
    assert ("over" in widths(drawn)) == (used + held + kept + adds > hard + borrowable + allowance)
