"""What brokers say of the accounts, held against their files. Asks and compares; never sends an order."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from atrader.calendars import Calendar
from atrader.clock import Clock
from atrader.configuration.account import AccountConfig
from atrader.configuration.cross_checks import account_file, instance_file
from atrader.configuration.fleet import Installation
from atrader.configuration.instance import InstanceConfig
from atrader.errors import AtraderError, ConfigError
from broker_api.examination import EXAMINERS, AccountFacts
from manager.finding import Finding

_ANSWER_S = 30.0  # for all questions about one account
_SKEW_S = 1.0  # more than a time server leaves over


def examine_accounts(installation: Installation, clock: Clock) -> list[Finding]:
    """Ask the brokers of all enabled accounts at the same time; blocks for 30 s at most."""
    enabled = [account for account in installation.accounts.values() if account.enabled]

    async def ask() -> list[list[Finding]]:
        return await asyncio.gather(*(_examined(account, installation, clock) for account in enabled))

    return [finding for found in asyncio.run(ask()) for finding in found]


async def _examined(account: AccountConfig, installation: Installation, clock: Clock) -> list[Finding]:
    instances = [item for item in installation.instances.values() if item.enabled and item.account == account.name]
    symbols = sorted({item.instrument for item in instances})
    what = f"account {account.name}: login"
    try:
        async with asyncio.timeout(_ANSWER_S):
            facts = await EXAMINERS[account.broker](account, symbols, clock)
    except AtraderError as error:
        return [Finding("error", what, error.message, _remedy(error, account_file(account.name)))]
    except TimeoutError:
        return [Finding("error", what, f"the broker did not answer within {_ANSWER_S:g} s", "try again later")]
    return list(judge(account, installation, instances, facts, clock.now_ns()))


def _remedy(error: AtraderError, file: str) -> str:
    if error.details.get("exit_code") == "AUTH":
        return f"make a new token, or correct {file}"
    return f"correct {file}, or what it refers to" if isinstance(error, ConfigError) else "try again later"


def judge(
    account: AccountConfig,
    installation: Installation,
    instances: list[InstanceConfig],
    facts: AccountFacts,
    now_ns: int,
) -> Iterator[Finding]:
    """Yield what follows from a broker's answers. Pure."""
    what, file = f"account {account.name}", account_file(account.name)
    if not facts.may_use:
        known = ", ".join(facts.account_ids) or "none"
        text = f"the credentials may use other accounts only: {known}"
        yield Finding("error", f"{what}: login", text, f"correct the id in {file}, or take that account's token")
        return
    if facts.simulated:
        yield Finding("ok", f"{what}: login", "a simulated account: there is nobody to log in to")
    else:
        trip = "" if facts.round_trip_s is None else f"; an answer took {facts.round_trip_s * 1000:.0f} ms"
        yield Finding("ok", f"{what}: login", f"the broker lets us in{trip}")
    if facts.trouble:
        yield Finding("error", f"{what}: permissions", "; ".join(facts.trouble), "settle it with the broker first")
    else:
        yield Finding("ok", f"{what}: permissions", "the account may trade, as far as the broker says")
    yield from _streams(account, facts)
    yield from _clock(account, facts)
    yield from _kind(account, facts)
    yield from _currency(account, facts)
    for item in instances:
        yield _instrument(item, installation.fleet.calendar_of(item.instrument), facts, now_ns)


def _streams(account: AccountConfig, facts: AccountFacts) -> Iterator[Finding]:
    remedy = f"correct {account.broker}.stream_url in {account_file(account.name)}, or let it pass the firewall"
    for name, trouble in facts.streams.items():
        what = f"account {account.name}: stream of {name}"
        yield Finding("error", what, trouble, remedy) if trouble else Finding("ok", what, "it comes")


def _clock(account: AccountConfig, facts: AccountFacts) -> Iterator[Finding]:
    skew_s, what = facts.clock_skew_s, f"account {account.name}: clock"
    if skew_s is None:
        return
    text = f"the broker's clock is {skew_s:+.3f} s from ours"
    remedy = "let an NTP client keep this machine's clock"
    limit_s = account.trade.max_price_age
    if abs(skew_s) >= limit_s:
        yield Finding("error", what, f"{text}, more than trade.max_price_age: no open would pass the gate", remedy)
    elif abs(skew_s) >= _SKEW_S:
        yield Finding("warning", what, text, remedy)
    else:
        yield Finding("ok", what, text)


def _kind(account: AccountConfig, facts: AccountFacts) -> Iterator[Finding]:
    what, file = f"account {account.name}: kind", account_file(account.name)
    if facts.positions is not None:
        if account.positions != facts.positions:
            said = "says" if "positions" in account.model_fields_set else "does not say so, which means"
            text = f"the broker keeps a {facts.positions} account, {file} {said} {account.positions}"
            yield Finding("error", what, text, f"write positions = '{facts.positions}'")
        else:
            yield Finding("ok", what, facts.positions)
    if not facts.carries_ids:
        text = "the broker lets orders of this account carry no ids (it is linked to MT4)"
        remedy = f"keep data/journal/{account.name}.db safe: only it knows whose a trade is"
        yield Finding("warning", f"account {account.name}: ids", text, remedy)


def _currency(account: AccountConfig, facts: AccountFacts) -> Iterator[Finding]:
    what, file = f"account {account.name}: currency", account_file(account.name)
    if facts.currency is None:
        return
    if account.currency != facts.currency:
        said = "says" if "currency" in account.model_fields_set else "does not say so, which means"
        text = f"the account is in {facts.currency}, {file} {said} {account.currency}"
        yield Finding("error", what, text, f"write currency = '{facts.currency}'")
    else:
        yield Finding("ok", what, facts.currency)


def _instrument(item: InstanceConfig, calendar: Calendar, facts: AccountFacts, now_ns: int) -> Finding:
    what = f"account {item.account}: {item.instrument} of {item.name}"
    if item.instrument not in facts.instruments:
        remedy = f"take another instrument in {instance_file(item.name)}, or have the broker enable it"
        return Finding("error", what, "the broker does not offer it on this account", remedy)
    tradeable = facts.instruments[item.instrument]
    if tradeable is None:
        return Finding("ok", what, "offered")
    if tradeable:
        return Finding("ok", what, "can be traded now")
    if calendar.is_open(now_ns):
        text = f"cannot be traded now, although its market ({calendar.name}) ought to be open"
        return Finding("warning", what, text, "ask again; a holiday goes into [calendars] of etc/atrader.toml")
    return Finding("ok", what, "its market is closed now")
