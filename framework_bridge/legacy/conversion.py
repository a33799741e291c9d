"""From old installations to the files of one new one. Pure: texts in, texts and findings out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from atrader.orders.model import Trade
from framework_bridge.legacy import old_defects
from framework_bridge.legacy.account_file import NewAccount, account_text, new_account
from framework_bridge.legacy.broker_clocks import OldClocks
from framework_bridge.legacy.findings import Finding, Kind
from framework_bridge.legacy.fleet_file import fleet_text
from framework_bridge.legacy.framework_xml import FrameworkXml, parse_framework_xml
from framework_bridge.legacy.front_end import front_end_findings
from framework_bridge.legacy.library_state import START_WITH_A_BAR, carried_state
from framework_bridge.legacy.monitor import OldMonitor
from framework_bridge.legacy.names import Magics, Names
from framework_bridge.legacy.old_config import OldAccount, OldStrategy, OldTrader
from framework_bridge.legacy.old_trades import Owner, convert_trades
from framework_bridge.legacy.presets import Preset
from framework_bridge.legacy.strategy_file import NewStrategy, OldInstance, StrategyFiles, new_strategy
from framework_bridge.legacy.virtual_trades import OldTrades
from framework_bridge.parameters import CALL_DEADLINE_S

LIBRARY: Final = "libAsirikuyFrameworkAPI.so"
"""File of the C library on Linux."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user wants.

    Attributes
    ----------
    paper : bool
        Every account becomes a paper account on synthetic prices.
    library : str, optional
        Path of the C library, absolute or below the new installation.
    """

    paper: bool = False
    library: str | None = None


@dataclass(frozen=True, slots=True)
class OldFiles:
    """One old installation, as far as it is there.

    Attributes
    ----------
    config : OldTrader
        Its ``atrader.config``.
    presets : Mapping of str to (Preset, str)
        By the name that the configuration uses: what is in it, and its text.
    clocks, xml, monitor : optional
        The other files.
    library : str, optional
        Where its C library was found.
    open_trades, closed_trades : Mapping of str to OldTrades
        Virtual trades by number of the account.
    states : Mapping of int to (str, bytes)
        File and content of what the library remembers, by instance id.
    """

    config: OldTrader
    presets: Mapping[str, tuple[Preset, str]] = field(default_factory=dict)
    clocks: OldClocks | None = None
    xml: FrameworkXml | None = None
    monitor: OldMonitor | None = None
    library: str | None = None
    open_trades: Mapping[str, OldTrades] = field(default_factory=dict)
    closed_trades: Mapping[str, OldTrades] = field(default_factory=dict)
    states: Mapping[int, tuple[str, bytes]] = field(default_factory=dict)


@dataclass
class Plan:
    """What is to be written.

    Attributes
    ----------
    files : dict of str to str
        Text by path below the installation.
    folders : list of str
        To be made below the installation.
    states : dict of str to bytes
        What the library remembers of an instance, by path below the installation.
    closed : dict of str to tuple of Trade
        For the history, by account.
    take_over : dict of str to tuple of Trade
        Open ones that the gateway takes over when the broker's position agrees, by account; none where it is known
        that none is left.
    findings : list of Finding
        What there is to say.
    instruments : set of str
        Everything that is traded or looked at, conversions included.
    """

    files: dict[str, str] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    states: dict[str, bytes] = field(default_factory=dict)
    closed: dict[str, tuple[Trade, ...]] = field(default_factory=dict)
    take_over: dict[str, tuple[Trade, ...]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    instruments: set[str] = field(default_factory=set)


def convert(installations: Sequence[OldFiles], wish: Wish) -> Plan:
    """Make the plan of a new installation of old ones; the same for the same files."""
    return _Conversion(wish).of(installations)


class _Conversion:
    def __init__(self, wish: Wish) -> None:
        self._wish = wish
        self._plan = Plan()
        self._account_names, self._instance_names, self._magics = Names(), Names(), Magics()
        self._brokers: list[str] = []  # accounts that trade at a broker with prices
        self._level: int | None = None
        self._monitor: OldMonitor | None = None

    def of(self, installations: Sequence[OldFiles]) -> Plan:
        for old in installations:
            self._add(old)
        plan = self._plan
        plan.files["etc/atrader.toml"] = fleet_text(
            sorted(plan.instruments),
            paper=self._wish.paper,
            price_account=self._brokers[0] if len(self._brokers) > 1 else None,
            severity=self._level,
            monitor=self._monitor,
        )
        return plan

    def _add(self, old: OldFiles) -> None:
        plan, trader = self._plan, old.config
        plan.findings += trader.findings
        for part in (old.clocks, old.xml, old.monitor):
            if part is not None:
                plan.findings += part.findings
        for preset, _ in old.presets.values():
            plan.findings += preset.findings
        self._level = trader.log_severity if self._level is None else self._level
        self._monitor = self._monitor or old.monitor
        accounts = [(account, self._account(trader, account)) for account in trader.accounts]
        if accounts:
            self._library_files(old, accounts[0][1].name)
        by_section = {strategy.section.lower(): strategy for strategy in trader.strategies}
        taken: set[str] = set()
        for account, new in accounts:
            plan.findings += old_defects.of_account(trader, account)
            wanted = [by_section[name] for key in account.strategies if (name := key.lower()) in by_section]
            fresh = [one for one in wanted if one.section not in taken]
            taken.update(one.section for one in fresh)
            instances = [self._strategy(old, account, new, accounts[0][1].name, one) for one in fresh]
            self._trades(old, account, new, _owners(instances))
        self._strangers(old)

    def _account(self, trader: OldTrader, account: OldAccount) -> NewAccount:
        new, findings = new_account(trader, account, self._account_names.take(account.name), paper=self._wish.paper)
        self._plan.findings += findings
        self._plan.files[f"etc/accounts/{new.name}.toml"] = account_text(trader, account, new)
        text = f"is etc/accounts/{new.name}.toml: {new.broker}, {new.positions}, {new.currency}"
        self._plan.findings.append(Finding(Kind.CONVERTED, trader.file, account.line, f"[{account.section}]", text))
        if new.enabled and new.broker != "paper":
            self._brokers.append(new.name)
        return new

    def _library_files(self, old: OldFiles, name: str) -> None:
        """Write the library's own configuration, with folders that are there."""
        plan, folder = self._plan, f"etc/asirikuy/{name}"
        if old.xml is not None:
            text = f"is {folder}/AsirikuyConfig.xml, with folders of this installation"
            plan.findings.append(Finding(Kind.CONVERTED, old.xml.file, 0, "", text))
        else:
            text = "there is no AsirikuyConfig.xml beside it: one with usual values is written"
            plan.findings.append(Finding(Kind.CHANGED, old.config.file, 0, "", text))
        xml = old.xml or parse_framework_xml("<Asirikuy/>", "AsirikuyConfig.xml")
        quick = xml.with_waits_below(CALL_DEADLINE_S)
        plan.findings += quick.findings[len(xml.findings) :]
        temp, log = f"data/asirikuy/{name}", "log/asirikuy"
        plan.folders += [temp, log]
        plan.files[f"{folder}/AsirikuyConfig.xml"] = quick.with_paths(temp=temp, config=folder, log=log).text()
        if old.clocks is None:
            plan.findings.append(
                Finding(
                    Kind.PROBLEM,
                    old.config.file,
                    0,
                    "",
                    "there is no broker-tz.csv beside it",
                    f"put it into {folder}: the library does not start without it",
                )
            )
        else:
            plan.files[f"{folder}/broker-tz.csv"] = old.clocks.text
            text = f"is {folder}/broker-tz.csv: {len(old.clocks.clocks)} clocks"
            plan.findings.append(Finding(Kind.CONVERTED, old.clocks.file, 0, "", text))
        if self._library(old) is None:
            plan.findings.append(
                Finding(
                    Kind.TO_DO,
                    old.config.file,
                    0,
                    "",
                    f"the C library {LIBRARY} was not found beside it: its strategies are incomplete",
                    "import again with --library PATH",
                )
            )

    def _library(self, old: OldFiles) -> str | None:
        return self._wish.library or old.library

    def _strategy(
        self, old: OldFiles, account: OldAccount, new: NewAccount, folder: str, strategy: OldStrategy
    ) -> NewStrategy:
        plan = self._plan
        found = old.presets.get(strategy.set_file or "")
        preset, text = (None, "") if found is None else found
        files = StrategyFiles(self._library(old), f"etc/asirikuy/{folder}/AsirikuyConfig.xml", "etc/asirikuy/")
        name = self._instance_names.take(strategy.section)
        one = OldInstance(old.config, account, strategy, preset, text, old.clocks)
        made = new_strategy(one, new, name, files, self._magics)
        plan.findings += made.findings
        plan.findings += old_defects.of_strategy(old.config, strategy, preset)
        plan.files[f"etc/strategies/{made.file}"] = made.text
        text = f"is etc/strategies/{made.file}, magic {made.magic}"
        plan.findings.append(Finding(Kind.CONVERTED, old.config.file, strategy.line, f"[{strategy.section}]", text))
        if preset is not None and made.preset_text is not None:
            plan.files[f"etc/asirikuy/{name}.set"] = made.preset_text
            text = (
                f"is etc/asirikuy/{name}.set: {len(preset.values)} values, {len(preset.ranges)} ranges of the optimiser"
            )
            plan.findings += [Finding(Kind.CONVERTED, preset.file, 0, "", text), *front_end_findings(preset)]
        plan.instruments |= made.instruments
        state = carried_state(made, old.states.get(made.old_id) if made.old_id is not None else None)
        if isinstance(state, bytes):
            plan.states[f"data/asirikuy/{folder}/{made.magic}.state"] = state
        elif new.enabled and new.broker != "paper":
            plan.findings.append(
                Finding(Kind.TO_DO, old.config.file, strategy.line, f"[{strategy.section}]", state, START_WITH_A_BAR)
            )
        return made

    def _trades(self, old: OldFiles, account: OldAccount, new: NewAccount, owners: Mapping[int, Owner]) -> None:
        plan, key = self._plan, account.account_id or ""
        history, still_open = old.closed_trades.get(key), old.open_trades.get(key)
        where = Finding(Kind.CONVERTED, old.config.file, account.line, f"[{account.section}]", "")
        if history is not None:
            plan.findings += history.findings
            converted = convert_trades(history.trades, new.name, new.currency, owners)
            plan.closed[new.name] = converted.trades
            if converted.trades:
                text = f"{len(converted.trades)} closed virtual trades; their profit is from {converted.profit_from}"
                plan.findings.append(where._replace(text=text))
        if still_open is None:
            return
        if not still_open.findings:
            plan.take_over[new.name] = ()  # until there are some: what an earlier import left is over
        plan.findings += still_open.findings
        converted = convert_trades(still_open.trades, new.name, new.currency, owners)
        for order in converted.pending:
            text = f"{order} waited in the old trader itself: nobody holds it; the strategy wants it again or not"
            plan.findings.append(Finding(Kind.NO_COUNTERPART, order.where, 0, "", text))
        if not converted.trades:
            return
        count = f"{len(converted.trades)} open virtual trades"
        if new.broker == "paper":
            text = f"{count} stay in the old files: a paper account begins flat"
            plan.findings.append(where._replace(kind=Kind.CHANGED, text=text))
            return
        if not account.uses_wrapper:
            text = f"{count} are left alone: useOrderWrapper is off, so the broker's tickets are the truth"
            plan.findings.append(where._replace(kind=Kind.PROBLEM, text=text, remedy="set it to 1 if they are"))
            return
        plan.take_over[new.name] = converted.trades
        plan.findings += converted.findings
        text = f"{count} wait for the gateway, which compares them with the broker"
        remedy = "stop the old trader before the first start, for good"
        plan.findings.append(where._replace(kind=Kind.TO_DO, text=text, remedy=remedy))

    def _strangers(self, old: OldFiles) -> None:
        """Name the virtual trades of accounts that the configuration does not have."""
        known = {account.account_id for account in old.config.accounts}
        for key in sorted({*old.open_trades, *old.closed_trades} - known):
            count = sum(len(part[key].trades) for part in (old.open_trades, old.closed_trades) if key in part)
            text = f"{count} virtual trades of account {key}, which this configuration does not name, are left alone"
            remedy = f"import with a configuration whose accountID is {key}"
            self._plan.findings.append(Finding(Kind.PROBLEM, old.config.file, 0, "", text, remedy))


def _owners(instances: Sequence[NewStrategy]) -> dict[int, Owner]:
    """Return whose trades carry an old instance id; nobody's when several strategies share it."""
    ids = [one.old_id for one in instances]
    return {
        one.old_id: Owner(one.name, one.magic)
        for one in instances
        if one.old_id is not None and ids.count(one.old_id) == 1
    }
