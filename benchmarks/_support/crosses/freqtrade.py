"""The cross in freqtrade, in an environment of its own: prints trades, final balance and milliseconds of CPU.

Candles, configuration and strategy are files, as its users have them; only the markets of the exchange, which it would
ask the network for, are handed to it. Entry, exit, fees, wallet and books are its own.
"""

import json
import logging
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from freqtrade.configuration import Configuration
from freqtrade.data.history import get_datahandler
from freqtrade.enums import CandleType, RunMode
from freqtrade.exchange import Exchange
from freqtrade.optimize.backtesting import Backtesting

PAIR = "BTC/USD"
STRATEGY = """
from freqtrade.strategy import IStrategy


class Cross(IStrategy):
    timeframe = "1m"
    startup_candle_count = 0
    minimal_roi = {}
    stoploss = -0.99
    order_types = {"entry": "market", "exit": "market", "stoploss": "market", "stoploss_on_exchange": False}

    def populate_indicators(self, dataframe, metadata):
        dataframe["fast"], dataframe["slow"] = (dataframe["close"].rolling(n).mean() for n in (10, 100))
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        fast, slow = dataframe["fast"], dataframe["slow"]
        dataframe.loc[(fast > slow) & (fast.shift(1) <= slow.shift(1)), "enter_long"] = 1
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        fast, slow = dataframe["fast"], dataframe["slow"]
        dataframe.loc[(fast < slow) & (fast.shift(1) >= slow.shift(1)), "exit_long"] = 1
        return dataframe

    def custom_stake_amount(self, current_rate, **_):
        return current_rate  # one coin
"""
PRICING = {"price_side": "other", "use_order_book": False}  # what it wants for market orders
CONFIG = {
    "dry_run": True, "dry_run_wallet": 1e6, "stake_currency": "USD", "stake_amount": 1000,
    "tradable_balance_ratio": 1.0, "max_open_trades": 1, "fee": 0.001,
    "strategy": "Cross", "timeframe": "1m", "dataformat_ohlcv": "feather",
    "exchange": {"name": "binance", "pair_whitelist": [PAIR], "pair_blacklist": []},
    "pairlists": [{"method": "StaticPairList"}], "entry_pricing": PRICING, "exit_pricing": PRICING,
}  # fmt: skip
ANY = {"min": None, "max": None}
MARKET = {
    "id": "BTCUSD", "symbol": PAIR, "base": "BTC", "quote": "USD", "baseId": "BTC", "quoteId": "USD", "info": {},
    "active": True, "type": "spot", "spot": True, "margin": False, "swap": False, "future": False, "option": False,
    "contract": False, "precision": {"amount": 1e-8, "price": 1e-6}, "taker": 0.001, "maker": 0.001,
    "limits": {"amount": ANY, "price": ANY, "cost": ANY},
}  # fmt: skip


class Offline(Exchange):
    """An exchange that was asked for its markets already."""

    def _load_async_markets(self, reload: bool = False) -> None:
        self._api_async.set_markets([MARKET])


def store_candles(columns: Path, directory: Path) -> None:
    frame = pd.DataFrame({name: np.load(columns / f"{name}.npy") for name in ("open", "high", "low", "close")})
    frame.insert(0, "date", pd.to_datetime(np.load(columns / "open_time_ns.npy"), utc=True).as_unit("ms"))
    get_datahandler(directory, "feather").ohlcv_store(PAIR, "1m", frame.assign(volume=1.0), CandleType.SPOT)


def prepared(user: Path) -> dict[str, object]:
    """Return what freqtrade makes of a configuration file, with a strategy beside it."""
    (user / "strategies").mkdir(parents=True)
    (user / "strategies" / "cross.py").write_text(STRATEGY)
    (user / "config.json").write_text(json.dumps(CONFIG))
    given = {"config": [str(user / "config.json")], "user_data_dir": str(user), "datadir": str(user / "candles")}
    return Configuration(given, RunMode.BACKTEST).get_config()


logging.disable(logging.WARNING)
columns = Path(sys.argv[1])
config = prepared(columns / "freqtrade_user")
store_candles(columns, config["datadir"])
engine = Backtesting(config, exchange=Offline(config))
began_s = time.process_time()
engine.backtest_one_strategy(engine.strategylist[0], *engine.load_bt_data())
took_s = time.process_time() - began_s
found = engine.all_bt_content["Cross"]
print(json.dumps([len(found["results"]), found["final_balance"], took_s * 1000]))
