"""Why a session that is run again differs: what is known of what was otherwise then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

import numpy as np

from atrader import __version__
from atrader.calendars import Calendar
from atrader.clock import NS_PER_S, iso_from_ns
from atrader.configuration.account import AccountConfig
from atrader.configuration.instance import InstanceConfig
from atrader.market import Bars
from atrader.orders.model import PROTECTION
from atrader.risk.exits import EXIT_RULES
from atrader.runtime.session_file import SeenBar
from atrader.timeframes import Timeframe
from manager.rerun.moment import WATCHED
from manager.rerun.sessions import Recorded
from research.rerun import BarNews, Difference, bar_news
from research.rerun.record import number_of
from worker.diary import account_settings

Kind = Literal[
    "parameters", "code", "revised-bar", "missing-bar", "unseen-bar", "late-bar", "exception", "refused",
    "unheard", "by-hand", "settings", "chance", "price", "carried", "unknown",
]  # fmt: skip

_LATE_S: Final = 5.0  # after its end: entries have grown older than some accounts allow
_SHOWN: Final = 5
_BY_RULE: Final = WATCHED | {PROTECTION} | {rule.name for rule in EXIT_RULES}
_BAR_KINDS: Final[dict[str, Kind]] = {"revised": "revised-bar", "missing": "missing-bar", "unseen": "unseen-bar"}


class Cause(NamedTuple):
    """Something that was otherwise.

    Attributes
    ----------
    bar_ns : int or None
        Open time of the bar it is about, UTC.
    """

    kind: Kind
    text: str
    bar_ns: int | None = None


def changed_bars(recorded: Recorded, stored: Bars) -> list[BarNews]:
    """Return the bars, warm-up included, that are other ones now than the worker had."""
    life, opens = recorded.life, stored.open_time_ns
    first_ns = min((bar.open_time_ns for bar in recorded.seen), default=0)
    known = int(np.searchsorted(opens, life.newest_ns, side="right")) if life.newest_ns else 0
    begin = known - life.window if known >= life.window > 0 else int(np.searchsorted(opens, first_ns))
    return bar_news(recorded.seen, stored[min(begin, int(np.searchsorted(opens, first_ns))) :])


def causes_of(
    difference: Difference,
    recorded: Recorded,
    config: InstanceConfig,
    today: tuple[InstanceConfig, AccountConfig],
    code: str,
    news: Sequence[BarNews],
    calendar: Calendar,
    *,
    is_live: bool,
    chance: Sequence[str] = (),
) -> list[Cause]:
    """Return what may be why, the most telling first; never empty.

    Parameters
    ----------
    config : InstanceConfig
        With what it was run again.
    today : tuple of InstanceConfig and AccountConfig
        As they are configured now.
    code : str
        Fingerprint of the strategy's file now.
    news : sequence of BarNews
        Bars that changed.
    is_live : bool
        Whether the host's clock was the market's: only then a bar can have been late.
    chance : sequence of str
        What shows that the strategy does not decide by bars alone.
    """
    found = [
        *_refusal(difference),
        *_unheard(difference, recorded),
        *_by_hand(difference, recorded),
        *_parameters(recorded, config),
        *_code(recorded, code),
        *_bars(difference, news),
        *(_late(difference, recorded, config, calendar) if is_live else ()),
        *_exceptions(difference, recorded),
        *_settings(difference, recorded, *today),
        *_chance(chance),
        *_carried(recorded),
    ]
    if not found and difference.kind in ("price", "exit", "size"):
        return [Cause("price", "bars and decisions are the same up to there: the account filled at other prices")]
    return found or [Cause("unknown", "bars, code, parameters and lives of the worker are the same up to there")]


def _refusal(difference: Difference) -> Iterator[Cause]:
    if difference.kind == "refused":
        for side, what in ((difference.live, "was refused then"), (difference.again, "is refused in the run")):
            if side is not None and side.get("state") in ("DENIED", "REJECTED", "LOST"):
                yield Cause("refused", f"the order {what}: {side.get('reason', 'without a reason')}")


def _unheard(difference: Difference, recorded: Recorded) -> Iterator[Cause]:
    """Find a wish about a trade that was over: the account's news came after the bar."""
    wanted = (difference.live or {}).get("trade_id")
    for row in recorded.trades:
        closed_ns = row["close_time_ns"]
        if row["trade_id"] == wanted and closed_ns is not None and closed_ns <= difference.time_ns:
            when = f"closed at {iso_from_ns(closed_ns)} ({row['close_reason']})"
            yield Cause("unheard", f"trade {wanted} had {when}, and the worker had not heard of it")


