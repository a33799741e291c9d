"""One real day through worker, gateway and paper account, the event engine and the vector engine: the same trades."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from atrader.calendars import Calendar
from atrader.clock import parse_time
from atrader.configuration.loader import load_installation
from atrader.instruments import KNOWN
from atrader.strategy import SignalStrategy
from atrader.timeframes import Timeframe
from data_layer.offline import open_market
from research.events.tape import BarTape
from research.optimisation.windows import WalkForward
from research.vector import Decisions, Prices, Rules, Schedule, Terms, simulate
from research.vector.decisions import rows_of
from research.vector.rows import trades_of
from tests.support.direct_run import gist, gist_of_row
from tests.support.event_runs import plan_of, run
from tests.support.every_strategy import NAMES, instance_text
from tests.support.fleet import Fleet
from tests.support.learned import write_trained
from tests.support.replays import finish, write_replay
from worker.loading import load_strategy, make_strategy
from worker.placing import place

REAL_DATA = Path(__file__).parents[3] / "shared" / "data"
PAIR, FRAME, MINUTE = "USD/JPY", Timeframe.parse("5m"), Timeframe.parse("1m")
START, END = "2013-02-20T12:00:00Z", "2013-02-20T21:00:00Z"  # America's morning and afternoon
SIGNALS = [name for name in NAMES if issubclass(load_strategy(name, Path()), SignalStrategy)]
COSTS = (
    "[paper]\nslippage_pips = 0\ncommission_per_million = 30\nextra_spread_pips = 0.2\n"
    "swap_long_frac = -0.02\nswap_short_frac = 0.01\n"
)

pytestmark = pytest.mark.skipif(not REAL_DATA.is_dir(), reason="the shared market data are not here")

Gist = list[list[object]]


def text_of(name: str, magic: int) -> str:
    """Return a configuration on five-minute bars; signal strategies have a size that is nobody else's matter."""
    size: dict[str, Any] = {"risk_frac": None, "units": "8000", "target_atr": 3.0} if name in SIGNALS else {}
    if name == "atr-cross":
        size.pop("target_atr")
    if name == "overnight-range":
        size |= {"atr_days": 5, "mode": "breakout", "zones": False}
    return instance_text(name, magic, **size).replace('timeframe = "30m"', 'timeframe = "5m"')


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Give the installation in which every strategy traded on minutes; it is stopped."""
    fleet = Fleet(tmp_path_factory.mktemp("real") / "home")
    files = [REAL_DATA / f"usdjpy-m1-{side}-2013.csv" for side in ("bid", "ask")]
    try:
        texts = {name: text_of(name, magic) for magic, name in enumerate(NAMES, start=1)}
        write_replay(fleet, texts, files=files, timeframe="1m", settings=f"start = '{START}'\nend = '{END}'\n")
        account = fleet.home.etc / "accounts" / "paper.toml"
        account.write_text(account.read_text().replace("[paper]\n", COSTS))
        with open_market(fleet.home) as stored:
            month = stored.bars(PAIR, "5m")
        days = WalkForward(train_days=10, test_days=7)  # what decides the day was learned before its week
        write_trained(fleet.home.root / "models/yen.model", month, PAIR, "5m", days)
        fleet.launch()
        finish(fleet)
        yield fleet
    finally:
        fleet.end()


@pytest.fixture(scope="module")
def traded(live: Fleet) -> dict[str, Gist]:
    """Give the trades of the fleet by instance."""
    rows = live.history("trades")
    return {name: sorted((gist_of_row(row) for row in rows if row["instance"] == name), key=str) for name in NAMES}


def test_the_event_engine_trades_as_the_fleet_does(live: Fleet, traded: dict[str, Gist]) -> None:
    installation = load_installation(live.home.root)
    with open_market(live.home) as stored:
        series = {(PAIR, name): stored.bars(PAIR, name, end_ns=parse_time(END)) for name in ("5m", "1d")}
        minutes = stored.bars(PAIR, "1m", start_ns=parse_time(START), end_ns=parse_time(END))
    chosen = [
        (config, make_strategy(load_strategy(config.strategy, live.home.root), config.parameters, name))
        for name, config in installation.instances.items()
    ]
    for config, strategy in chosen:
        place(strategy, installation, config)
    again = run(plan_of(installation.accounts["paper"], chosen, series, tapes=[BarTape(PAIR, minutes, MINUTE.ns)]))
    for name in NAMES:
        assert traded[name] == sorted((gist(one) for one in again.trades if one.instance == name), key=str), name
    assert [name for name in NAMES if not traded[name]] == [], "nothing was traded"


@pytest.mark.parametrize("name", SIGNALS)
def test_the_vector_engine_over_minutes_trades_as_the_fleet_does(
    name: str, live: Fleet, traded: dict[str, Gist]
) -> None:
    installation = load_installation(live.home.root)
    config, account = installation.instances[name], installation.accounts["paper"]
    strategy = make_strategy(load_strategy(name, Path()), config.parameters, name)
    assert isinstance(strategy, SignalStrategy)
    place(strategy, installation, config)
    with open_market(live.home) as stored:
        bars = stored.bars(PAIR, "5m", end_ns=parse_time(END))
        minutes = stored.bars(PAIR, "1m", start_ns=parse_time(START), end_ns=parse_time(END))
    terms, instrument = Terms.of(account, KNOWN[PAIR]), KNOWN[PAIR]
    prices = Prices.of(minutes, terms, MINUTE.ns)
    signals = strategy.signals(bars, instrument)
    decisions = Decisions.of(signals, prices, instrument, Rules(), bars=rows_of(prices, bars.open_time_ns + FRAME.ns))
    schedule = Schedule.of(prices, Calendar.get(instrument.calendar))
    found = trades_of(simulate(prices, decisions, Rules(), terms, schedule=schedule), prices, terms, config)
    expected = [one[1:] for one in traded[name]]  # all but the id
    assert sorted((gist(one)[1:] for one in found), key=str) == sorted(expected, key=str)
