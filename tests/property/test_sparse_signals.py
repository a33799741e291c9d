"""A search works out what sets have in common once: the rows it gets are those of the whole arrays, to the last bit."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from atrader.indicators import _compiled, crossings
from atrader.instruments import KNOWN
from atrader.market import BAR_COLUMNS, Bars
from atrader.strategy import Signals
from tests.support.event_runs import random_bars
from worker.loading import load_strategy
from worker.strategies import BUILT_IN, average_cross
from worker.strategies.entries import EntryStrategy
from worker.strategies.sharing import Shared

ITEM = KNOWN["EUR/USD"]
BARS = random_bars(5, 3000, 1.09, 1e-5)
FILTERS: tuple[dict[str, Any], ...] = ({"kind": "momentum", "period": 5},)
NEED_FILES = {"asirikuy", "scikit-learn"}
COLUMNS = ("entry", "exit", "stop_loss", "take_profit", "trailing_distance", "risk_frac", "units")


def strategies() -> dict[str, type[EntryStrategy]]:
    """Return the built-in strategies that say only when to enter and leave, by name."""
    found = {name: load_strategy(name, Path()) for name in BUILT_IN if name not in NEED_FILES}
    return {name: kind for name, kind in found.items() if issubclass(kind, EntryStrategy)}


KINDS = strategies()


def sets_of(kind: type[EntryStrategy]) -> list[dict[str, Any]]:
    """Return sets that differ in everything that is not `wanted`'s, and in a number that is."""
    varied: list[dict[str, Any]] = [{}, {"direction": "long"}, {"units": 1000}, {"risk_frac": 0.02}]
    varied += [{"filters": FILTERS}, {"filters": FILTERS, "direction": "short"}]
    known = kind.Parameters.model_fields
    for name, values in {"stop_atr": (1.0, 2.5), "target_atr": (2.0, None),
                         "trailing_atr": (1.5, 4.0), "atr_period": (7, 14), "atr_window": (5, 9),
                         "atr_multiplier": (1.0, 4.0), "fast": (3, 8), "entry_bars": (10, 40), "rsi_period": (5, 9),
                         "band_period": (10, 30), "trend_period": (20, 60)}.items():  # fmt: skip
        varied += [{name: value} for value in values if name in known]
    return varied


@pytest.mark.parametrize("name", KINDS)
def test_the_rows_of_a_search_are_those_of_the_whole_arrays(name: str) -> None:
    kind, shared, opened = KINDS[name], Shared(), 0
    for values in sets_of(kind):
        strategy = kind(kind.Parameters.model_validate(values))
        whole = strategy.signals(BARS, ITEM)
        found_rows = strategy.sparse_signals(BARS, ITEM, shared)
        rows, sparse = found_rows.rows, found_rows.signals
        for column in COLUMNS:
            expected, found = getattr(whole, column), getattr(sparse, column)
            assert (expected is None) == (found is None), (values, column)
            if expected is not None:
                expected = expected[rows]
                if column in ("stop_loss", "take_profit"):  # they count where something is entered
                    found, expected = (np.where(sparse.entry == 0, np.nan, one) for one in (found, expected))
                np.testing.assert_array_equal(found, expected, err_msg=f"{values} {column}")
        elsewhere = np.delete(np.arange(len(BARS)), rows)
        assert not whole.entry[elsewhere].any(), values
        assert not whole.exit[elsewhere].any(), values
        opened += int(np.count_nonzero(sparse.entry))
    assert opened > 0


class Seen:
    """Parameters that note which of them are read."""

    def __init__(self, values: object) -> None:
        self._values = values
        self.read: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.read.add(name)
        return getattr(self._values, name)


@pytest.mark.parametrize("name", KINDS)
def test_what_is_wanted_depends_on_nothing_that_the_key_of_a_search_leaves_out(name: str) -> None:
    strategy = KINDS[name](KINDS[name].Parameters())
    seen = Seen(strategy.parameters)
    strategy.parameters = seen  # type: ignore[assignment]
    strategy.wanted(BARS, ITEM)
    assert seen.read
    assert seen.read <= set(KINDS[name].wanted_reads())


def test_what_is_shared_is_made_once_and_forgotten_when_there_is_no_room() -> None:
    made: list[int] = []

    def make(number: int) -> NDArray[np.int64]:
        made.append(number)
        return np.full(10, number)

    shared = Shared(room_bytes=160)
    for number in (1, 2, 1, 3, 1, 2):
        assert shared.get(number, partial(make, number))[0] == number
    assert made == [1, 2, 3, 2]


@pytest.mark.parametrize("scale", [1.0, 1e7])  # sums of so large prices are no exact float64 any more
@pytest.mark.parametrize(("fast", "slow"), [(1, 2), (3, 8), (20, 50)])
def test_crossings_found_stretch_by_stretch_are_those_of_whole_columns(
    fast: int, slow: int, scale: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    prices = (np.multiply(getattr(BARS, name), scale) for name in BAR_COLUMNS[1:9])
    bars = Bars(BARS.open_time_ns, *prices, BARS.volume)
    averages = average_cross.CrossParameters(fast=fast, slow=slow)
    whole = average_cross.wanted_at_sma_crossings(bars, ITEM, averages)
    expected = np.flatnonzero(whole.long | whole.short)
    assert len(expected) > 50
    for is_compiled, stretch in ((_compiled.is_there, 1), (False, 7), (False, 64), (False, 1000)):
        monkeypatch.setattr(crossings, "_STRETCH", stretch)
        monkeypatch.setattr(_compiled, "is_there", is_compiled)
        rows, wanted = average_cross.sma_crossing_rows(bars, ITEM, averages, Shared())
        np.testing.assert_array_equal(rows, expected)
        np.testing.assert_array_equal(wanted.long, whole.long[rows])
        np.testing.assert_array_equal(wanted.short, whole.short[rows])


def test_closes_that_are_no_numbers_are_refused() -> None:
    bars = Bars(*(column.copy() for column in BARS.columns))
    bars.close[100] = np.nan
    with pytest.raises(ValueError, match=r"bars\.close holds NaN or an infinity"):
        average_cross.sma_crossing_rows(bars, ITEM, average_cross.CrossParameters(), Shared())


def test_signals_of_no_rows_are_signals() -> None:
    kind = KINDS["sma-cross"]
    found = kind(kind.Parameters()).sparse_signals(BARS[:5], ITEM, Shared())
    assert len(found.rows) == 0
    assert isinstance(found.signals, Signals)
    assert len(found.signals.entry) == 0
