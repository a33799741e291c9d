"""``etc/strategies/NAME.toml`` of an old strategy, and its preset."""

from __future__ import annotations

from typing import Final, NamedTuple

from pydantic import ValidationError

from atrader.clock import NS_PER_S
from atrader.configuration.problems import problems_of
from atrader.orders.ids import MAX_MAGIC
from atrader.timeframes import Timeframe
from framework_bridge.abi.settings import StrategyId
from framework_bridge.bars_plan import call_timeframe
from framework_bridge.legacy.account_file import NewAccount
from framework_bridge.legacy.broker_clocks import OldClocks
from framework_bridge.legacy.findings import Finding, Kind, Notes
from framework_bridge.legacy.names import Magics
from framework_bridge.legacy.old_config import OldAccount, OldRates, OldStrategy, OldTrader
from framework_bridge.legacy.old_text import lines_of
from framework_bridge.legacy.presets import Preset
from framework_bridge.legacy.symbols import canonical, conversion_of
from framework_bridge.legacy.toml_text import toml_text
from framework_bridge.parameters import AsirikuyParameters

_HOUR: Final = 60  # minutes; longer bars are handed to the library as hours, which it puts together itself
NO_LIBRARY: Final = "the C library was not found"
"""What a strategy lacks without one."""

_ID: Final = "STRATEGY_INSTANCE_ID"


class StrategyFiles(NamedTuple):
    """Paths that the strategies of one installation share, absolute or below the new installation."""

    library: str | None
    framework_config: str
    preset_folder: str  # with a slash at the end


class NewStrategy(NamedTuple):
    """What a strategy becomes.

    Attributes
    ----------
    name : str
        Of the instance.
    magic : int
        Its magic number.
    old_id : int or None
        The instance id that its old trades carry.
    file, text : str
        Of the instance, below etc/strategies; ``NAME.toml.incomplete`` when it cannot run yet.
    preset_text : str or None
        Of its preset; None when there was none.
    instruments : frozenset of str
        What it trades and looks at, conversions included; empty when it is incomplete.
    findings : tuple of Finding
        What there is to say.
    """

    name: str
    magic: int
    old_id: int | None
    file: str
    text: str
    preset_text: str | None
    instruments: frozenset[str]
    findings: tuple[Finding, ...]


class OldInstance(NamedTuple):
    """One strategy of an old installation, with everything that belongs to it; preset and clocks may be missing."""

    trader: OldTrader
    account: OldAccount
    strategy: OldStrategy
    preset: Preset | None
    preset_text: str
    clocks: OldClocks | None


def new_strategy(old: OldInstance, new: NewAccount, name: str, files: StrategyFiles, magics: Magics) -> NewStrategy:
    """Make the files of a strategy instance; an incomplete one is written as far as it goes."""
    strategy, preset = old.strategy, old.preset
    notes = Notes(old.trader.file, strategy.line, strategy.section)
    lacks = _lacks(strategy, preset, notes)
    symbol = canonical(strategy.pair or "")
    rates, left_out = _rates(strategy, symbol or "", preset, notes)
    if (left_out or not strategy.rates_hold) and not lacks:
        lacks.append("its lists of requirements have problems")
    if files.library is None:
        lacks.append(NO_LIBRARY)
    magic, is_first = _magic(strategy, name, preset, magics, notes)
    _clock_rows(old.account, old.clocks, notes)
    parameters = _parameters(old, new, f"{files.preset_folder}{name}.set", files, rates)
    timeframe, wrong = _checked(parameters)
    lacks += wrong if not lacks else []
    for lack in lacks:
        if lack != NO_LIBRARY:  # told once for all
            notes.add(Kind.PROBLEM, "", f"cannot run: {lack}", "complete its file in etc/strategies")
    values: dict[str, object] = {
        "strategy": "asirikuy",
        "account": new.name,
        "magic": magic,
        "instrument": symbol,
        "timeframe": timeframe,
        "enabled": None if new.enabled and is_first and strategy.strategy_id in {*StrategyId} else False,
        "parameters": parameters,
    }
    comments = [f"From [{strategy.section}] of {old.trader.file}: {strategy.name}."]
    comments += [f"Incomplete: {lack}." for lack in lacks]
    return NewStrategy(
        name,
        magic,
        None if preset is None or not is_first else preset.instance_id,
        f"{name}.toml.incomplete" if lacks else f"{name}.toml",
        toml_text(comments, values),
        None if preset is None else _with_id(preset, old.preset_text, magic),
        frozenset() if lacks else _instruments(symbol or "", rates, new.currency),
        tuple(notes.found),
    )


def _parameters(
    old: OldInstance, new: NewAccount, preset: str, files: StrategyFiles, rates: list[object]
) -> dict[str, object]:
    return {
        "library": files.library,
        "framework_config": files.framework_config,
        "preset": preset,
        "strategy_id": old.strategy.strategy_id,
        "broker_name": old.account.broker,
        "reference_name": old.account.reference_broker,
        "account_number": _account_number(old.account),
        "clock_check": "own" if new.broker == "paper" else None,  # a trial needs no time server
        "rates": rates,
    }


def _instruments(symbol: str, rates: list[object], currency: str) -> frozenset[str]:
    looks_at = {symbol, *(str(one["symbol"]) for one in rates if isinstance(one, dict))}
    conversions = (conversion_of(one, currency) for one in looks_at)
    return frozenset({*looks_at, *(one for one in conversions if one is not None)})


