"""Quotes and bars of a busy worker on one time line, in the order in which it handled them."""

from __future__ import annotations

import itertools
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrader.clock import NS_PER_S
from atrader.market import Bar, Bars, Quotes, Tick
from atrader.runtime.session_file import AskedPrice, PassedOver
from atrader.strategy import BaseParameters, EventStrategy
from manager.rerun.sessions import last_acted_ns
from research.events.engine import EventEngine
from research.events.plan import SeriesKey
from research.rerun import Story, telling
from research.rerun.handled import HandledTape, handled_quotes, moments, places_among
from tests.support.event_runs import MINUTE, account_of, instance_of, plan_of
from tests.support.price_walks import walk


def quotes_at(times: list[int]) -> Quotes:
    at = np.array(times, np.int64)
    bids = np.linspace(1.1, 1.2, len(at))
    return Quotes(at, at, bids, bids + 1e-5)


def test_quotes_that_were_passed_over_are_left_out_and_those_on_either_side_are_not() -> None:
    kept = handled_quotes(quotes_at([1, 2, 3, 4, 5, 6]), [PassedOver(0, 2), PassedOver(3, 6)])
    assert kept.time_ns.tolist() == [2, 3, 6]


def test_a_bar_that_was_decided_after_a_later_quote_comes_after_it_and_else_at_its_end() -> None:
    times = np.array([95, 105, 130, 210], np.int64)
    places = places_among(times, [95, 130])
    assert places.tolist() == [0, 1, 1, 2]
    quoted, decided = moments(places, times, [100, 110])
    assert quoted.tolist() == [95, 105, 130, 210]
    assert decided.tolist() == [100, 131]


def test_a_quote_that_was_handled_after_a_bar_comes_after_it_however_old_it_is() -> None:
    quoted, decided = moments(np.array([1, 1]), np.array([98, 99]), [100])
    assert decided.tolist() == [100]
    assert quoted.tolist() == [101, 102]


@given(st.lists(st.tuples(st.integers(0, 500), st.booleans()), min_size=1, max_size=40))
def test_the_line_rises_and_keeps_the_order_and_nothing_is_before_its_time(things: list[tuple[int, bool]]) -> None:
    """Each thing is a time, and whether it is a decision."""
    times = np.array([at for at, is_bar in things if not is_bar], np.int64)
    ends = [at for at, is_bar in things if is_bar]
    begun = np.cumsum([is_bar for _, is_bar in things])
    places = np.array([count for count, (_, is_bar) in zip(begun, things, strict=True) if not is_bar], np.int64)
    quoted, decided = moments(places, times, ends)
    left = (iter(quoted.tolist()), iter(decided.tolist()))
    line = [next(left[is_bar]) for _, is_bar in things]
    assert all(one < other for one, other in itertools.pairwise(line))
    assert all(moment >= at for moment, (at, _) in zip(line, things, strict=True))
    assert line[0] == things[0][0]


class Listener(EventStrategy):
    """Writes down what it hears."""

    def __init__(self) -> None:
        super().__init__(BaseParameters())
        self.heard: list[str] = []

    def on_tick(self, tick: Tick) -> None:
        self.heard.append(f"quote {tick.time_ns}")

    def on_bar(self, bar: Bar) -> None:
        self.heard.append(f"bar {bar.open_time_ns}")


def test_a_bar_that_ended_before_the_first_quote_and_was_decided_after_it_is_decided() -> None:
    bars = walk(2, "1m")
    ends = (bars.open_time_ns + MINUTE).tolist()
    heard = heard_by_a_listener(bars, [ends[0] + 9], [ends[0] + 9, ends[0] + 9])
    assert heard == [f"quote {ends[0] + 9}", *(f"bar {one}" for one in bars.open_time_ns)]


def test_a_strategy_hears_quotes_and_bars_in_the_order_in_which_its_worker_handled_them() -> None:
    bars = walk(4, "1m")
    opens = bars.open_time_ns.tolist()
    ends = [one + MINUTE for one in opens]
    times = [ends[0] - 5, ends[2] + 7, ends[3] - 9]
    heard = heard_by_a_listener(bars, times, [times[0], *[times[1]] * 2, times[2]])
    assert heard == [
        f"quote {times[0]}", f"bar {opens[0]}", f"quote {times[1]}", f"bar {opens[1]}", f"bar {opens[2]}",
        f"quote {times[2]}", f"bar {opens[3]}",
    ]  # fmt: skip


def heard_by_a_listener(bars: Bars, times: list[int], last_quotes: list[int]) -> list[str]:
    """Return what a strategy hears of minutes, each decided after a quote, and of the quotes at some times."""
    quotes, opens = quotes_at(times), bars.open_time_ns.tolist()
    quoted, decided = moments(
        places_among(quotes.time_ns, last_quotes), quotes.time_ns, [one + MINUTE for one in opens]
    )
    key, strategy = SeriesKey("EUR/USD", "1m"), Listener()
    played = plan_of(
        account_of(), [(instance_of(), strategy)], {key: bars}, tapes=[HandledTape(key.instrument, quotes, quoted)]
    )
    late = dict(zip(opens, decided.tolist(), strict=True))
    story = Story(decided.tolist(), [Decimal(1)] * len(bars), [])
    played = replace(played, step_ends=decided.tolist(), late={key: late})
    EventEngine(played, look_ahead=False, account_of=telling(story)).run()
    return strategy.heard


@pytest.mark.parametrize(
    ("wanted", "asked", "last"),
    [
        ([40, 100], [39, 99], 100),
        ([40, 100], [41, 103], 103),  # the clock of the quotes is ahead
        ([40, 100], [41, 98, 105], 100),  # the next one is another
        ([100], [100 + 2 * NS_PER_S], 100),
        ([], [5], 0),
    ],
)
def test_a_run_goes_on_to_the_quote_at_which_the_last_thing_was_wanted(
    wanted: list[int], asked: list[int], last: int
) -> None:
    assert last_acted_ns(wanted, [AskedPrice(time_ns, 1.0, 1.1) for time_ns in asked]) == last
