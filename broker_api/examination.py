"""Questions to a broker about an account before anything is traded on it; reads only, over connections of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Final, Literal

from atrader.clock import Clock
from atrader.configuration.account import AccountConfig
from atrader.errors import ConfigError
from atrader.orders.model import Value


class AccountFacts(Value):
    """What a broker says of an account; None where it does not say."""

    simulated: bool = False  # nobody was asked: it lives in this installation
    account_ids: tuple[str, ...] = ()  # what the credentials may use
    may_use: bool = True  # ours is one of them
    currency: str | None = None
    positions: Literal["hedging", "netting"] | None = None
    carries_ids: bool = True  # orders and trades can carry our ids and magic numbers
    trouble: tuple[str, ...] = ()  # why it may not trade now, in the broker's words
    instruments: Mapping[str, bool | None] = {}  # by symbol: can be traded now; missing: the broker does not have it
    streams: Mapping[str, str | None] = {}  # by what they bring: why it does not come, None where it does
    clock_skew_s: float | None = None  # the broker's clock minus the host's
    round_trip_s: float | None = None


Examiner = Callable[[AccountConfig, Collection[str], Clock], Awaitable[AccountFacts]]
"""Asks about an account and some instruments (symbols), with the host's clock.

Sends no order and changes nothing. May be repeated. Raises ConfigError when the broker does not let us in, Retryable
when it cannot be reached.
"""


async def _paper(account: AccountConfig, symbols: Collection[str], clock: Clock) -> AccountFacts:
    return AccountFacts(
        simulated=True,
        currency=account.currency,
        positions=account.positions,
        instruments=dict.fromkeys(symbols),
    )


async def _oanda(account: AccountConfig, symbols: Collection[str], clock: Clock) -> AccountFacts:
    from broker_api.oanda.examination import examine  # only now: who has no such account needs no TLS

    if account.oanda is None:
        raise ConfigError(f"etc/accounts/{account.name}.toml: [oanda] is missing")
    return await examine(account.oanda, symbols, clock)


EXAMINERS: Final[Mapping[str, Examiner]] = {"paper": _paper, "oanda": _oanda}
"""By the ``broker`` of an account file."""
