"""Which instruments are kept up to date."""

from __future__ import annotations

from pathlib import Path

import structlog

from data_layer.backfill.watch import WatchList

LOG = structlog.get_logger()


def watch(directory: Path) -> WatchList:
    return WatchList([("EUR/USD", "strategy"), ("EUR/USD", "configured")], directory / "screener.json", LOG)


def test_an_instrument_that_leaves_the_screener_stays_while_a_trade_in_it_is_open(tmp_path: Path) -> None:
    kept = watch(tmp_path)
    kept.pick(["BTC/USDT", "ETH/USDT", "EUR/USD"], [])
    assert kept.all() == {"BTC/USDT": "screener", "ETH/USDT": "screener", "EUR/USD": "strategy"}
    kept.pick(["EUR/USD"], ["BTC/USDT"])
    assert kept.all() == {"BTC/USDT": "open-trade", "EUR/USD": "strategy"}
    kept.drop_closed(["BTC/USDT"])
    assert kept.leaving
    kept.drop_closed([])
    assert kept.all() == {"EUR/USD": "strategy"}
    assert not kept.leaving


def test_an_instrument_that_comes_back_is_held_by_the_screener_again(tmp_path: Path) -> None:
    kept = watch(tmp_path)
    kept.pick(["BTC/USDT"], [])
    kept.pick([], ["BTC/USDT"])
    kept.pick(["BTC/USDT"], ["BTC/USDT"])
    assert kept.all()["BTC/USDT"] == "screener"
    assert not kept.leaving


def test_the_last_list_survives_a_restart_and_what_was_held_too(tmp_path: Path) -> None:
    first = watch(tmp_path)
    first.pick(["BTC/USDT", "ETH/USDT"], [])
    first.pick(["ETH/USDT"], ["BTC/USDT"])
    assert set(watch(tmp_path).all()) == {"BTC/USDT", "ETH/USDT", "EUR/USD"}


def test_a_damaged_list_is_an_empty_one(tmp_path: Path) -> None:
    for text in ("{", "[]", '{"version": 9, "instruments": ["BTC/USDT"]}', '{"version": 1, "instruments": 3}'):
        (tmp_path / "screener.json").write_text(text)
        assert watch(tmp_path).all() == {"EUR/USD": "strategy"}
