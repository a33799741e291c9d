"""What a result says of how its orders filled is how they fill."""

from __future__ import annotations

from pathlib import Path

import pytest

from atrader.bar_quotes import quotes_of
from atrader.configuration.loader import load_installation
from atrader.configuration.templates import write_template
from atrader.market import Bar
from manager.backtests.conventions import convention_text
from manager.backtests.request import overrides_of, requests_of

RISING = Bar(0, 2.0, 4.0, 1.0, 3.0, 2.0, 4.0, 1.0, 3.0, 1.0)
FALLING = Bar(0, 3.0, 4.0, 1.0, 2.0, 3.0, 4.0, 1.0, 2.0, 1.0)


def order_of(bar: Bar) -> str:
    """Return the names of the quotes that a bar is played as."""
    names = {getattr(bar, name): name for name in ("open", "high", "low", "close")}
    return ", ".join(names[tick.bid] for tick in quotes_of("EUR/USD", bar, 60))


@pytest.mark.parametrize("filling", [{}, {"fill": "next-open", "inside": "quotes"}])
def test_it_names_the_quotes_of_bars_in_the_order_in_which_they_are_played(
    tmp_path: Path, filling: dict[str, object]
) -> None:
    write_template(tmp_path, "empty")
    overrides, period = overrides_of("EUR/USD", "5m", ()), (None, None)
    (request,) = requests_of(
        ["trend"], load_installation(tmp_path), overrides, period=period, quotes=None, apart=False, filling=filling
    )
    played = f"a rising bar is played as {order_of(RISING)}, a falling one as {order_of(FALLING)}"
    assert played in convention_text(request)
