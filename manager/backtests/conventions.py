"""How orders fill, in words."""

from __future__ import annotations

from typing import Final

from manager.backtests.request import Request
from research.vector import Rules

_PLAYED: Final = "a rising bar is played as open, low, high, close, a falling one as open, high, low, close"
_PAPER: Final = (
    "decisions at a bar's close; market orders fill at the last quote (a bar's close, ask for buys, bid for sells);"
    f" {_PLAYED}; stops before targets in one quote, and at that quote"
)
_FILL: Final = {"close": "market orders fill at the last quote", "next-open": "market orders fill at the next open"}
_INSIDE: Final = {
    "quotes": f"{_PLAYED}; stops fill at the quote that reaches them",
    "range": "inside of bars the bad side comes first, and stops fill at their own price",
}
_FROM: Final = {"entry": "stops work from the entry on", "next-bar": "stops work from the bar after the entry"}


def convention_text(request: Request) -> str:
    """Return how the orders of a run were filled."""
    text = _of_rules(request.rules)
    if request.rules != Rules() and request.account.paper.slippage_pips:
        text += "; slippage always at its worst"
    return text


def _of_rules(rules: Rules) -> str:
    if rules == Rules():
        return _PAPER
    how = rules.convention
    parts = ["decisions at a bar's close", _FILL[how.fill], _INSIDE[how.inside], _FROM[how.protected_from]]
    parts += ["stops come before orders at the open of the same bar"] if how.stop_before_open else []
    if how_far := rules.away_pips is not None:
        better = "better" if rules.order_type == "limit" else "worse"
        parts += [f"entries are {rules.order_type} orders that wait {rules.away_pips:f} pips {better} than the market"]
    parts += [f"given up after {rules.order_bars} decisions"] if how_far and rules.order_bars else []
    parts += [f"trades end after {rules.hold_bars} decisions"] if rules.hold_bars else []
    parts += [f"up to {rules.most_trades} trades on a side"] if rules.most_trades > 1 else []
    shares = [f"{one.fraction:.4g} of a trade at {one.r:g} R" for one in rules.targets]
    parts += [f"targets close {', '.join(shares)}"] if shares else []
    after = "the first target" if rules.break_even_after == 1 else f"{rules.break_even_after} targets"
    parts += [f"after {after} the stop is at the entry"] if rules.break_even_after else []
    return "; ".join(parts)
