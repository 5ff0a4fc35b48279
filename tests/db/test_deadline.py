import time

from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from governance.db import deadline


def engine_that_waits(timeout_s: float) -> Engine:
    return create_engine("sqlite://", poolclass=deadline.Pool, pool_size=1, max_overflow=0, pool_timeout=timeout_s)


def waited_s(engine: Engine) -> float:
    """How long somebody waits for a connection who gets none."""
    with engine.connect():
        began = time.monotonic()
        try:
            engine.connect()
        except PoolTimeoutError:
            return time.monotonic() - began
    raise AssertionError("there was a second connection")


def test_nobody_waits_for_a_connection_beyond_their_deadline() -> None:
    engine = engine_that_waits(30)
    with deadline.until(time.monotonic()):
        assert waited_s(engine) < 15


def test_a_pool_that_is_made_anew_within_a_deadline_waits_as_long_as_the_first() -> None:
    engine = engine_that_waits(0.2)
    with deadline.until(time.monotonic()):
        engine.dispose()
    assert waited_s(engine) >= 0.2
