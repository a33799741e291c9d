"""Rules and terms as the executions read them: prices in ticks, units in steps, money in cents."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Final, NamedTuple, get_type_hints

import numpy as np
from numpy.typing import NDArray

from atrader.errors import ConfigError
from research.vector.rules import MOST_TARGETS, WHOLE_AT, Rules, Target, Terms

PARTS_PER_UNIT: Final = 10**9
"""Fractions of a trade are kept in these."""

HOME, OWN, GIVEN = range(3)
"""Where the rate comes from: it is 1, the instrument's own price, or an array."""

MARKET, LIMIT, STOP = range(3)
"""Kinds of orders."""

AT_ENTRY, AT_BROKER, AT_EXIT = range(3)
"""What slips: an entry, a stop or close-out, an exit that is decided."""

SLIPS: Final = 3

_LARGEST: Final = 2**62
_WIDEST: Final = 2**126  # of what the compiled execution multiplies in whole numbers of 128 bits
_MOST_PRODUCT: Final = 2**61  # twice a price times the steps held, see `Execution`
_MOST_RISK: Final = 2**31 * 10**12  # a distance in ticks times the parts in which shares of equity are kept


class Settings(NamedTuple):
    """Whole numbers first, then float64; `_machine.h` has the same fields in the same order.

    Cents are the smallest unit of the account currency. ``value_num / value_den`` is what one tick of one step is
    worth, in cents, before conversion; ``value_scale`` is the same as float64. ``target_*`` have room for four.
    """

    balance: int
    next_open: int
    in_range: int
    protect_next: int
    stop_before_open: int
    order_type: int
    distances: int
    most_trades: int
    slippage: int
    targets: int
    break_even_after: int
    rate: int
    value_num: int
    value_den: int
    commission_num: int  # of price times steps
    commission_den: int
    margin_num: int  # of value; 0: not looked at
    margin_den: int
    closeout_num: int  # equity per margin
    closeout_den: int
    spread_bid: int  # by which the quotes are worse than the market's
    spread_ask: int
    least_steps: int
    most_steps: int
    target_parts: tuple[int, ...]  # parts of 10**9 of the units opened
    target_r: tuple[float, ...]
    tick: float
    value_scale: float
    commission_scale: float
    swap_long: float
    swap_short: float

    @classmethod
    def of(cls, rules: Rules, terms: Terms) -> Settings:
        """Put rules and terms together.

        Raises
        ------
        ConfigError
            When an amount does not fit.
        """
        item, how = terms.instrument, rules.convention
        cents = Decimal(10) ** terms.currency_digits
        value = Fraction(item.price_tick * item.unit_step * cents)
        commission = value * Fraction(terms.commission_per_million) / 1_000_000
        margin = Fraction(terms.margin_frac or 0).limit_denominator(10**9)
        closeout = Fraction(terms.margin_closeout_frac)
        spread_bid, spread_ask = terms.extra_ticks
        missing = MOST_TARGETS - len(rules.targets)
        settings = cls(
            balance=int(terms.initial_balance * cents),
            next_open=how.fill == "next-open",
            in_range=how.inside == "range",
            protect_next=how.protected_from == "next-bar",
            stop_before_open=how.stop_before_open,
            order_type=("market", "limit", "stop").index(rules.order_type),
            distances=rules.distances,
            most_trades=rules.most_trades,
            slippage=terms.slippage_ticks,
            targets=len(rules.targets),
            break_even_after=rules.break_even_after,
            rate=("home", "own", "given").index(terms.rate),
            value_num=value.numerator,
            value_den=value.denominator,
            commission_num=commission.numerator,
            commission_den=commission.denominator,
            margin_num=margin.numerator,
            margin_den=margin.denominator,
            closeout_num=closeout.numerator,
            closeout_den=closeout.denominator,
            spread_bid=spread_bid,
            spread_ask=spread_ask,
            least_steps=int(item.min_units / item.unit_step),
            most_steps=int(item.max_units / item.unit_step),
            target_parts=(*_parts(rules.targets), *[0] * missing),
            target_r=(*(float(one.r) for one in rules.targets), *[0.0] * missing),
            tick=float(item.price_tick),
            value_scale=float(value),
            commission_scale=float(commission),
            swap_long=float(terms.swap_long_frac),
            swap_short=float(terms.swap_short_frac),
        )
        for name, number in settings._asdict().items():
            if isinstance(number, int) and abs(number) > _LARGEST:
                raise ConfigError(f"{item.symbol}: {name} {number} cannot be counted with; take fewer currency_digits")
        if settings.value_num * max(_MOST_PRODUCT * settings.margin_num, _MOST_RISK) > _WIDEST:
            raise ConfigError(f"{item.symbol}: a tick of a step is worth too much to be counted with: see price_tick")
        return settings

    @property
    def record(self) -> NDArray[np.void]:
        """The same as one record of `RECORD`, shape (1,)."""
        return np.array([tuple(self)], RECORD)


_KINDS: Final = {
    int: (np.int64,),
    float: (np.float64,),
    tuple[int, ...]: (np.int64, MOST_TARGETS),
    tuple[float, ...]: (np.float64, MOST_TARGETS),
}
RECORD: Final = np.dtype([(name, *_KINDS[kind]) for name, kind in get_type_hints(Settings).items()])
"""Layout of `Settings` in memory."""


def _parts(targets: Sequence[Target]) -> Iterator[int]:
    """Yield the share of each target; the last one takes all, where together they are the whole trade."""
    is_whole = sum(one.fraction for one in targets) >= WHOLE_AT
    for number, one in enumerate(targets, start=1):
        yield PARTS_PER_UNIT if is_whole and number == len(targets) else round(one.fraction * PARTS_PER_UNIT)
