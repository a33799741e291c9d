"""Checks that need more than one file: who refers to whom, and whether it can work together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from atrader.configuration.account import AccountConfig
from atrader.configuration.fleet import FleetConfig
from atrader.configuration.instance import InstanceConfig
from atrader.configuration.problems import did_you_mean
from atrader.instruments import KNOWN, Instrument
from atrader.price_accounts import PRICE_ACCOUNT, PRICE_ACCOUNTS, PriceAccounts, find_instrument, has_prices
from atrader.timeframes import Timeframe

FLEET_FILE = "etc/atrader.toml"
_HOUR_S = 3600


def reference_problems(
    accounts: Mapping[str, AccountConfig],
    instances: Mapping[str, InstanceConfig],
    account_names: frozenset[str],
    instance_names: frozenset[str],
) -> Iterator[str]:
    """Yield what is wrong between strategies and accounts, as ``file: key: what is wrong``.

    Parameters
    ----------
    accounts, instances : Mapping by name
        What could be read.
    account_names, instance_names : frozenset of str
        All that have a file, also those whose file is wrong: they are not reported as unknown or missing.
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
    for account in accounts.values():
        if account.enabled and account.session == "worker":
            on_it = [item for item in instances.values() if item.enabled and item.account == account.name]
            if on_it or instance_names == instances.keys():
                yield from _session_problems(account, on_it)


def _session_problems(account: AccountConfig, on_it: list[InstanceConfig]) -> Iterator[str]:
    """Check that one strategy, and only one, is there to hold the account's session in its worker."""
    key = f"{account_file(account.name)}: session"
    if not on_it:
        yield f"{key}: no enabled strategy uses the account, so no worker holds it; write 'gateway' or enabled = false"
    if len(on_it) > 1:
        files = ", ".join(instance_file(item.name) for item in on_it)
        yield f"{key}: a worker can hold it for itself only, but {files} use the account; write 'gateway'"
    for item in on_it:
        if item.on_down != "keep":
            yield (
                f"{instance_file(item.name)}: on_down: nobody could carry out {item.on_down!r} while the worker that"
                f" holds the session of {account.name!r} is down; write 'keep', or session = 'gateway' in"
                f" {account_file(account.name)}"
            )


def fleet_problems(
    fleet: FleetConfig,
    accounts: Mapping[str, AccountConfig],
    instances: Mapping[str, InstanceConfig],
    account_names: frozenset[str],
) -> Iterator[str]:
    """Yield what is wrong inside ``etc/atrader.toml``, and between it and the other files; see `reference_problems`."""
    yield from _market_problems(fleet)
    prices = PriceAccounts(fleet, accounts, instances)
    if len(account_names) == len(accounts):  # else who brings prices depends on a file that is wrong
        yield from _price_problems(fleet, accounts, instances, prices)
    yield from _backfill_problems(fleet, accounts)
    for name, account in accounts.items():
        yield from _correlation_problems(fleet, name, account)
    for instance in instances.values():
        yield from _instance_problems(fleet, accounts, instance, prices)
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
        if find_instrument(fleet, symbol) is None:
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


def _backfill_problems(fleet: FleetConfig, accounts: Mapping[str, AccountConfig]) -> Iterator[str]:
    backfill = fleet.data.backfill
    for symbol in backfill.keep:
        if find_instrument(fleet, symbol) is None:
            yield f"{FLEET_FILE}: data.backfill.keep: {_unknown(fleet, symbol)}"
    if backfill.screener is not None:
        source = fleet.sources.get(backfill.screener)
        if source is None:
            hint = did_you_mean(backfill.screener, fleet.sources)
            yield f"{FLEET_FILE}: data.backfill.screener: there is no [sources.{backfill.screener}]{hint}"
        elif source.screener is None:
            yield f"{FLEET_FILE}: data.backfill.screener: [sources.{backfill.screener}] has no table 'screener'"
    for name, source in fleet.sources.items():
        if name.removeprefix("gateway-") in accounts and name.startswith("gateway-"):
            yield f"{FLEET_FILE}: sources.{name}: that is the name of an account's own bars; take another"
        for symbol in source.instruments:
            if find_instrument(fleet, symbol) is None:
                yield f"{FLEET_FILE}: sources.{name}.instruments: {_unknown(fleet, symbol)}"


def _correlation_problems(fleet: FleetConfig, name: str, account: AccountConfig) -> Iterator[str]:
    for number, cap in enumerate(account.limits.correlated):
        for symbol in cap.instruments:
            if find_instrument(fleet, symbol) is None:
                yield f"{account_file(name)}: limits.correlated[{number}].instruments: {_unknown(fleet, symbol)}"


