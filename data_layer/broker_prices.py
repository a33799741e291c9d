"""Prices that gateways bring: one gateway for each instrument, and what was missed is known."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from structlog.typing import FilteringBoundLogger

from atrader.clock import Clock
from atrader.market import Tick
from atrader.messages.prices import PricePush
from data_layer.live_market import LiveMarket
from data_layer.sink import Sink

_SILENT_S: Final = 5.0
"""A gateway that said nothing for so long (it does each second) brings nothing: another may."""

_QUIET_S: Final = 60.0  # between two lines of the log about a gateway that is turned away


@dataclass(slots=True)
class _Gateway:
    """What is known of one gateway."""

    life: int
    seq: int
    since_ns: int
    heard_ns: int  # when its last push came
    heard_s: float
    instruments: set[str] = field(default_factory=set)


class BrokerPrices:
    """Takes the pushes of gateways.

    The gateway that brings an instrument first keeps it, until it says that it does not bring it any more or is silent
    for five seconds. Bars of a time for which pushes are missing, or in which the broker's stream was broken, are
    doubtful: a bar source is asked for them again.

    Parameters
    ----------
    market : LiveMarket
        Gets the last prices and the times in doubt.
    sink : Sink
        Gets the quotes that bars are built from.
    clock : Clock
        The host's.

    Attributes
    ----------
    counters : Counter of str
        ``repeated refused holes``.
    """

    def __init__(self, market: LiveMarket, sink: Sink, clock: Clock, log: FilteringBoundLogger) -> None:
        self._market = market
        self._sink = sink
        self._clock = clock
        self._log = log
        self._gateways: dict[str, _Gateway] = {}
        self._owners: dict[str, str] = {}
        self._told_s: dict[str, float] = {}
        self.counters: Counter[str] = Counter()

    def owner(self, instrument: str) -> str | None:
        """Return the process name of the gateway that brings an instrument now."""
        return self._owners.get(instrument)

    def take(self, sender: str, push: PricePush) -> None:
        """Take a push.

        Parameters
        ----------
        sender : str
            Process name of the gateway.
        """
        gateway = self._heard(sender, push)
        if push.instruments is not None:
            for symbol in gateway.instruments.difference(push.instruments):
                gateway.instruments.discard(symbol)
                del self._owners[symbol]
            for symbol in push.instruments:
                self._may_bring(sender, gateway, symbol)
        ticks = [tick for tick in push.ticks if self._may_bring(sender, gateway, tick.instrument)]
        ticks = [tick for tick in ticks if not self._is_repeated(tick)]
        if push.instruments is None:
            self._sink.ticks(ticks)
        elif ticks:
            self._market.ticks(ticks, build=False)

    def _heard(self, sender: str, push: PricePush) -> _Gateway:
        now_ns, now_s = self._clock.now_ns(), self._clock.monotonic_s()
        life, seq, since_ns = push.place
        gateway = self._gateways.get(sender)
        if gateway is None:
            gateway = self._gateways[sender] = _Gateway(life, seq, since_ns, now_ns, now_s)
        elif (gateway.life, gateway.seq + 1, gateway.since_ns) != push.place:
            self.counters["holes"] += 1
            for symbol in gateway.instruments:
                self._market.doubts.add(symbol, gateway.heard_ns, now_ns)
        gateway.life, gateway.seq, gateway.since_ns = push.place
        gateway.heard_ns, gateway.heard_s = now_ns, now_s
        return gateway

    def _may_bring(self, sender: str, gateway: _Gateway, symbol: str) -> bool:
        owner = self._owners.get(symbol)
        if owner == sender:
            return True
        if owner is not None:
            other = self._gateways[owner]
            if gateway.heard_s - other.heard_s < _SILENT_S:
                self._turn_away(sender, owner, symbol)
                return False
            other.instruments.discard(symbol)
        self._owners[symbol] = sender
        gateway.instruments.add(symbol)
        return True

    def _turn_away(self, sender: str, owner: str, symbol: str) -> None:
        self.counters["refused"] += 1
        now_s = self._clock.monotonic_s()
        if now_s - self._told_s.get(sender, now_s - _QUIET_S) >= _QUIET_S:
            self._told_s[sender] = now_s
            self._log.warning("prices-refused", instrument=symbol, gateway=sender, brought_by=owner)

    def _is_repeated(self, tick: Tick) -> bool:
        known = self._market.prices.get(tick.instrument)
        repeated = (
            known is not None and known.time_ns == tick.time_ns and (known.bid, known.ask) == (tick.bid, tick.ask)
        )
        self.counters["repeated"] += repeated
        return repeated
