"""The account of a day that was recorded live: it says again what the worker heard, when it heard it.

What a broker fills, and when, is its answer and nobody's decision. So decisions are compared over the answers of then:
no order is filled here, and no rule is asked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import NamedTuple

from atrader.calendars import Calendar
from atrader.configuration.account import AccountConfig
from atrader.configuration.instance import InstanceConfig
from atrader.instruments import Instrument
from atrader.market import Tick
from atrader.orders.intake import first_order
from atrader.orders.model import Intent, Order, Trade
from atrader.valuation import Worth
from research.events.account import Account
from research.events.plan import Begin


class Hearing(NamedTuple):
    """What an instance heard of its account in one life.

    Attributes
    ----------
    time_ns : int
        When, market time, UTC.
    item : Order or Trade
        As it was told.
    place : int
        How many of its bars it had begun to decide.
    is_inside : bool
        Whether the last of those decisions was not over.
    quote_ns : int or None
        Time of the last quote that it had handled, UTC ns; None: it does not listen to quotes.
    """

    time_ns: int
    item: Order | Trade
    place: int
    is_inside: bool
    quote_ns: int | None = None


class Story(NamedTuple):
    """A life as the worker heard it.

    Attributes
    ----------
    ends_ns : sequence of int
        When it decided each bar: at its end, or later where it was busy. In that order, UTC.
    equities : sequence of Decimal
        Of the account, as it knew it then.
    heard : sequence of Hearing
        In its order.
    bars : sequence of int
        Open times of the bars that it decided, UTC.
    last_quotes : sequence of int
        Time of the last quote that it had handled before each, UTC ns; where that is not recorded, just before the end.
    """

    ends_ns: Sequence[int]
    equities: Sequence[Decimal]
    heard: Sequence[Hearing]
    bars: Sequence[int] = ()
    last_quotes: Sequence[int] = ()


class RetoldAccount(Account):
    """Tells a story to its one instance.

    Parameters
    ----------
    story : Story
        What it tells; the others are those of `Account`.
    """

    def __init__(
        self,
        config: AccountConfig,
        instances: Sequence[InstanceConfig],
        instruments: Mapping[str, Instrument],
        calendar_of: Callable[[str], Calendar],
        *,
        story: Story,
    ) -> None:
        super().__init__(config, instances, instruments, calendar_of)
        self.watches, self.net_watch = False, None  # limits and stops did their work then
        self._story = story
        self._left = deque(story.heard)
        self._begun = 0  # decisions that began
        self._quote_ns = 0  # the newest quote
        self._known: set[str] = set()  # orders that were handed over
        self._equity = story.equities[0] if story.equities else config.paper.initial_balance

    def carry(self, begin: Begin) -> None:
        """Know what was open and worked, for the view of the instance."""
        self.ledger.restore(begin.trades)
        self.open_orders = {order.client_id: order for order in begin.orders}
        self._known.update(self.open_orders)
        self.booking.carry(begin.trades, begin.closed)

    def on_ticks(self, ticks: Sequence[Tick]) -> None:
        """Let time go on: nothing fills at quotes."""
        if ticks:
            self._quote_ns = ticks[-1].time_ns
            self.now_ns = max(self.now_ns, self._quote_ns)

    def advance(self, now_ns: int) -> None:
        """Tell what was heard up to a time, or before the decision of a bar that ends now."""
        super().advance(now_ns)
        ends, before = self._story.ends_ns, self._begun
        while self._begun < len(ends) and ends[self._begun] <= now_ns:
            self._equity = self._story.equities[self._begun]
            self._begun += 1
        until_ns = now_ns if self._begun == before else 0  # what came while a bar is decided comes after it
        while self._left and (self._left[0].place < self._begun or self._was_heard(self._left[0], until_ns)):
            self._tell(self._left.popleft())

    def submit(self, intent: Intent) -> Order:
        """Answer as it was answered then; what was not wanted then stays without an answer."""
        self.submitted += 1
        self._known.add(intent.client_id)
        wanted = first_order(intent, intent.units, None, self.now_ns, native_protection=True)
        self.orders[intent.client_id] = wanted
        answer = next((one for one in self._left if self._is_answer(one, intent)), None)
        if answer is not None:
            self._left.remove(answer)
        while self._left and self._left[0].is_inside and self._is_due(self._left[0]):
            self._tell(self._left.popleft())
        return wanted if answer is None or not isinstance(answer.item, Order) else answer.item

    def roll_day(self) -> None:
        """Do nothing: no limit is asked."""

    def worth(self) -> Worth:
        """Return the equity that the worker knew."""
        return Worth(self._equity, self._equity, Decimal(0), {}, ())

    def _was_heard(self, one: Hearing, until_ns: int) -> bool:
        """Tell whether something was heard up to a time; who listens heard it before the first quote after it."""
        if one.quote_ns is None:
            return one.time_ns <= until_ns
        return until_ns > 0 and one.quote_ns < self._quote_ns

    def _is_answer(self, one: Hearing, intent: Intent) -> bool:
        return one.place <= self._begun and isinstance(one.item, Order) and one.item.client_id == intent.client_id

    def _is_due(self, one: Hearing) -> bool:
        """Tell whether something comes before the answers to what is still to be handed over."""
        item = one.item
        is_to_come = isinstance(item, Order) and item.intent.n > 0 and item.client_id not in self._known
        return one.place <= self._begun and not is_to_come

    def _tell(self, one: Hearing) -> None:
        news = self.booking.news_of(one.item.instance if isinstance(one.item, Trade) else one.item.intent.instance)
        if isinstance(one.item, Order):
            news.orders.append(one.item)
            return
        news.trades.append(one.item)
        if not one.item.is_open:
            self.booking.carry((), [one.item])


def telling(story: Story) -> Callable[..., Account]:
    """Return what makes the account of a run that tells a story."""
    return partial(RetoldAccount, story=story)
