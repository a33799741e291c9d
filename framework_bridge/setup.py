"""What an instance of the C library runs with: parameters, preset, XML and clocks, read and checked together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from atrader.broker_clock import BrokerClock
from atrader.errors import ConfigError
from atrader.strategy import Placement
from framework_bridge.abi.elf import require_loadable
from framework_bridge.abi.settings import ADDITIONAL, AUTOBBS_TREND_MODE, Setting, ends_process, settings_array
from framework_bridge.bars_plan import IndexPlan, entry_problems, index_plan, minutes_of
from framework_bridge.legacy.broker_clocks import parse_old_clocks
from framework_bridge.legacy.findings import Finding, Kind
from framework_bridge.legacy.framework_xml import (
    CLOCKS,
    CONFIG_FOLDER,
    LOG_FOLDER,
    NTP_SERVERS,
    NTP_TIMEOUT,
    TEMP,
    parse_framework_xml,
)
from framework_bridge.legacy.old_text import decode
from framework_bridge.legacy.presets import Preset, read_preset
from framework_bridge.parameters import AsirikuyParameters

_LEAST_ORDERS: Final = 200
"""Orders passed at least: open ones and enough history for strategies that count what they won."""

_NTP_INTERVAL: Final = "NTP/UpdateInterval"
_STOPS_TRADING: Final = (Kind.PROBLEM, Kind.CHANGED)  # what an import mends, a file that is to trade must not have
MONITOR: Final = 2


@dataclass(frozen=True, slots=True)
class Setup:
    """Everything that is known before the library is loaded.

    Attributes
    ----------
    settings : ndarray of float64, shape (64,)
        As passed, but for what changes with a call.
    plans : tuple of IndexPlan or None
        By rates index.
    clock, reference : BrokerClock
        Of ``broker_name`` and of ``reference_name``.
    library, framework_config, temp, log : Path
        Absolute.
    has_relative_paths : bool
        Whether the XML names folders relative to the working directory.
    max_spread : float
        Price units; 0 none.
    max_drawdown_percent : float
        Of the instance; 0 none.
    own_balance : Decimal
        What the instance began with, where it sizes lots by its own profit (``USE_INSTANCE_BALANCE``); 0 elsewhere.
    ntp_interval_s : float
        How often the library asks a time server.
    """

    settings: NDArray[np.float64]
    plans: tuple[IndexPlan | None, ...]
    clock: BrokerClock
    reference: BrokerClock
    library: Path
    framework_config: Path
    temp: Path
    log: Path
    has_relative_paths: bool
    max_spread: float
    max_drawdown_percent: float
    own_balance: Decimal
    ntp_interval_s: float

    def setting(self, which: Setting) -> float:
        """Return one of the settings."""
        return float(self.settings[which])

    @property
    def is_testing(self) -> bool:
        """Whether the library neither looks at clocks nor keeps files."""
        return bool(self.setting(Setting.IS_BACKTESTING))

    @property
    def is_monitoring(self) -> bool:
        """Whether signals are recorded and nothing is sent."""
        return self.setting(Setting.OPERATIONAL_MODE) == MONITOR

    @property
    def runs_every_tick(self) -> bool:
        """Whether each call runs the strategy, not only the first of a bar."""
        return bool(self.setting(Setting.RUN_EVERY_TICK))


def read_setup(parameters: AsirikuyParameters, placement: Placement) -> Setup:
    """Read and check everything that can be known without loading the library.

    Raises
    ------
    ConfigError
        With one line for each problem.
    """
    problems = _Problems()
    with problems:
        require_loadable(placement.root / parameters.library)
    preset = None
    with problems:
        preset = read_preset(placement.root / parameters.preset)
    problems.extend(_placement_problems(parameters, placement))
    problems.extend(entry_problems(parameters.rates, placement.timeframe, placement.instruments))
    asks = placement.is_live and parameters.clock_check == "ntp"
    limit_s = parameters.call_deadline if asks else math.inf
    xml = _read_xml(placement.root / parameters.framework_config, limit_s, problems)
    clocks = _read_clocks(parameters, placement.root, xml, problems) if xml else None
    settings = None
    if preset is not None:
        problems.extend(_preset_problems(preset, parameters, placement))
        with problems:
            settings = _settings(preset, parameters, placement)
    plans: list[IndexPlan | None] = []
    if problems.none:
        with problems:
            for entry in parameters.rates:
                plans.append(None if entry is None else index_plan(entry, placement.instruments))
    problems.raise_all()
    assert preset is not None and settings is not None and clocks is not None  # noqa: PT018 - else there was a problem
    own = preset.front_end.get("USE_INSTANCE_BALANCE", "").strip().lower() in ("1", "true")
    return Setup(
        settings=settings,
        plans=tuple(plans),
        clock=clocks[0],
        reference=clocks[1],
        library=placement.root / parameters.library,
        framework_config=placement.root / parameters.framework_config,
        temp=placement.root / xml[TEMP],
        log=placement.root / xml[LOG_FOLDER],
        has_relative_paths=not all(Path(xml[key]).is_absolute() for key in (TEMP, CONFIG_FOLDER, LOG_FOLDER)),
        max_spread=float(settings[Setting.MAX_SPREAD]),
        max_drawdown_percent=float(settings[Setting.MAX_DRAWDOWN_PERCENT]),
        own_balance=_amount(preset, "INIT_INSTANCE_BALANCE") if own else Decimal(0),
        ntp_interval_s=float(xml[_NTP_INTERVAL]),
    )


class _Problems:
    """Collects what is wrong; as a context it takes the `ConfigError` of one step in."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, ConfigError):
            self._lines += str(error).splitlines()
            return True
        return False

    @property
    def none(self) -> bool:
        return not self._lines

    def add(self, line: str) -> None:
        self._lines.append(line)

    def extend(self, lines: Iterator[str]) -> None:
        self._lines += lines

    def find(self, findings: tuple[Finding, ...]) -> None:
        """Take in what a reader of old files found; where an import writes something better, it is named."""
        lines = (str(one) for one in findings if one.kind in _STOPS_TRADING)
        self._lines += [line.replace(" is written", " would do") for line in lines]

    def raise_all(self) -> None:
        if self._lines:
            raise ConfigError("\n".join(dict.fromkeys(self._lines)))