def _by_hand(difference: Difference, recorded: Recorded) -> Iterator[Cause]:
    """Find what the gateway did because somebody said so: no rule says it again in the run."""
    for row in recorded.intents:
        is_mine = row["instance"] == recorded.instance and number_of(row) < 0
        if is_mine and row["time_ns"] <= difference.time_ns and row["reason"] not in _BY_RULE:
            what = row["trade_id"] or row["order_id"]
            text = f"{iso_from_ns(row['time_ns'])}: {row['action']} of {what} by the gateway ({row['reason']})"
            yield Cause("by-hand", text)


def _parameters(recorded: Recorded, config: InstanceConfig) -> Iterator[Cause]:
    then, now = recorded.life.parameters, config.model_dump(mode="json", include={"parameters"})["parameters"]
    changed = [
        f"{name} was {then.get(name, 'not set')}, is {now.get(name, 'not set')}"
        for name in sorted({*then, *now})
        if then.get(name) != now.get(name)
    ]
    for name in ("strategy", "instrument", "timeframe"):
        if getattr(recorded.life, name) != getattr(config, name):
            changed.append(f"{name} was {getattr(recorded.life, name)}, is {getattr(config, name)}")
    if changed:
        yield Cause("parameters", "; ".join(changed))


def _code(recorded: Recorded, code: str) -> Iterator[Cause]:
    if recorded.life.code != code:
        yield Cause("code", f"the file of the strategy was {recorded.life.code or 'unknown'}, is {code or 'unknown'}")
    elif recorded.life.program != __version__:
        yield Cause("code", f"atrader was {recorded.life.program}, is {__version__}")


def _bars(difference: Difference, news: Sequence[BarNews]) -> Iterator[Cause]:
    before = [one for one in news if one.open_time_ns < difference.time_ns]
    for one in before[-_SHOWN:]:
        yield Cause(_BAR_KINDS[one.kind], one.text, one.open_time_ns)
    if len(before) > _SHOWN:
        yield Cause(_BAR_KINDS[before[0].kind], f"and {len(before) - _SHOWN} bars before these")


def _late(difference: Difference, recorded: Recorded, config: InstanceConfig, calendar: Calendar) -> Iterator[Cause]:
    frame = Timeframe.parse(config.timeframe)
    for bar in recorded.seen:
        late_s = _late_s(bar, frame, calendar)
        if late_s > _LATE_S and difference.bar == f"{config.timeframe}|{bar.open_time_ns}":
            text = f"the bar of {iso_from_ns(bar.open_time_ns)} was handled {late_s:.1f} s after its end"
            yield Cause("late-bar", text, bar.open_time_ns)


def _late_s(bar: SeenBar, frame: Timeframe, calendar: Calendar) -> float:
    if not bar.host_ns:
        return 0.0
    return (bar.host_ns - calendar.next_bar_open(bar.open_time_ns, frame)) / NS_PER_S


def _exceptions(difference: Difference, recorded: Recorded) -> Iterator[Cause]:
    for row in recorded.alerts:
        if row["kind"] == "strategy-error" and row["time_ns"] <= difference.time_ns:
            yield Cause("exception", f"{iso_from_ns(row['time_ns'])}: {str(row['text']).splitlines()[0]}")


def _settings(
    difference: Difference, recorded: Recorded, config: InstanceConfig, account: AccountConfig
) -> Iterator[Cause]:
    """Name settings that are other ones today: a reload may have changed them in the middle of a life."""
    life = recorded.life
    if difference.kind not in ("refused", "size", "price", "exit") or not life.account:
        return
    today = config.model_dump(mode="json", exclude={"parameters", "backtest"})
    pairs = (("", life.instance, today), (f"account {account.name}: ", life.account, account_settings(account)))
    changed = [f"{where}{text}" for where, then, now in pairs for text in _changed(then, now)]
    if changed:
        yield Cause("settings", "; ".join(changed))


def _changed(then: Mapping[str, Any], now: Mapping[str, Any], table: str = "") -> Iterator[str]:
    """Yield the keys whose values are other ones, those of tables with the table's name."""
    for name in sorted({*then, *now} - {"warmup_bars"}):
        before, after = then.get(name), now.get(name)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from _changed(before, after, f"{table}{name}.")
        elif before != after:
            yield f"{table}{name} was {_shown(before)}, is {_shown(after)}"


def _shown(value: object) -> object:
    return "not set" if value is None else value


def _chance(found: Sequence[str]) -> Iterator[Cause]:
    for text in found:
        yield Cause("chance", text)


def _carried(recorded: Recorded) -> Iterator[Cause]:
    at_ns = recorded.life.market_ns
    held = [row for row in recorded.trades if row["open_time_ns"] < at_ns and (row["close_time_ns"] or at_ns) >= at_ns]
    if held:
        what = "1 trade was" if len(held) == 1 else f"{len(held)} trades were"
        yield Cause("carried", f"{what} open when this life of the worker began; the history tells of them")
