"""What a person should know before believing a result."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from atrader.wording import count_text
from research.events.tape import Tape
from research.events.traded import Traded
from research.reports.excursions import InsideBars
from research.statistics.sample import FEWEST_TRADES

Floats = NDArray[np.float64]

MANY_MISSING: Final = 0.01
"""Share of the expected bars; a quiet market lacks fewer, lost data more."""
LUCKY_SHARE: Final = 0.05
"""Share of the trades without which a result must still be a profit, for it not to be called luck."""
RUINOUS: Final = 0.9
"""Share of the highest equity: what is left when so much is lost would have to grow tenfold."""


class Caution(NamedTuple):
    """One line of a report; ``code`` stays, ``text`` may change."""

    code: str
    text: str


def cautions_of(summary: Mapping[str, Any], trades: Traded, inside: InsideBars, tapes: Sequence[Tape]) -> list[Caution]:
    """Look for what makes a result doubtful.

    Parameters
    ----------
    summary : mapping
        ``returns``, ``curve``, ``lowest_equity``, ``gaps``, ``errors``, ``refused``, ``halted`` (if any),
        ``missing_bars``, ``alerts`` and ``first_alerts`` (if any).
    trades : Traded
        What was traded.
    inside : InsideBars
        Of each.
    tapes : sequence of Tape
        What was played.
    """
    is_closed = trades.columns.close_ns != 0
    closed = trades.columns.net[is_closed]
    found = [
        *_of_trades(closed),
        *_of_order_inside(len(closed), int(inside.in_one_bar.sum()), int(inside.both_in_bar.sum())),
        *_of_returns(summary["returns"]),
        *_of_prices(trades, tapes),
        *_of_run(summary),
    ]
    if len(is_closed) > len(closed):
        count = len(is_closed) - len(closed)
        be, all_of_them = "is" if count == 1 else "are", count_text(len(is_closed), "trade")
        text = f"{count} of {all_of_them} {be} open at the end: counted in equity, in no figure of trades"
        found.append(Caution("open-trades", text))
    return found


def _of_trades(closed: Floats) -> list[Caution]:
    if not len(closed):
        return [Caution("no-trades", "no trade was closed: there is nothing to judge")]
    found = []
    if len(closed) < FEWEST_TRADES:
        text = f"{count_text(len(closed), 'closed trade')}: too few to tell skill from chance (below {FEWEST_TRADES})"
        found.append(Caution("few-trades", text))
    net = np.sort(closed)
    best = round(len(net) * LUCKY_SHARE)  # none of a handful, of which a share says nothing
    if best and net.sum() > 0 >= net[:-best].sum():
        text = f"without its best {best} of {len(net)} trades the result is a loss"
        found.append(Caution("few-lucky-trades", text))
    return found


def _of_order_inside(closed: int, in_one: int, both: int) -> list[Caution]:
    """Count the trades whose end the order of prices inside a bar decided."""
    if not in_one + both:
        return []
    reasons = [f"{in_one} opened and closed in it"] if in_one else []
    reasons += [f"{both} ended in one that held both their stop and their target"] if both else []
    text = (
        f"{in_one + both} of {count_text(closed, 'trade')} came out as they did by the order of prices inside one"
        f" played bar, which is assumed ({', '.join(reasons)}): finer bars or quotes decide (--quotes), and --inside"
        " range plays the bad side first"
    )
    return [Caution("inside-one-bar", text)]


def _of_returns(returns: Mapping[str, Any] | None) -> list[Caution]:
    if returns is None or not returns["periods_needed"] or returns["periods_needed"] <= returns["periods"]:
        return []
    text = (
        f"{returns['periods']:,} days are too short a record: the Sharpe ratio is above zero with a probability of"
        f" {returns['sharpe_probability']:.1%}, and it takes {returns['periods_needed']:,} days like these for 95%"
    )
    return [Caution("short-record", text)]


def no_spread(tapes: Sequence[Tape], traded: Collection[str]) -> list[str]:
    """Return, of the instruments that are traded, those whose bid and ask are the same at all closes."""
    return [tape.symbol for tape in tapes if tape.symbol in traded and not np.any(np.subtract(*tape.closes()))]


def no_spread_text(symbol: str) -> str:
    """Say that trading costs no spread."""
    return f"{symbol}: bid and ask are the same in the stored prices"


def _of_prices(trades: Traded, tapes: Sequence[Tape]) -> list[Caution]:
    return [Caution("no-spread", no_spread_text(symbol)) for symbol in no_spread(tapes, set(trades.instrument))]


def _of_run(summary: Mapping[str, Any]) -> list[Caution]:
    told: Mapping[str, str] = summary.get("first_alerts", {})
    found = [Caution("halted", f"{rule} stopped trading: {why}") for rule, why in summary.get("halted", {}).items()]
    for code, key, what in (
        ("exceptions", "errors", "exceptions of the strategy"),
        ("refused", "refused", "orders refused"),
        ("missing-bars", "missing_bars", "bars missing in the warm-up or the period"),
    ):
        counts = {name: count for name, count in summary[key].items() if count}
        if counts:
            shown = ", ".join(f"{name} {count}" for name, count in counts.items())
            first = f"; the first: {told['strategy-error']}" if key == "errors" and "strategy-error" in told else ""
            found.append(Caution(code, f"{what}: {shown}{first}"))
    for symbol, gaps in summary["gaps"].items():
        if gaps["missing"] > MANY_MISSING * gaps["expected"]:
            share, places = gaps["missing"] / gaps["expected"], count_text(gaps["gaps"], "gap")
            text = f"{symbol}: {share:.1%} of the {gaps['timeframe']} bars are missing, in {places}"
            found.append(Caution("gaps", text))
    alerts = summary["alerts"]
    if alerts.get("signals-by-window"):
        text = (
            "signals or indicators over all bars are others than those over the warm-up of each bar, which were taken,"
            " as live: the strategy looks ahead, or its warm-up is too short; 'atrader backtest check' says which"
        )
        found.append(Caution("signals-by-window", text))
    if alerts.get("entry-refused"):
        text = f"{alerts['entry-refused']:,} entries were no orders and opened nothing; the first: "
        found.append(Caution("entry-refused", text + told.get("entry-refused", "alerts.parquet has it")))
    deepest = summary["curve"]["drawdown_deepest_frac"]
    if summary["lowest_equity"] <= 0:
        found.append(Caution("ruin", "the account was worth nothing or less on the way"))
    elif deepest is not None and deepest >= RUINOUS:
        text = f"the account lost {deepest:.1%} of its highest equity: nobody trades on from there"
        found.append(Caution("ruin", text))
    return found
