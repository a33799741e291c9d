"""Checks that need more than one file: who refers to whom, and whether it can work together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from atrader.configuration.account import AccountConfig
from atrader.configuration.fleet import FleetConfig
from atrader.configuration.instance import InstanceConfig
from atrader.configuration.problems import did_you_mean
from atrader.instruments import KNOWN, Instrument
from atrader.timeframes import Timeframe

FLEET_FILE = "etc/atrader.toml"
_HOUR_S = 3600
_FED_BY_THE_MARKET = frozenset({"paper"})  # brokers without prices of their own


def reference_problems(
    accounts: Mapping[str, AccountConfig], instances: Mapping[str, InstanceConfig], account_names: frozenset[str]
) -> Iterator[str]:
    """Yield what is wrong between strategies and accounts, as ``file: key: what is wrong``.

    Parameters
    ----------
    accounts, instances : Mapping by name
        What could be read.
    account_names : frozenset of str
        All accounts that have a file, also those whose file is wrong: they are not reported as unknown.
    """
    owners: dict[int, str] = {}
    for name, instance in instances.items():
        file = instance_file(name)
        owner = owners.setdefault(instance.magic, name)
        if owner != name:
            yield f"{file}: magic: {instance.magic} is used by {instance_file(owner)} too; every strategy needs its own"
        account = accounts.get(instance.account)
        if instance.account not in account_names:
            hint = did_you_mean(instance.account, account_names)
            yield f"{file}: account: there is no {account_file(instance.account)}{hint}"
        elif account is not None and instance.enabled and not account.enabled:
            yield f"{file}: account: {account.name!r} is not enabled; enable it, or write enabled = false here"


def fleet_problems(
    fleet: FleetConfig, accounts: Mapping[str, AccountConfig], instances: Mapping[str, InstanceConfig]
) -> Iterator[str]:
    """Yield what is wrong inside ``etc/atrader.toml``, and between it and the other files."""
    yield from _market_problems(fleet)
    yield from _backfill_problems(fleet)
    for name, account in accounts.items():
        yield from _correlation_problems(fleet, name, account)
    for instance in instances.values():
        yield from _instance_problems(fleet, accounts, instance)
    enabled = sum(instance.enabled for instance in instances.values())
    if enabled > fleet.max_workers:
        yield f"{FLEET_FILE}: max_workers: {enabled} strategies are enabled, {fleet.max_workers} may run"


def account_file(name: str) -> str:
    """Return an account's file, as messages name it."""
    return f"etc/accounts/{name}.toml"


def instance_file(name: str) -> str:
    """Return an instance's file, as messages name it."""
    return f"etc/strategies/{name}.toml"


def _market_problems(fleet: FleetConfig) -> Iterator[str]:
    seen = set[str]()
    for symbol in fleet.market.instruments:
        key = f"{FLEET_FILE}: market.instruments"
        if _find(fleet, symbol) is None:
            yield f"{key}: {_unknown(fleet, symbol)}"
        if symbol in seen:
            yield f"{key}: {symbol!r} is named twice"
        seen.add(symbol)
    if fleet.market.feed != "none" and not fleet.market.instruments:
        yield f"{FLEET_FILE}: market.instruments: the {fleet.market.feed} feed needs at least one instrument"
    base = Timeframe.parse(fleet.data.base_timeframe)
    if _HOUR_S % base.seconds:
        yield f"{FLEET_FILE}: data.base_timeframe: {base} does not divide an hour; take 1s, 5s, 1m, 5m ..."
    replay = fleet.market.replay
    replayed = Timeframe.parse(replay.timeframe)
    if fleet.market.feed == "replay" and replay.source == "bars" and base.seconds % replayed.seconds:
        yield (
            f"{FLEET_FILE}: data.base_timeframe: {base} bars cannot be built from the {replayed} bars of"
            f" market.replay.timeframe; take {replayed} or a multiple"
        )


def _backfill_problems(fleet: FleetConfig) -> Iterator[str]:
    backfill = fleet.data.backfill
    for symbol in backfill.keep:
        if _find(fleet, symbol) is None:
            yield f"{FLEET_FILE}: data.backfill.keep: {_unknown(fleet, symbol)}"
    if backfill.screener is not None:
        source = fleet.sources.get(backfill.screener)
        if source is None:
            hint = did_you_mean(backfill.screener, fleet.sources)
            yield f"{FLEET_FILE}: data.backfill.screener: there is no [sources.{backfill.screener}]{hint}"
        elif source.screener is None:
            yield f"{FLEET_FILE}: data.backfill.screener: [sources.{backfill.screener}] has no table 'screener'"
    for name, source in fleet.sources.items():
        for symbol in source.instruments:
            if _find(fleet, symbol) is None:
                yield f"{FLEET_FILE}: sources.{name}.instruments: {_unknown(fleet, symbol)}"


def _correlation_problems(fleet: FleetConfig, name: str, account: AccountConfig) -> Iterator[str]:
    for number, cap in enumerate(account.limits.correlated):
        for symbol in cap.instruments:
            if _find(fleet, symbol) is None:
                yield f"{account_file(name)}: limits.correlated[{number}].instruments: {_unknown(fleet, symbol)}"


def _instance_problems(
    fleet: FleetConfig, accounts: Mapping[str, AccountConfig], instance: InstanceConfig
) -> Iterator[str]:
    file = instance_file(instance.name)
    instrument = _find(fleet, instance.instrument)
    if instrument is None:
        yield f"{file}: instrument: {_unknown(fleet, instance.instrument)}"
    base, timeframe = Timeframe.parse(fleet.data.base_timeframe), Timeframe.parse(instance.timeframe)
    if timeframe.seconds % base.seconds:
        yield f"{file}: timeframe: {timeframe} is no multiple of data.base_timeframe ({base}) in {FLEET_FILE}"
    account = accounts.get(instance.account)
    trades = account is not None and account.enabled and instance.enabled
    if account is not None and trades and instrument is not None and account.broker in _FED_BY_THE_MARKET:
        yield from _feed_problems(fleet, account, instrument, file)


def _feed_problems(fleet: FleetConfig, account: AccountConfig, instrument: Instrument, file: str) -> Iterator[str]:
    """Check that the market feed quotes what a paper account needs; it has no other prices."""
    fed = fleet.market.instruments
    if fleet.market.feed == "none":
        yield f"{file}: instrument: a paper account has no prices while market.feed is 'none' in {FLEET_FILE}"
        return
    if instrument.symbol not in fed:
        yield f"{file}: instrument: nobody quotes it; add {instrument.symbol!r} to market.instruments in {FLEET_FILE}"
        return
    quote, home = instrument.quote, account.currency
    found = (_find(fleet, symbol) for symbol in fed)
    if quote != home and not any(rate and {rate.base, rate.quote} == {quote, home} for rate in found):
        yield (
            f"{file}: instrument: {instrument.symbol} is in {quote} and account {account.name!r} in {home}: add"
            f" {quote}/{home} or {home}/{quote} to market.instruments in {FLEET_FILE}"
        )


def _find(fleet: FleetConfig, symbol: str) -> Instrument | None:
    return fleet.instruments.get(symbol) or KNOWN.get(symbol)


def _unknown(fleet: FleetConfig, symbol: str) -> str:
    hint = did_you_mean(symbol, [*fleet.instruments, *KNOWN])
    return f"unknown instrument {symbol!r}{hint or f': define it under [instruments.{symbol!r}] in {FLEET_FILE}'}"
