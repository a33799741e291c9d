"""The first difference between a recorded session and the same one run again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from math import isclose
from typing import Any, Final, Literal, NamedTuple, TypeVar

from research.rerun.record import Outcome, Record, Told, Wish

_SAME: Final = 1e-9  # of an indicator: what the order of floating point sums may do

Kind = Literal["signal", "decision", "refused", "size", "price", "exit"]

T = TypeVar("T", Told, Wish)


class Difference(NamedTuple):
    """Where the two part.

    Attributes
    ----------
    bar : str or None
        Of the decision, ``TIMEFRAME|OPEN TIME``, when it was made on one.
    live, again : Mapping or None
        What was recorded and what the run gives; None: nothing.
    """

    kind: Kind
    time_ns: int
    bar: str | None
    live: Mapping[str, Any] | None
    again: Mapping[str, Any] | None


class Comparison(NamedTuple):
    """What came of comparing.

    Attributes
    ----------
    difference : Difference or None
        The first one.
    signals, intents, trades : int
        How many of the recorded ones were compared.
    prices : list of Decimal
        By how much fills were better in the run than recorded, where prices need not be the same.
    answers : list of Difference
        What a broker answered otherwise than the rules of the paper account: no decision of the strategy.
    """

    difference: Difference | None
    signals: int
    intents: int
    trades: int
    prices: list[Decimal]
    answers: Sequence[Difference] = ()


def compare(live: Record, again: Record, *, same_prices: bool, slack_ns: int) -> Comparison:
    """Find the first difference.

    Parameters
    ----------
    live, again : Record
        What was recorded, and what came of the same stretch run again.
    same_prices : bool
        Whether fills must have the same prices and times: on a paper account.
    slack_ns : int
        By how much the times of decisions may differ that were not made on a bar.
    """
    partner: dict[str, str] = {}  # client order id of the run by the recorded one
    prices: list[Decimal] = []
    found = [
        *_decisions(live, again, partner, slack_ns),
        *_first(_outcomes(live, again, partner, prices, same_prices=same_prices)),
        *_first(_exits(live, again, partner, same_prices=same_prices)),
    ]
    first = min(found, key=lambda one: one.time_ns, default=None)
    return Comparison(first, len(live.told), len(live.wishes), len(live.trades), prices)


def compare_decisions(live: Record, again: Record, *, slack_ns: int) -> Comparison:
    """Find the first decision that differs, whatever became of it; see `compare`."""
    first = min(_decisions(live, again, {}, slack_ns), key=lambda one: one.time_ns, default=None)
    return Comparison(first, len(live.told), len(live.wishes), len(live.trades), [])


def compare_answers(live: Record, again: Record, *, slack_ns: int) -> tuple[list[Decimal], list[Difference]]:
    """Find what became otherwise of orders that were wanted alike, up to the first that was not.

    Returns
    -------
    prices : list of Decimal
        By how much fills were better in the run.
    answers : list of Difference
        Orders refused, and trades that ended otherwise, on one side only; oldest first.
    """
    partner: dict[str, str] = {}
    prices: list[Decimal] = []
    for _ in _first(_wishes(live.wishes, again.wishes, partner, slack_ns)):
        pass  # from there on each decides after answers of its own
    paired = live._replace(trades={name: one for name, one in live.trades.items() if name in partner})
    found = [
        *_outcomes(live, again, partner, prices, same_prices=False),
        *_exits(paired, again, partner, same_prices=False),
    ]
    return prices, sorted(found, key=lambda one: one.time_ns)


def _decisions(live: Record, again: Record, partner: dict[str, str], slack_ns: int) -> list[Difference]:
    return [
        *_first(_signals(live.told, again.told, slack_ns)),
        *_first(_wishes(live.wishes, again.wishes, partner, slack_ns)),
    ]


def _first(differences: Iterator[Difference]) -> list[Difference]:
    return [one for one in [next(differences, None)] if one is not None]


def _signals(live: Sequence[Told], again: Sequence[Told], slack_ns: int) -> Iterator[Difference]:
    for ours, theirs in _paired(live, again, slack_ns):
        if ours is None or theirs is None or not _is_told_alike(ours, theirs):
            one = ours or theirs
            assert one is not None
            yield Difference("signal", one.time_ns, one.bar, _told(ours), _told(theirs))


def _wishes(
    live: Sequence[Wish], again: Sequence[Wish], partner: dict[str, str], slack_ns: int
) -> Iterator[Difference]:
    for ours, theirs in _paired(live, again, slack_ns):
        if ours is None or theirs is None or _named(ours.values, partner) != theirs.values:
            one = ours or theirs
            assert one is not None
            live_values = None if ours is None else ours.values
            yield Difference("decision", one.time_ns, one.bar, live_values, None if theirs is None else theirs.values)
            return
        partner[ours.client_id] = theirs.client_id


def _paired(live: Sequence[T], again: Sequence[T], slack_ns: int) -> Iterator[tuple[T | None, T | None]]:
    """Yield what belongs together; of two that do not, the later one is left out."""
    for number in range(max(len(live), len(again))):
        ours = live[number] if number < len(live) else None
        theirs = again[number] if number < len(again) else None
        if ours is not None and theirs is not None and not _is_same_time(ours, theirs, slack_ns):
            yield (ours, None) if ours.time_ns < theirs.time_ns else (None, theirs)
            return
        yield ours, theirs


def _is_same_time(one: Told | Wish, other: Told | Wish, slack_ns: int) -> bool:
    if one.bar is not None and other.bar is not None:
        return one.bar == other.bar
    return abs(one.time_ns - other.time_ns) <= slack_ns


def _is_told_alike(one: Told, other: Told) -> bool:
    if (one.name, one.indicators.keys()) != (other.name, other.indicators.keys()):
        return False
    pairs = [(one.value, other.value), *((value, other.indicators[name]) for name, value in one.indicators.items())]
    return all(_is_close(ours, theirs) for ours, theirs in pairs)


def _is_close(one: float | None, other: float | None) -> bool:
    if one is None or other is None:  # the history keeps nothing of what is not finite
        return all(value is None or value - value != 0.0 for value in (one, other))
    return isclose(one, other, rel_tol=_SAME, abs_tol=1e-12)


def _outcomes(
    live: Record, again: Record, partner: Mapping[str, str], prices: list[Decimal], *, same_prices: bool
) -> Iterator[Difference]:
    for wish in live.wishes:
        if wish.client_id not in partner:
            return
        ours, theirs = live.outcomes.get(wish.client_id), again.outcomes.get(partner[wish.client_id])
        if ours is None or theirs is None or "later" in (ours.state, theirs.state):
            continue
        kind = _outcome_kind(ours, theirs, same_prices=same_prices)
        if kind is not None:
            yield Difference(kind, wish.time_ns, wish.bar, _came(wish, ours), _came(wish, theirs))
        elif ours.price is not None and theirs.price is not None and not same_prices:
            better = ours.price - theirs.price
            prices.append(better if wish.values.get("side") == "buy" else -better)


def _outcome_kind(ours: Outcome, theirs: Outcome, *, same_prices: bool) -> Kind | None:
    if ours.is_refused != theirs.is_refused:
        return "refused"
    if ours.is_refused:
        return None
    if same_prices and ours.units != theirs.units:
        return "size"
    return "price" if same_prices and ours.price != theirs.price else None


def _exits(live: Record, again: Record, partner: Mapping[str, str], *, same_prices: bool) -> Iterator[Difference]:
    for trade_id, ours in live.trades.items():
        theirs = again.trades.get(partner.get(trade_id, trade_id))
        if theirs is None or ours == theirs:
            continue
        if same_prices or ours.close_reason != theirs.close_reason:
            times = [one.close_ns for one in (ours, theirs) if one.close_ns is not None]
            yield Difference("exit", min(times, default=ours.open_ns), None, ours._asdict(), theirs._asdict())


def _named(values: Mapping[str, Any], partner: Mapping[str, str]) -> dict[str, Any]:
    """Return recorded values with the ids that the run has for the same orders and trades."""
    ids = {name: partner.get(values[name], values[name]) for name in ("trade_id", "order_id") if name in values}
    return {**values, **ids}


def _told(one: Told | None) -> dict[str, Any] | None:
    return None if one is None else {"signal": one.name, "value": one.value, **one.indicators}


def _came(wish: Wish, outcome: Outcome) -> dict[str, Any]:
    kept = {"state": outcome.state, "units": outcome.units, "price": outcome.price, "reason": outcome.reason}
    return {**wish.values, **{name: value for name, value in kept.items() if value not in (None, "")}}
