"""Whether a library has the interface we know, found out in a process of its own: a wrong one may end its process.

Calls are made whose answers are known and which differ in one thing. They show whether settings, prices, bars and
their descriptions are where the library looks for them. Of orders and results nothing can be known before a strategy
uses them; `framework_bridge.abi.results` watches what is written behind the results.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from atrader.broker_clock import WallClock
from atrader.clock import parse_time
from atrader.errors import ConfigError
from atrader.market import Bars
from framework_bridge.abi.account import AccountInfo, Prices
from framework_bridge.abi.call import StrategyCall
from framework_bridge.abi.codes import ReturnCode
from framework_bridge.abi.elf import require_loadable
from framework_bridge.abi.library import FrameworkLibrary, Version
from framework_bridge.abi.rates import RatesPlan
from framework_bridge.abi.settings import Setting, StrategyId, settings_array
from framework_bridge.abi.structures import RATES_ARRAYS

DEFAULT_TIMEOUT_S: Final = 20.0
_NOW_NS: Final = parse_time("2024-06-12T12:00:00Z")  # a Wednesday
_HOUR_NS: Final = 3_600_000_000_000
_BARS: Final = 24
_MAGIC: Final = 1
_ZONE: Final = "UTC"
_ANSWER: Final = "answer.json"
_ACCOUNT: Final = AccountInfo(1, 10_000.0, 10_000.0, 0.0, 100.0, 100_000.0, 0.0, 50.0, 0.0, 0.0)
_COLUMNS: Final = ("0", "0", "0", "00:00") * 3  # of a clock: all are 0, so that their order is no matter
_CLOCKS: Final = "\n".join(";".join((name, *_COLUMNS)) for name in ("Broker", "Local", _ZONE)) + "\n"
_XML: Final = """<?xml version="1.0" encoding="UTF-8"?>
<AsirikuyConfig>
<RatesBufferExtension>100</RatesBufferExtension><TempFileFolderPath>{folder}</TempFileFolderPath>
<ConfigPaths><ConfigFolderPath>{folder}</ConfigFolderPath><BrokerTZFilename>broker-tz.csv</BrokerTZFilename>
<ParamSpaceFilenameExtension>.set</ParamSpaceFilenameExtension></ConfigPaths>
<Logging><Folder>{folder}</Folder><MaxSeverity>3</MaxSeverity><EnableEquityLog>0</EnableEquityLog>
<EnableEntryLog>0</EnableEntryLog><barsToLog>0</barsToLog></Logging>
<NTP><UpdateInterval>3600</UpdateInterval><Timeout>1000</Timeout><TotalReferenceTimes>1</TotalReferenceTimes></NTP>
<TradingWeekBoundaries><CropMondayHours>4</CropMondayHours><CropFridayHours>4</CropFridayHours></TradingWeekBoundaries>
</AsirikuyConfig>
"""


class _Question(NamedTuple):
    """A call and its answer; what it differs in from the first is what it asks about."""

    about: str
    answer: ReturnCode
    common: Mapping[Setting, float] = {}
    bid: float = 1.0
    last_array_bars: int = _BARS


_QUESTIONS: Final = (
    _Question("a good call (bars are where it looks for them)", ReturnCode.SUCCESS),
    _Question("a switch in the settings", ReturnCode.INVALID_PARAMETER, {Setting.IS_BACKTESTING: 7}),
    _Question(
        "the strategy's number in the settings", ReturnCode.INVALID_STRATEGY, {Setting.INTERNAL_STRATEGY_ID: 9999}
    ),
    _Question("a missing price", ReturnCode.BID_ASK_IS_ZERO, bid=0.0),
    _Question("too few bars in the tenth array", ReturnCode.NOT_ENOUGH_RATES_DATA, last_array_bars=4),
)


def require_known_interface(path: Path, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> Version:
    """Do nothing when a library answers as one of this interface does.

    Starts a process, which takes some tenths of a second; nothing of it stays, and no file of an installation is used.

    Parameters
    ----------
    path : Path
        The library.
    timeout_s : float
        When a library that answers nothing is given up.

    Returns
    -------
    Version
        The library's.

    Raises
    ------
    ConfigError
        When it is missing, for another machine, of another version, ends its process, hangs, or answers otherwise.
    """
    require_loadable(path)
    with tempfile.TemporaryDirectory(prefix="atrader-probe-") as folder:
        command = [sys.executable, "-P", "-m", __spec__.name, os.fspath(path.resolve()), folder]
        try:
            done = subprocess.run(
                command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s, check=False
            )
        except subprocess.TimeoutExpired:
            raise ConfigError(f"library {path}: it answers nothing within {timeout_s:g} s; not used") from None
        answer = Path(folder) / _ANSWER
        if not answer.exists():
            how = signal.Signals(-done.returncode).name if done.returncode < 0 else f"exit code {done.returncode}"
            raise ConfigError(
                f"library {path}: it ended the process that tried it ({how}): another interface? not used"
            )
        found = json.loads(answer.read_text())
    if found["wrong"]:
        raise ConfigError(found["wrong"])
    return Version(*found["version"])


def _wrong(library: FrameworkLibrary, folder: Path) -> Iterator[str]:
    """Ask everything; yield what was answered otherwise."""
    config = folder / "AsirikuyConfig.xml"
    config.write_text(_XML.format(folder=folder))
    (folder / "broker-tz.csv").write_text(_CLOCKS)
    for question in _QUESTIONS:
        library.init_instance(_MAGIC, config, testing=True)
        returned = library.run(_call(question))
        if returned != question.answer:
            yield f"{question.about}: it answered {returned} where {question.answer.value} is right"


def _call(question: _Question) -> StrategyCall:
    common = {
        Setting.IS_BACKTESTING: 1.0,
        Setting.OPERATIONAL_MODE: 1.0,
        Setting.STRATEGY_INSTANCE_ID: float(_MAGIC),
        Setting.INTERNAL_STRATEGY_ID: float(StrategyId.RECORD_BARS),
        Setting.TIMEFRAME: 60.0,
        Setting.MAX_OPEN_ORDERS: 10.0,
        Setting.ORDERINFO_ARRAY_SIZE: 2.0,
        Setting.ATR_AVERAGING_PERIOD: 5.0,
    }
    settings = settings_array(common, {})
    for setting, value in question.common.items():
        settings[setting] = value
    call = StrategyCall(
        settings,
        symbol="EURUSD",
        currency="USD",
        broker=_ZONE,
        reference=_ZONE,
        clock=WallClock(_ZONE),
        plans=[RatesPlan(5, 60, 60, 5)] * RATES_ARRAYS,
    )
    for index in range(RATES_ARRAYS):
        call.set_bars(index, _bars(question.last_array_bars if index == RATES_ARRAYS - 1 else _BARS))
    call.set_now(_NOW_NS, Prices(question.bid, 1.0002), _ACCOUNT)
    return call


def _bars(count: int) -> Bars:
    times = _NOW_NS - np.arange(count - 1, -1, -1, dtype=np.int64) * _HOUR_NS
    price = 1.0 + np.arange(count) * 1e-3
    return Bars(times, price, price + 1e-3, price - 1e-3, price, price, price + 1e-3, price - 1e-3, price, price)


def _main(path: str, folder: str) -> None:
    where = Path(folder)
    try:
        library = FrameworkLibrary(Path(path))
        wrong = "; ".join(_wrong(library, where))
        found = {"version": library.version, "wrong": wrong and f"library {path}: not of our interface: {wrong}"}
    except ConfigError as error:
        found = {"version": (0, 0, 0), "wrong": error.message}
    made = where / f".{_ANSWER}"
    made.write_text(json.dumps(found))
    made.replace(where / _ANSWER)


if __name__ == "__main__":
    _main(*sys.argv[1:])