def _lacks(strategy: OldStrategy, preset: Preset | None, notes: Notes) -> list[str]:
    """Return what a strategy cannot do without."""
    lacks = []
    if preset is None:
        lacks.append(f"its preset {strategy.set_file or ''} was not found")
    elif preset.problems:
        lacks.append("its preset has problems")
    if canonical(strategy.pair or "") is None:
        lacks.append(f"its pair {strategy.pair or ''} is not known")
    if strategy.strategy_id is None:
        lacks.append("it has no strategyID")
    elif strategy.strategy_id not in {*StrategyId}:
        known = ", ".join(f"{one.value} {one.name}" for one in StrategyId)
        text = f"the library no longer has strategy {strategy.strategy_id} (it would answer 3006): not enabled"
        notes.add(Kind.PROBLEM, "strategyID", text, f"take one of {known}")
    if not any(one.symbol is not None for one in strategy.rates):
        lacks.append("it asks for no rates")
    return lacks


def _rates(strategy: OldStrategy, pair: str, preset: Preset | None, notes: Notes) -> tuple[list[object], bool]:
    """Return the parameter ``rates``, and whether something that is asked for was left out of it."""
    own = int(preset.values.get("STRATEGY_TIMEFRAME", 0.0)) if preset is not None else None
    made = [_one_rates(number, one, pair, own, notes) for number, one in enumerate(strategy.rates)]
    left_out = any(new == "" and old.symbol is not None for old, new in zip(strategy.rates, made, strict=True))
    while made and made[-1] == "":
        made.pop()
    if strategy.passed_minutes is not None and strategy.passed_minutes > _HOUR:
        text = f"bars of {strategy.passed_minutes} minutes are handed over as hours, which the library puts together"
        notes.add(Kind.CHANGED, "passedTimeFrame", text)
    return made, left_out


def _one_rates(number: int, one: OldRates, pair: str, own: int | None, notes: Notes) -> object:
    if one.symbol is None:
        return ""
    symbol = pair if one.symbol.upper() == "D" else canonical(one.symbol)
    minutes = one.minutes or own
    if minutes is None:
        return ""  # its preset is missing, which is told
    if not symbol:
        if one.symbol.upper() != "D":  # else the pair itself is reported
            notes.add(Kind.PROBLEM, "symbolRequirements", f"entry {number}: {one.symbol!r} is no pair: left out")
        return ""
    try:
        timeframe = Timeframe.of_ns(minutes * 60 * NS_PER_S).name
    except ValueError:
        text = f"entry {number}: nobody has bars of {minutes} minutes: left out"
        notes.add(Kind.PROBLEM, "timeframeRequirements", text, "0 is STRATEGY_TIMEFRAME of the preset")
        return ""
    return {"symbol": symbol, "timeframe": timeframe, "bars": one.bars}


def _account_number(account: OldAccount) -> int | None:
    """Return the number that tells the account to the library: of OANDA's four the one of the user."""
    parts = (account.account_id or "").split("-")
    number = parts[2] if len(parts) == 4 else parts[0]
    return int(number) if number.isascii() and number.isdecimal() and 0 < int(number[:12]) <= MAX_MAGIC else None


def _checked(parameters: dict[str, object]) -> tuple[str | None, list[str]]:
    """Return the timeframe that the instance needs, and what its strategy would refuse."""
    given = {key: value for key, value in parameters.items() if value is not None}
    try:
        checked = AsirikuyParameters.model_validate(given)
    except ValidationError as error:
        return None, problems_of(error, AsirikuyParameters, given)
    return call_timeframe(checked.rates), []


def _magic(strategy: OldStrategy, name: str, preset: Preset | None, magics: Magics, notes: Notes) -> tuple[int, bool]:
    """Return the magic number, and whether the strategy is the first with its old one."""
    magic = None if preset is None else preset.instance_id
    if magic is None or not 0 < magic <= MAX_MAGIC:
        made = magics.make(name)
        if preset is not None:
            told = preset.values.get(_ID)
            text = f"{_ID} is {'missing' if told is None else format(told, 'g')}, no magic number: {made} is taken"
            notes.add(Kind.CHANGED, "setFile", f"{text} and written into the preset")
        return made, True
    owner = magics.owner(magic)
    if owner is None:
        magics.take(magic, name)
        return magic, True
    made = magics.make(name)
    text = f"{_ID} {magic} is that of {owner} already: {made} is written into its preset, and it is not enabled"
    notes.add(Kind.PROBLEM, "setFile", text, "see whose trades they are, then set enabled = true")
    return made, False


def _with_id(preset: Preset, text: str, magic: int) -> str:
    """Return a preset's text with another instance id; everything else stays as it is."""
    if preset.instance_id == magic:
        return text
    lines = lines_of(text)
    if _ID in preset.lines:
        lines[preset.lines[_ID] - 1] = f"{_ID}={magic}"
        return "\n".join(lines)
    own = [f"; {_ID} by atrader import-legacy", f"{_ID}={magic}"]
    return "\n".join([*own, *lines])


def _clock_rows(account: OldAccount, clocks: OldClocks | None, notes: Notes) -> None:
    for key, name in (("brokerName", account.broker), ("refBrokerName", account.reference_broker)):
        if clocks is not None and clocks.clocks and name not in clocks.clocks:
            text = f"{key} {name!r} of [{account.section}] is no row of broker-tz.csv (it would answer 3019)"
            notes.add(Kind.PROBLEM, "", text, "add the row; upper and lower case count")