def _placement_problems(parameters: AsirikuyParameters, placement: Placement) -> Iterator[str]:
    first, own = parameters.rates[0], placement.instrument.symbol
    assert first is not None  # the parameters were checked
    if first.symbol != own and first.symbol in placement.instruments:
        yield f"parameters.rates[0].symbol: expected {own}, the instrument that is traded, was {first.symbol!r}"
    if placement.session == "worker":
        yield (
            "strategy: a crash of the library would take the broker's session along: write session = 'gateway' in the"
            " account's file"
        )


def _preset_problems(preset: Preset, parameters: AsirikuyParameters, placement: Placement) -> Iterator[str]:
    file, number = parameters.preset, preset.instance_id
    if number is None:
        yield (
            f"{file}: STRATEGY_INSTANCE_ID: expected {placement.magic}, this instance's magic; -1 (a random number in"
            " MetaTrader), or none, would not find its orders again"
        )
    elif number != placement.magic:
        yield f"{file}: STRATEGY_INSTANCE_ID: {number} is not this instance's magic, {placement.magic}; one must change"
    minutes = preset.settings.get(Setting.TIMEFRAME)
    first = parameters.rates[0]
    assert first is not None  # the parameters were checked
    if minutes is not None and minutes != (minutes_of(first.timeframe) or minutes):
        yield f"{file}: STRATEGY_TIMEFRAME: {minutes:g} minutes, but rates[0] has {first.timeframe}; they must agree"
    used = [index for index, entry in enumerate(parameters.rates) if entry is not None]
    mode = preset.settings.get(AUTOBBS_TREND_MODE)
    if mode is not None and ends_process(parameters.strategy_id, mode, used):
        yield (
            f"parameters.rates: strategy {parameters.strategy_id} reads indices 2 (1h), 3 (4h), 4 (1d) and 5 (1w) too:"
            " with the first two alone the library ends its process"
        )
    if preset.settings.get(Setting.MAX_OPEN_ORDERS, _LEAST_ORDERS) < 1:
        yield f"{file}: MAX_OPEN_ORDERS: it is the number of rows for results; with none nothing can be said"


