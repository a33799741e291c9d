"""Which engine runs a backtest, and by which convention orders fill."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

if TYPE_CHECKING:
    from manager.backtests.request import Engine

F = TypeVar("F", bound=Callable[..., Any])

ENGINES: Final[dict[str, Engine | None]] = {"auto": None, "event": "events", "vector": "vector", "events": "events"}
"""As they are called here, and inside; the last is what results call it, and what searches were told once."""

CONVENTION_NAMES: Final = ("paper", "next-open", "backtesting.py", "vectorbt", "nautilus")  # of research.vector: numpy
_FILLING: Final = (
    *("convention", "fill", "inside", "stops_from", "entry", "order_bars"),
    *("hold_bars", "most_trades", "targets", "break_even_after"),
)


def _engine_of(_context: click.Context, _option: click.Parameter, name: str) -> Engine | None:
    return ENGINES[name]


engine_option = click.option(
    "--engine",
    type=click.Choice(tuple(ENGINES)),
    metavar="[auto|event|vector]",
    default="auto",
    show_default=True,
    callback=_engine_of,
    help="auto: vector, where it can do all that is asked for.",
)
unlimited_option = click.option(
    "--without-limits",
    "unlimited",
    is_flag=True,
    help="Leave limits, chance and selection out: what the parameters are worth, at the speed of the vector engine.",
)
_OPTIONS: Final = (
    engine_option,
    unlimited_option,
    click.option("--slippage", metavar="PIPS", help="At most, drawn by order; other conventions take it whole."),
    click.option(
        "--convention",
        type=click.Choice(CONVENTION_NAMES),
        help="How orders fill, as in other engines; default: paper. The others take the vector engine.",
    ),
    click.option("--fill", type=click.Choice(("close", "next-open")), help="Market orders; default: the convention's."),
    click.option(
        "--inside", type=click.Choice(("quotes", "range")), help="Of a bar: four quotes, or its range, bad side first."
    ),
    click.option(
        "--stops-from", type=click.Choice(("entry", "next-bar")), help="When stops and targets begin to work."
    ),
    click.option(
        "--entry",
        metavar="KIND[:PIPS]",
        help="market, limit:PIPS or stop:PIPS: waits so far from the market, fills inside of bars; vector engine.",
    ),
    click.option("--order-bars", type=click.IntRange(1), help="With --entry: given up after so many bars."),
    click.option("--hold-bars", type=click.IntRange(1), help="Close each trade after so many bars; vector engine."),
    click.option(
        "--most-trades", type=click.IntRange(1, 64), help="On one side at once (pyramiding); default 1; vector engine."
    ),
    click.option(
        "--targets",
        metavar="R:SHARE,...",
        help="Shares of a trade to close at multiples of its risk, such as 1:0.5,2:0.25; vector engine.",
    ),
    click.option(
        "--break-even-after",
        type=click.IntRange(1),
        metavar="N",
        help="With --targets: when so many are reached, the stop moves to the entry; vector engine.",
    ),
)


def engine_options(command: F) -> F:
    """Add the options to a command; they arrive as keywords, of which `filling_of` takes those of the convention."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def filling_of(values: dict[str, Any]) -> dict[str, object]:
    """Take what the options say of how orders fill out of the keywords of a command, without what they do not say."""
    given = ((name, values.pop(name)) for name in _FILLING)
    return {name: value for name, value in given if value is not None}
