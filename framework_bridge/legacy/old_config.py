"""``atrader.config`` of the old trader: its accounts, its strategies, and what it says about everything else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final, NamedTuple

from atrader.configuration.problems import did_you_mean
from framework_bridge.legacy.findings import Finding, Kind
from framework_bridge.legacy.ini import Ini, IniSection, Keys, parse_ini

MAX_RATES: Final = 10
_MINUTES: Final = 43_200  # the library's month
_MAX_BARS: Final = 10_000_000
_MISC: Final = "misc"
_PLOTS: Final = "plots"
_NO_MAIL: Final = "no mail is sent yet; alerts are in the log and in 'atrader history alerts'"
_MISC_GONE: Final = {
    "screenLogSeverity": "'atrader-manager logs -f' shows what the files get",
    "emailLogSeverity": _NO_MAIL,
    **dict.fromkeys(("smtp", "port", "to", "from"), _NO_MAIL),
    **dict.fromkeys(("user", "password"), f"{_NO_MAIL}; the secret was not copied"),
    "executionTime": "nothing is asked for in a loop: bars and quotes come when there are some",
}
_NO_PAGES: Final = "no pictures and pages yet; 'atrader-manager account' and 'status' show the same in the terminal"
_PLOTS_GONE: Final = dict.fromkeys(("graphicPaintingPeriod", "enableWebServer", "webServerPort"), _NO_PAGES)


class OldRates(NamedTuple):
    """What a strategy wants at one rates index; symbol None: nothing."""

    symbol: str | None  # "D" is the strategy's own pair
    minutes: int  # 0: that of the strategy
    bars: int


_NO_RATES: Final = OldRates(None, 0, 0)


@dataclass(frozen=True, slots=True)
class OldStrategy:
    """One section of a strategy."""

    section: str
    line: int
    name: str
    set_file: str | None
    pair: str | None
    strategy_id: int | None
    passed_minutes: int | None
    rates: tuple[OldRates, ...]
    rates_hold: bool  # False: the three lists do not say which bars the library is to get


@dataclass(frozen=True, slots=True)
class OldAccount:
    """One section of an account; login and password are only known to be there."""

    section: str
    line: int
    name: str
    broker: str | None
    reference_broker: str | None
    strategies: tuple[str, ...]
    account_id: str | None
    is_demo: bool
    is_java: bool
    uses_wrapper: bool
    uses_streaming: bool
    currency: str | None  # "depositSymbol" as it is written
    initial_balance: str | None
    has_secrets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OldTrader:
    """A whole ``atrader.config``.

    Attributes
    ----------
    file : str
        Its name, for messages.
    accounts, strategies : tuple
        In the file's order; strategies whether an account names them or not.
    log_severity : int or None
        0 off, 1 debug to 5 critical.
    findings : tuple of Finding
        Of reading it.
    """

    file: str
    accounts: tuple[OldAccount, ...]
    strategies: tuple[OldStrategy, ...]
    log_severity: int | None
    findings: tuple[Finding, ...]


def parse_old_config(text: str, file: str) -> OldTrader:
    """Read the text of an ``atrader.config``; never fails: what is wrong is in the findings."""
    ini = parse_ini(text, file)
    accounts = tuple(_account(ini, section) for section in ini.sections.values() if _is_account(section))
    strategies = tuple(_strategy(ini, section) for section in ini.sections.values() if _is_strategy(section))
    log_severity = _misc(ini)
    _plots(ini)
    if not accounts:
        ini.findings.append(
            Finding(Kind.PROBLEM, file, 0, "", "has no section [account]", "is it the old trader's atrader.config?")
        )
    _cross_check(ini, accounts, strategies)
    return OldTrader(file, accounts, strategies, log_severity, tuple(ini.findings))


def _is_account(section: IniSection) -> bool:
    return section.name.lower().startswith("account") or "strategies" in section.values


def _is_strategy(section: IniSection) -> bool:
    return not _is_account(section) and section.name.lower() not in (_MISC, _PLOTS)


def _account(ini: Ini, section: IniSection) -> OldAccount:
    keys = Keys(ini, section)
    secrets = tuple(key for key in ("login", "password") if keys.text(key) is not None)
    demo = keys.flag("isDemo")
    if demo is None:
        keys.find(
            Kind.CHANGED, "isDemo", "is missing: taken for a demo account", "correct the account file if it is not"
        )
    if keys.flag("hasStaticIP"):
        keys.find(Kind.NO_COUNTERPART, "hasStaticIP", "was for JForex's log-in by a captcha")
    account = OldAccount(
        section.name,
        section.line,
        keys.text("accountName") or section.name,
        keys.text("brokerName"),
        keys.text("refBrokerName"),
        keys.items("strategies"),
        keys.text("accountID"),
        demo is not False,
        bool(keys.flag("isJava")),
        bool(keys.flag("useOrderWrapper")),
        bool(keys.flag("useStreaming")),
        keys.text("depositSymbol"),
        keys.text("initialBalance"),
        secrets,
    )
    keys.tell_unknown()
    return account


def _strategy(ini: Ini, section: IniSection) -> OldStrategy:
    keys = Keys(ini, section)
    strategy = OldStrategy(
        section.name,
        section.line,
        keys.text("name") or section.name,
        keys.text("setFile") or keys.text("set"),
        keys.text("pair"),
        keys.whole("strategyID", 0, 2**31 - 1),
        keys.whole("passedTimeFrame", 1, _MINUTES),
        *_rates(keys),
    )
    keys.tell_unknown()
    return strategy


def _rates(keys: Keys) -> tuple[tuple[OldRates, ...], bool]:
    """Return what is asked for as far as it can be read, and whether that is all of it."""
    bars, symbols, minutes = (
        keys.items(key) for key in ("rateRequirements", "symbolRequirements", "timeframeRequirements")
    )
    longest = max(len(bars), len(symbols), len(minutes))
    belongs = len(bars) == len(symbols) == len(minutes)
    if not belongs:
        keys.problem(
            "rateRequirements",
            f"has {len(bars)} entries, symbolRequirements {len(symbols)}, timeframeRequirements {len(minutes)}; they"
            " belong together one by one",
        )
    if longest > MAX_RATES:
        keys.problem("rateRequirements", f"has {longest} entries, the library takes {MAX_RATES}")
    entries = zip_longest(bars, symbols, minutes, fillvalue="0")
    rates = [_one_rates(keys, number, *entry) for number, entry in enumerate(entries)]
    held = tuple(_NO_RATES if one is None else one for one in rates[:MAX_RATES])
    return held, belongs and longest <= MAX_RATES and None not in rates


def _one_rates(keys: Keys, number: int, bars: str, symbol: str, minutes: str) -> OldRates | None:
    nothing = symbol.upper() in ("N", "0")
    wanted, length = _whole(bars, _MAX_BARS), _whole(minutes, _MINUTES)
    if not nothing and (wanted is None or length is None):
        keys.problem("rateRequirements", f"entry {number}: {bars!r} bars of {minutes!r} minutes of {symbol!r}")
        return None
    return _NO_RATES if nothing or not wanted else OldRates(symbol, length or 0, wanted)


def _whole(text: str, high: int) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 and int(text) <= high else None


def _misc(ini: Ini) -> int | None:
    section = ini.section(_MISC)
    if section is None:
        return None
    keys = Keys(ini, section)
    severity = keys.whole("logSeverity", 0, 5)
    if severity is not None:
        keys.find(Kind.CONVERTED, "logSeverity", "is log.level in etc/atrader.toml")
    _tell(keys, _MISC_GONE)
    keys.tell_unknown()
    return severity


def _plots(ini: Ini) -> None:
    section = ini.section(_PLOTS)
    if section is not None:
        keys = Keys(ini, section)
        _tell(keys, _PLOTS_GONE)
        keys.tell_unknown()


def _tell(keys: Keys, gone: Mapping[str, str]) -> None:
    for key, text in gone.items():
        if keys.text(key) is not None:
            keys.find(Kind.NO_COUNTERPART, key, text)


def _cross_check(ini: Ini, accounts: tuple[OldAccount, ...], strategies: tuple[OldStrategy, ...]) -> None:
    known = {strategy.section.lower(): strategy for strategy in strategies}
    named: dict[str, str] = {}
    for account in accounts:
        where = Keys(ini, ini.sections[account.section.lower()])
        for name in account.strategies:
            if name.lower() not in known:
                hint = did_you_mean(name.lower(), known)
                where.problem("strategies", f"there is no section [{name}]{hint}")
            elif named.setdefault(name.lower(), account.section) != account.section:
                where.problem("strategies", f"[{name}] is a strategy of [{named[name.lower()]}] already")
    for section, strategy in known.items():
        if section not in named:
            text = "no account names it: not taken over, as the old trader did not run it"
            ini.findings.append(Finding(Kind.CHANGED, ini.file, strategy.line, f"[{strategy.section}]", text))
