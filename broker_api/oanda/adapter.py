"""An account at OANDA as an adapter: puts the parts together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from atrader.calendars import Calendar
from atrader.clock import Clock
from atrader.configuration.account import AccountConfig
from atrader.errors import BrokerUnavailable, ConfigError, StoreError
from atrader.instruments import Instrument
from broker_api.adapter import AnyReport, BrokerAccount, BrokerOrder, Capabilities, Modification, Snapshot
from broker_api.gateway.budget import Budget, Priority
from broker_api.health import BrokerHealth
from broker_api.oanda.codec import Fields
from broker_api.oanda.desk import Desk
from broker_api.oanda.feed import TransactionFeed
from broker_api.oanda.ids import Journaled, OrderIds
from broker_api.oanda.log import TransactionLog
from broker_api.oanda.prices import OandaPrices
from broker_api.oanda.rest import OandaRest
from broker_api.oanda.search import Search
from broker_api.oanda.silence import silence_of
from broker_api.oanda.terms import AccountTerms, account_in, instruments_of, terms_of
from broker_api.oanda.translate import Translator
from broker_api.oanda.transport import HttpTransport, Transport
from broker_api.oanda.truth import money_of, snapshot_of


class _Parts(NamedTuple):
    """What is made once the kind of account is known."""

    terms: AccountTerms
    translator: Translator
    desk: Desk
    search: Search


class OandaAdapter:
    """One account at OANDA (v20). Implements `Adapter`, `Quoting`, `Health`, `Identified`, `MarksTrades`.

    For one asyncio loop.

    Acting calls are sent once. Nothing of ours is on a disk here: what a call returns, and all that it may have missed,
    can be asked for again by `reports_since`. A call that is cancelled or runs out of time may have been carried out;
    it must not be repeated, see `find`.

    Parameters
    ----------
    account : AccountConfig
        With ``oanda`` settings. Its kind of positions and its currency must be the broker's.
    defined : Mapping of str to Instrument
        Instruments of the configuration, see `broker_api.oanda.terms.instruments_of`.
    clock : Clock
        Market time.
    host_clock : Clock
        Time of the host.
    budget : Budget
        Of requests.
    journaled : Journaled
        Tells whose an order is, where the broker cannot carry our ids.
    transport : Transport, optional
        In place of HTTP.
    """

    def __init__(
        self,
        account: AccountConfig,
        defined: Mapping[str, Instrument],
        clock: Clock,
        host_clock: Clock,
        budget: Budget,
        journaled: Journaled,
        transport: Transport | None = None,
    ) -> None:
        settings = account.oanda
        if settings is None:
            raise ConfigError(f"etc/accounts/{account.name}.toml: oanda: missing")
        hedging = account.positions == "hedging"
        self.capabilities = Capabilities(
            hedging=hedging, native_protection=hedging, reduce_only_stops=not hedging, lookups_prove_absence=False
        )
        self._account = account
        self._account_id = settings.account_id
        self._bound_pips = settings.market_bound_pips
        self._defined = defined
        self._clock = clock
        self._budget = budget
        self._transport: Transport = transport or HttpTransport(settings, host_clock)
        self._rest = OandaRest(self._transport, settings)
        self._log = TransactionLog(self._rest, budget)
        silence_s = silence_of(settings, Calendar.get("fx"), host_clock)
        self._feed = TransactionFeed(self._transport, self._log, settings, silence_s, host_clock)
        self._prices = OandaPrices(self._transport, settings, budget, silence_s, host_clock)
        self._ids = OrderIds(journaled)
        self._instruments: dict[str, Instrument] = {}
        self._margin_frac: Decimal | None = None
        self._parts: _Parts | None = None
        self._shown = 0  # how far the last snapshot went

    @property
    def identity(self) -> str:
        """Name of the account at OANDA, with its environment."""
        settings = self._account.oanda
        assert settings is not None
        return f"oanda {settings.environment} {settings.account_id}"

    @property
    def prices(self) -> OandaPrices:
        """Where prices and candles come from."""
        return self._prices

    async def connect(self) -> None:
        """Ask what kind of account it is; may be repeated, and is after each loss of the connection.

        Raises
        ------
        ConfigError
            The broker does not let us in (exit code AUTH), or the account is of another kind or currency.
        Retryable
            It does not answer: wait.
        """
        await self._budget.take(Priority.QUERY)
        body = Fields(await self._rest.get("/summary"))
        summary = account_in(body)
        if self._parts is None:
            await self._budget.take(Priority.QUERY)
            accounts = Fields(await self._rest.accounts()).each("accounts")
            listed = next((item for item in accounts if item.text("id") == self._account_id), Fields({}))
            terms = terms_of(summary, listed)
            self._check(terms)
            self._parts = self._make(terms)
        self._margin_frac = summary.amount("marginRate")
        self._feed.told = body.number("lastTransactionID") or summary.number("lastTransactionID")

    async def close(self) -> None:
        """Close all connections; orders and trades stay. May be repeated."""
        await self._transport.close()

    async def instruments(self) -> Mapping[str, Instrument]:
        """Return what the account trades, by symbol, as the broker has it."""
        await self._budget.take(Priority.QUERY)
        answer = Fields(await self._rest.get("/instruments"))
        found = instruments_of(answer, self._margin_frac, self._defined)
        if not found:  # what is held could not be closed with that
            raise BrokerUnavailable("OANDA: an answer that names no instrument")
        self._instruments = found
        return found

    async def submit(self, order: BrokerOrder) -> Sequence[AnyReport]:
        """Send one order, once; see `Adapter.submit` for what is raised."""
        return await self._connected.desk.submit(order)

    async def cancel(self, client_id: str, order_client_id: str) -> Sequence[AnyReport]:
        """Cancel a working order."""
        return await self._connected.desk.cancel(client_id, order_client_id)

    async def modify(self, change: Modification) -> Sequence[AnyReport]:
        """Change protection, or replace a working order by a changed one of the same client id."""
        return await self._connected.desk.modify(change)

    async def mark_trade(self, broker_trade_id: str, magic: int) -> None:
        """Write another magic number on a ticket."""
        await self._connected.desk.mark_trade(broker_trade_id, magic)

    async def find(self, client_id: str, watermark: int) -> Sequence[AnyReport] | None:
        """Return what is known of a client id after a watermark; None when it is not known (yet)."""
        return await self._connected.search.find(client_id, watermark)

    async def reports_since(self, watermark: int) -> Sequence[AnyReport]:
        """Return everything after a transaction id, at least as far as the last snapshot went.

        Raises
        ------
        StoreError
            The broker no longer has it.
        Retryable
            It has not listed all of it yet.
        """
        return self._connected.translator.all_of(await self._log.since(watermark, self._shown))

    async def snapshot(self) -> Snapshot:
        """Return the whole truth, in one request."""
        parts = self._connected
        body = Fields(await self._rest.get(""))
        account = account_in(body)
        self._shown = watermark = body.number("lastTransactionID")
        for trade in account.each("trades"):
            parts.translator.know_ticket(trade.text("id"), trade.within("clientExtensions").text("tag"))
        return snapshot_of(account, watermark, self._ids, parts.terms, self._clock.now_ns())

    async def account(self) -> BrokerAccount:
        """Return the money."""
        await self._budget.take(Priority.QUERY)
        return money_of(account_in(Fields(await self._rest.get("/summary"))), self._clock.now_ns())

    async def reports(self) -> AsyncIterator[Sequence[AnyReport]]:
        """Yield what happens from `connect` on; see `TransactionFeed.batches` for what is raised.

        A stream that breaks is opened again, without loss. It ends when the broker's log no longer has what is missing.
        """
        parts = self._connected
        try:
            async for batch in self._feed.batches():
                if parts.terms.anonymous:
                    await parts.desk.idle()
                yield parts.translator.all_of(batch)
        except StoreError:
            return

    def health(self) -> BrokerHealth:
        """Return what was measured so far."""
        return BrokerHealth(
            clock_skew_s=self._feed.skew_s,
            clock_skew_age_s=self._feed.skew_age_s,
            round_trip_s=self._transport.round_trip_s,
            streams=tuple(filter(None, (self._feed.health(), self._prices.health()))),
        )

    def _check(self, terms: AccountTerms) -> None:
        file = f"etc/accounts/{self._account.name}.toml"
        kind = "hedging" if terms.hedging else "netting"
        if kind != self._account.positions:
            raise ConfigError(f'{file}: positions: the account at OANDA is a {kind} one; write positions = "{kind}"')
        if terms.currency and terms.currency != self._account.currency:
            raise ConfigError(
                f'{file}: currency: the account at OANDA is in {terms.currency}; write currency = "{terms.currency}"'
            )

    @property
    def _connected(self) -> _Parts:
        if self._parts is None:
            raise BrokerUnavailable(f"account {self._account.name} is not connected to OANDA")
        return self._parts

    def _make(self, terms: AccountTerms) -> _Parts:
        translator = Translator(self._ids, hedging=terms.hedging, anonymous=terms.anonymous)
        desk = Desk(
            self._rest, terms, translator, self._ids, lambda: self._instruments, self._prices.newest,
            self._bound_pips, self._budget, self._clock,
        )  # fmt: skip
        return _Parts(terms, translator, desk, Search(self._rest, self._log, translator, self._budget))
