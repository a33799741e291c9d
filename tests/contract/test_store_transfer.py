"""A store goes to another place and back, row by row, whatever happens on the way."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from atrader.configuration.home import Home
from atrader.errors import ConfigError, StoreError
from atrader.market import Bars, Quotes
from atrader.messages.history import QueryHistory
from data_layer.store import MarketBatch
from data_layer.store.places import EmbeddedPlace, StorePlace, place_at
from data_layer.store.transfer import transfer
from tests.fixtures import make_stores as made
from tests.support.market_files import ticks_of

NEW = made.bars(2, made.CHUNKED + made.TAIL)


class Interrupted(Exception):
    """Raised by a report, in place of a kill."""


def fill(place: StorePlace) -> None:
    store = place.market("test", 2.0)
    store.put_bars("EUR/USD", "1m", "file.csv", made.bars(made.CHUNKED))
    other = made.bars(1, first=7)
    for close in (1.0, float(other.close[0])):  # another value, and the first one again
        revised = Bars.from_rows([other.row(0)._replace(close=close)])
        store.put_bars("EUR/USD", "1m", "revision.csv", revised)
    store.put_quotes("GBP/USD", "t.csv", Quotes.of(made.ticks()))
    tail = made.bars(made.TAIL, made.CHUNKED)
    bars = [("EUR/USD", tail.row(index)) for index in range(made.TAIL)]
    store.write(MarketBatch("1m", "feed", bars, made.ticks(), {"EUR/USD": NEW.row(0)}, "run/1"))
    store.close()
    history = place.history("test", 2.0)
    history.append([("gateway:paper", made.rows())])
    history.close()


def check(place: StorePlace) -> None:
    """Look at everything through the store itself, and write on."""
    store = place.market("test", 2.0)
    bars = made.bars(made.CHUNKED + made.TAIL)
    assert all(np.array_equal(a, b) for a, b in zip(store.bars("EUR/USD", "1m").columns, bars.columns, strict=True))
    assert ticks_of(store, "EUR/USD") == made.ticks()
    assert store.forming("1m") == {"EUR/USD": NEW.row(0)}
    assert [one.source for one in store.origins("EUR/USD", "1m")] == ["file.csv", "revision.csv", "file.csv", "feed"]
    assert [len(one.replaced) for one in store.revisions("EUR/USD", "1m")] == [1, 1]
    store.write(MarketBatch("1m", "feed", [("EUR/USD", NEW.row(0))], made.ticks(), {}, "run/1"))
    store.put_bars("NEW/ONE", "1m", "new.csv", made.bars(5000))  # with numbers that no row has
    assert ticks_of(store, "EUR/USD") == made.ticks()
    assert len(store.bars("NEW/ONE", "1m")) == 5000
    store.close()
    history = place.history("test", 2.0)
    assert history.append([("gateway:paper", made.rows())]) == [3]
    assert len(history.query(QueryHistory(table="fills"))) == 1
    history.close()


@pytest.fixture
def here(tmp_path: Path) -> EmbeddedPlace:
    place = place_at(Home(tmp_path / "here"), "embedded")
    assert isinstance(place, EmbeddedPlace)
    return place


@pytest.fixture
def there(postgresql_url: str, tmp_path: Path) -> StorePlace:
    return place_at(Home(tmp_path / "here"), postgresql_url)  # the same installation, as it is in practice


def silent(what: str, done: int, total: int) -> None:
    assert 0 <= done <= total, what


def test_a_store_goes_to_a_server_and_back(here: EmbeddedPlace, there: StorePlace, tmp_path: Path) -> None:
    fill(here)
    counts = transfer(here, there, silent)
    assert (counts["bar_chunk"], counts["bar_tail"], counts["fills"]) == (2, made.TAIL, 1)
    back = place_at(Home(tmp_path / "back"), "embedded")
    assert transfer(there, back, silent) == counts
    for place in (there, back, here):
        check(place)


@pytest.mark.parametrize("after", [1, 4, 9])
def test_a_transfer_that_was_interrupted_goes_on_and_its_target_is_not_used_before(
    here: EmbeddedPlace, there: StorePlace, after: int
) -> None:
    fill(here)
    calls = 0

    def stop(what: str, done: int, total: int) -> None:
        nonlocal calls
        calls += 1
        if calls == after:
            raise Interrupted

    with pytest.raises(Interrupted):
        transfer(here, there, stop)
    with pytest.raises(StoreError, match="not finished: run 'atrader data migrate' from"):
        there.market("data-layer", 0.0)
    store = here.market("test", 2.0)  # meanwhile the source was used again
    store.put_bars("EUR/USD", "5m", "other.csv", made.bars(10))
    store.close()
    transfer(here, there, silent)
    reader = there.market_reader("test")
    assert len(reader.bars("EUR/USD", "5m")) == 10
    reader.close()
    check(there)


def test_a_place_with_a_store_of_its_own_is_refused_as_a_target(here: EmbeddedPlace, there: StorePlace) -> None:
    fill(here)
    fill(there)
    with pytest.raises(ConfigError, match="holds a store already"):
        transfer(here, there, silent)
    check(there)


def test_a_store_in_use_is_neither_source_nor_target(here: EmbeddedPlace, there: StorePlace) -> None:
    fill(here)
    for place in (here, there):
        store = place.history("data-layer", 2.0)
        with pytest.raises(StoreError, match="in use by data-layer"):
            transfer(here, there, silent)
        store.close()


def test_nothing_to_bring_is_said_and_makes_no_empty_store(here: EmbeddedPlace, there: StorePlace) -> None:
    with pytest.raises(ConfigError, match="there is no store in"):
        transfer(here, there, silent)
    with pytest.raises(ConfigError, match="there is no store in"):
        transfer(there, here, silent)
    assert here.directory is not None
    assert not list(here.directory.glob("*.db"))


def test_a_damaged_chunk_is_named_and_not_carried_over(here: EmbeddedPlace, there: StorePlace) -> None:
    fill(here)
    assert here.directory is not None
    with sqlite3.connect(here.directory / "market.db") as db:
        db.execute("UPDATE bar_chunk SET crc32 = crc32 + 1")
    db.close()
    with pytest.raises(StoreError, match=r"bar_chunk \(\d+,\) is damaged"):
        transfer(here, there, silent)
