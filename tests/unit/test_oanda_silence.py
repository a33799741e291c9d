"""When a stream of OANDA counts as dead."""

from atrader.calendars import Calendar
from atrader.clock import MarketClock, parse_time
from atrader.configuration.oanda import OandaSettings
from broker_api.oanda.silence import silence_of


def test_a_stream_may_be_silent_for_longer_while_the_market_is_closed() -> None:
    settings = OandaSettings.model_validate({"account_id": "101-004-1-001", "token": "env:T"})
    clock = MarketClock(parse_time("2024-06-07T20:00Z"))  # Friday afternoon in New York
    allowed_s = silence_of(settings, Calendar.get("fx"), clock)
    assert allowed_s() == 12.0
    clock.advance(parse_time("2024-06-08T12:00Z"))
    assert allowed_s() == 60.0