def _instance_problems(
    fleet: FleetConfig, accounts: Mapping[str, AccountConfig], instance: InstanceConfig, prices: PriceAccounts
) -> Iterator[str]:
    file = instance_file(instance.name)
    instrument = find_instrument(fleet, instance.instrument)
    if instrument is None:
        yield f"{file}: instrument: {_unknown(fleet, instance.instrument)}"
    base, timeframe = Timeframe.parse(fleet.data.base_timeframe), Timeframe.parse(instance.timeframe)
    if timeframe.seconds % base.seconds:
        yield f"{file}: timeframe: {timeframe} is no multiple of data.base_timeframe ({base}) in {FLEET_FILE}"
    judged = None if instance.selection is None else instance.selection.timeframe
    if judged is not None and Timeframe.parse(judged).seconds % base.seconds:
        yield f"{file}: selection.timeframe: {judged} is no multiple of data.base_timeframe ({base}) in {FLEET_FILE}"
    account = accounts.get(instance.account)
    trades = account is not None and account.enabled and instance.enabled
    if account is not None and trades and instrument is not None and not has_prices(account):
        yield from _feed_problems(fleet, account, instrument, file, prices)


def _feed_problems(
    fleet: FleetConfig, account: AccountConfig, instrument: Instrument, file: str, prices: PriceAccounts
) -> Iterator[str]:
    """Check that somebody quotes what a paper account needs; it has no prices of its own."""
    if fleet.market.feed == "none":
        if not prices.with_prices:
            yield (
                f"{file}: instrument: a paper account has no prices while market.feed is 'none' in {FLEET_FILE}: set a"
                " feed, or enabled = false here (backtests run it all the same)"
            )
        elif prices.account_of(instrument.symbol) is None and not prices.traded_on(instrument.symbol):
            yield (
                f"{file}: instrument: of {', '.join(prices.with_prices)} nobody is said to bring the prices of"
                f" {instrument.symbol}: name one in {PRICE_ACCOUNTS} in {FLEET_FILE}"
            )
        return
    fed = fleet.market.instruments
    if instrument.symbol not in fed:
        yield f"{file}: instrument: nobody quotes it; add {instrument.symbol!r} to market.instruments in {FLEET_FILE}"
        return
    quote, home = instrument.quote, account.currency
    found = (find_instrument(fleet, symbol) for symbol in fed)
    if quote != home and not any(rate and {rate.base, rate.quote} == {quote, home} for rate in found):
        yield (
            f"{file}: instrument: {instrument.symbol} is in {quote} and account {account.name!r} in {home}: add"
            f" {quote}/{home} or {home}/{quote} to market.instruments in {FLEET_FILE}"
        )


def _price_problems(
    fleet: FleetConfig,
    accounts: Mapping[str, AccountConfig],
    instances: Mapping[str, InstanceConfig],
    prices: PriceAccounts,
) -> Iterator[str]:
    """Check who brings prices: nobody is named who has none, and no two for one instrument."""
    market = fleet.market
    named = {f"{PRICE_ACCOUNTS}.{symbol!r}": name for symbol, name in market.price_accounts.items()}
    if market.price_account is not None:
        named[PRICE_ACCOUNT] = market.price_account
    for key, name in named.items():
        if market.feed == "none" and name in prices.with_prices:
            continue
        account = accounts.get(name)
        if account is None:
            why = f"there is no {account_file(name)}{did_you_mean(name, accounts)}"
        elif market.feed != "none":
            why = f"all prices come from market.feed = {market.feed!r}; leave it out, or set feed = 'none'"
        elif not account.enabled:
            why = f"account {name!r} is not enabled"
        else:
            why = f"account {name!r} has no prices: its broker is {account.broker!r}"
        yield f"{FLEET_FILE}: {key}: {why}"
    for symbol in market.price_accounts:
        if find_instrument(fleet, symbol) is None:
            yield f"{FLEET_FILE}: {PRICE_ACCOUNTS}: {_unknown(fleet, symbol)}"
    if market.feed != "none":
        for name, account in accounts.items():
            if account.enabled and has_prices(account):
                yield (
                    f"{account_file(name)}: broker: {account.broker!r} has its own prices, and must not trade on"
                    f" those of market.feed = {market.feed!r} in {FLEET_FILE}: set feed = 'none', or disable it"
                )
        return
    for symbol in sorted({one.instrument for one in instances.values() if one.enabled}):
        traded_on = prices.traded_on(symbol)
        if len(traded_on) > 1 and market.price_account is None and symbol not in market.price_accounts:
            yield (
                f"{FLEET_FILE}: {PRICE_ACCOUNTS}: {symbol} is traded on {' and '.join(traded_on)}, and only one account"
                f" brings its prices: write price_accounts = {{ {symbol!r} = {traded_on[0]!r} }} or another of them,"
                " or price_account for all instruments"
            )


def _unknown(fleet: FleetConfig, symbol: str) -> str:
    hint = did_you_mean(symbol, [*fleet.instruments, *KNOWN])
    return f"unknown instrument {symbol!r}{hint or f': define it under [instruments.{symbol!r}] in {FLEET_FILE}'}"
