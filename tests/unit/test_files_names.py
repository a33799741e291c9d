"""What names of files tell, where their rows tell nothing."""

from __future__ import annotations

import pytest

from data_layer.files.names import timeframe_in


@pytest.mark.parametrize(
    ("name", "timeframe"),
    [
        ("USDJPY-1m.csv", "1m"),
        ("BTC_USDT-4h.json", "4h"),
        ("eurusd 1M.csv", "1M"),
        ("USDJPY_M1_201302.csv", "1m"),
        ("USDJPY_H4.csv", "4h"),
        ("USDJPY_MN1_2010.csv", "1M"),
        ("USDJPY_D1_2010.csv", "1d"),
        ("USDJPY_Candlestick_1_M_BID_01.02.2013-02.02.2013.csv", "1m"),
        ("USDJPY_Candlestick_10_s_ASK.csv", "10s"),
        ("USDJPY_Candlestick_1_Hour_ASK.csv", "1h"),
        ("USDJPY_Candlestick_1_Month_ASK.csv", "1M"),
        ("USDJPY.csv", None),
        ("5.csv", None),
        ("USDJPY-2013-02.csv", None),
        ("USDJPY-1m-5m.csv", None),
        ("USDJPY_M7000.csv", None),
    ],
)
def test_a_name_tells_the_timeframe_or_nothing(name: str, timeframe: str | None) -> None:
    assert timeframe_in(name) == timeframe
