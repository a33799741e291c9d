"""What an account is worth now: last quotes, conversion rates, floating profit, margin. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final, NamedTuple

from atrader.clock import NS_PER_S
from atrader.instruments import Instrument
from atrader.ledger import profit_of, quantum
from atrader.market import Tick
from atrader.orders.model import Trade
from atrader.orders.protection import closing_price
from atrader.risk import Quote, RiskDay

_ZERO: Final = Decimal(0)
_ONE: Final = Decimal(1)
# Conversion rates are quotients; twelve digits are beyond any quote's precision and the same on every machine.
_RATE: Final = Context(prec=12, rounding=ROUND_HALF_EVEN)


class Worth(NamedTuple):
    """The account at one moment, in account currency."""

    balance: Decimal
    equity: Decimal
    margin_used: Decimal
    floating: Mapping[int, Decimal]  # profit of the open trades by magic number
    unvalued: tuple[str, ...]  # instruments of own trades without a quote or a rate: equity is not the whole truth


class Valuation:
    """Keeps the last quotes and the balance, and values the trades with them.

    Parameters
    ----------
    currency : str
        Account currency.
    currency_digits : int
        Its digits.
    nets : bool, default False
        Whether the broker holds one net position per instrument: margin is for that then, else for the larger side.

    Attributes
    ----------
    balance : Decimal
        As the broker has it.
    carried : Decimal
        What our trades realised more than the broker did so far: a net position realises profits at other moments.
        Balance, this, and the floating profit of our trades make the equity.
    """

    def __init__(self, currency: str, currency_digits: int, *, nets: bool = False) -> None:
        self._currency = currency
        self._digits = currency_digits
        self._nets = nets
        self.instruments: Mapping[str, Instrument] = {}
        self.ticks: dict[str, Tick] = {}
        self.balance = _ZERO
        self.carried = _ZERO
        self._known: tuple[object, Worth] | None = None  # asked for again and again between two quotes
        self._quotes: dict[str, tuple[Tick, Mapping[str, Instrument], Quote]] = {}  # of the last ticks, as money

    def take_ticks(self, ticks: Sequence[Tick]) -> None:
        """Keep the newest quote of each instrument; crossed or empty ones are passed over."""
        self._known = None
        for tick in ticks:
            if 0.0 < tick.bid <= tick.ask:
                self.ticks[tick.instrument] = tick

    @property
    def newest_ns(self) -> int | None:
        """Time of the newest of the last quotes; None before the first."""
        return max((tick.time_ns for tick in self.ticks.values()), default=None)

    def quote(self, symbol: str, now_ns: int) -> Quote | None:
        """Return the last quote as money."""
        tick = self.ticks.get(symbol)
        if tick is None:
            return None
        known = self._quotes.get(symbol)
        if known is None or known[0] is not tick or known[1] is not self.instruments:
            instrument = self.instruments.get(symbol)
            if instrument is None:
                return None
            known = self._quotes[symbol] = tick, self.instruments, Quote.from_tick(tick, instrument, tick.time_ns)
        quote, age_ns = known[2], now_ns - tick.time_ns
        return quote if age_ns <= 0 else Quote(quote.bid, quote.ask, age_ns / NS_PER_S)

    def quotes(self, symbols: Iterable[str], now_ns: int) -> dict[str, Quote]:
        """Return the last quotes of some instruments; those without one are missing."""
        return {symbol: quote for symbol in symbols if (quote := self.quote(symbol, now_ns)) is not None}

    def rate(self, currency: str) -> Decimal | None:
        """Return the account currency per unit of a currency at the middle price; None when no price converts."""
        if currency == self._currency:
            return _ONE
        direct = self.quote(f"{currency}/{self._currency}", 0)
        if direct is not None:
            return _RATE.divide(direct.bid + direct.ask, Decimal(2))
        inverse = self.quote(f"{self._currency}/{currency}", 0)
        return None if inverse is None else _RATE.divide(Decimal(2), inverse.bid + inverse.ask)

    def home_rates(self, symbols: Iterable[str]) -> dict[str, Decimal]:
        """Return account currency per quote currency by instrument; those without a rate are missing."""
        rates: dict[str, Decimal] = {}
        for symbol in symbols:
            rate = self.rate(self.instruments[symbol].quote) if symbol in self.instruments else None
            if rate is not None:
                rates[symbol] = rate
        return rates

    def worth(self, trades: Sequence[Trade]) -> Worth:
        """Value the account with these open trades; what has no price or rate yet counts as nothing won or lost.

        The instruments of own trades for which that is so are named in ``unvalued``.
        """
        subject = (self.balance, self.carried, self.instruments, tuple(trades))
        if self._known is None or self._known[0] != subject:
            self._known = subject, self._value(trades)
        return self._known[1]

    def _value(self, trades: Sequence[Trade]) -> Worth:
        floating: dict[int, Decimal] = {}
        equity, legs, unvalued = self.balance + self.carried, dict[str, dict[str, Decimal]](), set[str]()
        for trade in trades:
            legs.setdefault(trade.instrument, {"buy": _ZERO, "sell": _ZERO})[trade.side] += trade.units
            won = self.floating(trade)
            if won is None:
                won = _ZERO
                if trade.magic != 0:  # nobody has to quote what is foreign
                    unvalued.add(trade.instrument)
            equity += won
            floating[trade.magic] = floating.get(trade.magic, _ZERO) + won
        return Worth(self.balance, equity, self._margin(legs), floating, tuple(sorted(unvalued)))

    def floating(self, trade: Trade) -> Decimal | None:
        """Return what an open trade would bring if it were closed now; None without a price or a rate."""
        quote = self.quote(trade.instrument, 0)
        rate = None if quote is None else self.rate(self.instruments[trade.instrument].quote)
        if quote is None or rate is None:
            return None
        price = closing_price(trade.side, quote.bid, quote.ask)
        return profit_of(trade.side, trade.units, trade.open_price, price, rate, self._digits)

    def _margin(self, legs: Mapping[str, Mapping[str, Decimal]]) -> Decimal:
        """Value of the larger side of each instrument, or of its net position, times its margin rate."""
        total = _ZERO
        for symbol, sides in legs.items():
            quote, rates = self.quote(symbol, 0), self.home_rates((symbol,))
            if quote is not None and rates:
                units = abs(sides["buy"] - sides["sell"]) if self._nets else max(sides.values())
                total += units * quote.mid * rates[symbol] * self.instruments[symbol].margin_rate_frac
        return total.quantize(quantum(self._digits), ROUND_HALF_EVEN)


def day_after(
    day: RiskDay | None, calendar: str, worth: Worth, now_ns: int, quoted_ns: int | None
) -> tuple[RiskDay, bool]:
    """Work a valuation into the risk day, starting a new one when the calendar says so.

    While own trades cannot be valued nothing is worked in. A new day needs a quote in it as well as the clock: a clock
    that jumped ahead and came back would else leave the risk day in tomorrow.

    Parameters
    ----------
    day : RiskDay or None
        Before; None at the very first.
    calendar : str
        Whose day boundary starts a risk day.
    now_ns, quoted_ns : int
        Market time, and the time of the newest quote if there is one; UTC ns.

    Returns
    -------
    tuple of RiskDay and bool
        The day, and whether it is to be kept: one that is begun while trades cannot be valued is good for now only.
    """
    if worth.unvalued:
        return day or RiskDay.begin(calendar, now_ns, worth.balance, worth.equity), day is not None
    if day is None:
        return RiskDay.begin(calendar, now_ns, worth.balance, worth.equity), True
    return day.roll(min(now_ns, quoted_ns or 0), worth.balance, worth.equity, worth.floating), True