def _settings(preset: Preset, parameters: AsirikuyParameters, placement: Placement) -> NDArray[np.float64]:
    given = preset.settings
    first = parameters.rates[0]
    assert first is not None
    rows = given.get(Setting.MAX_OPEN_ORDERS, float(_LEAST_ORDERS))
    is_backtest = not placement.is_live or parameters.clock_check == "own"
    pips = preset.max_spread_pips or 0.0
    common = {
        **{Setting(index): value for index, value in given.items() if index >= ADDITIONAL},
        Setting.MAX_OPEN_ORDERS: rows,
        Setting.ORDERINFO_ARRAY_SIZE: max(rows, given.get(Setting.ORDERINFO_ARRAY_SIZE, float(_LEAST_ORDERS))),
        Setting.IS_BACKTESTING: float(is_backtest),
        Setting.OPERATIONAL_MODE: given.get(Setting.OPERATIONAL_MODE, 1.0),
        Setting.STRATEGY_INSTANCE_ID: float(placement.magic),
        Setting.INTERNAL_STRATEGY_ID: float(parameters.strategy_id),
        Setting.TIMEFRAME: float(minutes_of(first.timeframe)),
        Setting.MAX_SPREAD: pips * float(placement.instrument.pip),
    }
    try:
        return settings_array(common, {index: value for index, value in given.items() if index < ADDITIONAL})
    except ConfigError as error:
        raise ConfigError(f"{parameters.preset}: {error}") from error


def _read_xml(path: Path, limit_s: float, problems: _Problems) -> Mapping[str, str]:
    try:
        xml = parse_framework_xml(decode(path.read_bytes()), str(path))
    except OSError as error:
        problems.add(f"{path}: cannot be read: {error.strerror} (parameters.framework_config)")
        return {}
    broken = tuple(one for one in xml.findings if one.kind is Kind.PROBLEM)
    problems.find(broken or xml.findings)  # of what is no XML nothing else can be said
    if not broken and xml.longest_wait_s >= limit_s:
        problems.add(
            f"{path}: {NTP_TIMEOUT}: with {NTP_SERVERS} of {xml.values[NTP_SERVERS]} a call may wait"
            f" {xml.longest_wait_s:g} s for time servers, and parameters.call_deadline = {limit_s:g} s ends the worker:"
            f" write {xml.with_waits_below(limit_s).values[NTP_TIMEOUT]} or less"
        )
    return {} if broken else xml.values


def _read_clocks(
    parameters: AsirikuyParameters, root: Path, xml: Mapping[str, str], problems: _Problems
) -> tuple[BrokerClock, BrokerClock] | None:
    path = root / xml[CONFIG_FOLDER] / xml[CLOCKS]
    try:
        found = parse_old_clocks(decode(path.read_bytes()), str(path))
    except OSError as error:
        problems.add(f"{path}: cannot be read: {error.strerror} ({CLOCKS} in the framework's XML)")
        return None
    problems.find(found.findings)
    wanted = {"broker_name": parameters.broker_name, "reference_name": parameters.reference_name}
    unknown = {key: name for key, name in wanted.items() if name not in found.clocks}
    for key, name in unknown.items():
        rows = ", ".join(sorted(found.clocks)) or "none that can be read"
        problems.add(f"{path}: parameters.{key}: there is no row {name!r}, written exactly so ({rows})")
    return None if unknown else (found.clocks[parameters.broker_name], found.clocks[parameters.reference_name])


def _amount(preset: Preset, key: str) -> Decimal:
    text = preset.front_end.get(key, "0").strip()
    try:
        value = Decimal(text)
    except ArithmeticError as error:
        raise ConfigError(f"{preset.file}: {key}: expected an amount, was {text!r}") from error
    if value < 0 or not value.is_finite():
        raise ConfigError(f"{preset.file}: {key}: expected an amount of 0 or more, was {text!r}")
    return value
