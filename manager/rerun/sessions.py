"""What was recorded of a session: the lives of the worker, and the rows of the history."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, Final

from atrader.calendars import Calendar
from atrader.clock import NS_PER_S, iso_from_ns
from atrader.configuration.home import Home
from atrader.configuration.instance import InstanceConfig
from atrader.errors import ConfigError
from atrader.history_tables import HistoryTable
from atrader.messages.history import QueryHistory
from atrader.orders.model import Intent, Order, Trade
from atrader.runtime.session_file import AskedPrice, Life, PassedOver, SeenBar, Session, forgotten_life, read_sessions
from atrader.timeframes import Timeframe
from data_layer.offline import HistorySource
from research.rerun import Hearing, Record, Story, record_of_rows
from research.rerun.record import number_of

Row = dict[str, Any]

_LATE_NS: Final = 3600 * NS_PER_S  # so long after its end a bar may have been decided
_AHEAD_NS: Final = NS_PER_S  # so far a broker's clock may be ahead of the host's


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One life of a worker, up to the next one or to the end of a day.

    Attributes
    ----------
    instance : str
        Whose it is.
    life : Life
        With which it begins.
    seen : sequence of SeenBar
        Bars that the worker had.
    last_bar_ns : int
        Open time of the last bar that it decided.
    last_ns, end_ns : int
        Up to when the run has to go: the end of the last bar that was decided, or the last thing that was wanted; and
        before when everything lies that is compared. UTC.
    own : Record
        What the instance did.
    asked : sequence of AskedPrice
        Prices that it asked for between bars.
    passed_over : sequence of PassedOver
        Quotes that it did not handle.
    left : frozenset of int
        Numbers of intents that the next life handed over: they are compared with that one's.
    wanted : sequence of Row
        Intents of the instance.
    pending : sequence of Intent
        What the life before left to be handed over.
    story : Story or None
        What it heard of its account; None: in a replay in turns, and of an older release.
    view : sequence of (Order or Trade)
        What was there of the account, as the story begins.
    intents : sequence of Row
        Of all instances of the account, from the begin on.
    orders, trades : sequence of Row
        Of the account; trades also of before.
    alerts : sequence of Row
        Of the instance.
    """

    instance: str
    life: Life
    seen: Sequence[SeenBar]
    last_bar_ns: int = 0
    last_ns: int
    end_ns: int
    own: Record
    asked: Sequence[AskedPrice] = ()
    passed_over: Sequence[PassedOver] = ()
    left: frozenset[int] = frozenset()
    wanted: Sequence[Row]
    pending: Sequence[Intent]
    story: Story | None = None
    view: Sequence[Order | Trade] = ()
    intents: Sequence[Row]
    orders: Sequence[Row]
    trades: Sequence[Row]
    alerts: Sequence[Row]


def sessions_of(home: Home, config: InstanceConfig, day: tuple[int, int]) -> list[Session]:
    """Return the lives of a worker that a day consists of: from the last one that began before it on.

    Parameters
    ----------
    day : tuple of int and int
        Its begin and its end, UTC ns.

    Raises
    ------
    ConfigError
        When nothing is recorded up to then.
    """
    day_ns, end_ns = day
    path = home.session(config.name)
    sessions = [one for one in read_sessions(path) if one.life.market_ns < end_ns]
    if not sessions:
        gone_ns = forgotten_life(path)
        why = (
            "it did not run, or with an older version of atrader"
            if gone_ns is None or gone_ns >= end_ns
            else f"it had run since {iso_from_ns(gone_ns)}, and what it began with is not kept for so long"
        )
        raise ConfigError(
            f"{config.name}: nothing is recorded of its worker up to {iso_from_ns(end_ns)}: {why}"
            f" (looked for in {path})"
        )
    before = [number for number, one in enumerate(sessions) if one.life.market_ns <= day_ns]
    return sessions[before[-1] if before else 0 :]


def not_kept(home: Home, config: InstanceConfig, sessions: Sequence[Session], day_ns: int) -> int | None:
    """Return when a life began of which the begin is not kept any more, if it lasted into a day.

    Parameters
    ----------
    sessions : sequence of Session
        Those of the day.
    day_ns : int
        Its begin, UTC ns.
    """
    gone_ns = forgotten_life(home.session(config.name))
    return gone_ns if gone_ns is not None and sessions[0].life.market_ns > day_ns else None


def load_lives(
    history: HistorySource,
    config: InstanceConfig,
    sessions: Sequence[Session],
    day: tuple[int, int],
    calendar_of: Callable[[str], Calendar],
) -> list[Recorded]:
    """Read what is known of the lives of a day; those that decided nothing are left out.

    Parameters
    ----------
    sessions : sequence of Session
        See `sessions_of`.
    day : tuple of int and int
        Its begin and its end, UTC ns.
    calendar_of : callable
        Gives the calendar of an instrument.

    Raises
    ------
    ConfigError
        When the worker decided nothing on that day.
    """
    day_ns, end_ns = day
    nexts = [*(later for _, later in pairwise(sessions)), None]
    found, last_ns = [], 0
    for one, later in zip(sessions, nexts, strict=True):
        last_bar = _last_bar(one, None if later is None else later.life)
        if last_bar is not None:
            ends = partial(
                calendar_of(one.life.instrument).next_bar_open, timeframe=Timeframe.parse(one.life.timeframe)
            )
            last_ns = ends(last_bar)
            found.append(_load(history, config, one, last_bar, None if later is None else later.life, ends, end_ns))
    if last_ns <= day_ns:
        last = f"the last ended {iso_from_ns(last_ns)}" if last_ns else "it never handled one"
        raise ConfigError(
            f"{config.name}: its worker handled no bar on that day; {last}. A life that decided no"
            " bar is not run again, and what it did at quotes is not compared"
        )
    return found


def _last_bar(one: Session, later: Life | None) -> int | None:
    """Return the last bar that a life decided; None when there was none.

    What it noted of a bar, and the next life knows, it decided; what the next life does not know, that one decided.
    """
    life, handled = one.life, [bar.open_time_ns for bar in one.bars if bar.host_ns]
    if later is None or not later.bar_ns:
        return max(handled, default=None)
    is_noted = later.bar_ns > (life.bar_ns or life.newest_ns)
    return later.bar_ns if handled or is_noted else None


def _load(
    history: HistorySource,
    config: InstanceConfig,
    session: Session,
    last_bar: int,
    later: Life | None,
    ends: Callable[[int], int],
    end_ns: int,
) -> Recorded:
    life, until_ns = session.life, end_ns if later is None else min(end_ns, later.market_ns + 1)

    def rows(table: HistoryTable, start_ns: int | None, *, instance: str | None = None, late_ns: int = 0) -> list[Row]:
        query = QueryHistory(
            table=table,
            account=config.account,
            instance=instance,
            start_ns=start_ns,
            end_ns=until_ns + late_ns,
            archived=True,
        )
        return history.query(query)

    # What a life wants on a bar that ended before it began, as one that the life before missed, is dated at that end.
    first_ns = next((ends(bar.open_time_ns) for bar in session.bars if bar.host_ns), life.market_ns)
    since_ns = min(life.market_ns, life.newest_ns or life.market_ns, first_ns)
    intents = rows("intents", None if life.pending else since_ns)
    orders = rows("orders", None if life.pending else life.market_ns)
    trades = rows("trades", None)
    pending = pending_of(life, orders)
    left = frozenset() if later is None else frozenset(intent.n for intent in pending_of(later, orders))
    last_n = None if later is None else later.n
    wanted = [row for row in _wanted(config.name, life, pending, intents, last_n) if number_of(row) not in left]
    # Bars that were decided after a later quote come after it in the run: each a nanosecond later.
    room_ns = len(session.decided) + 1
    quoted = [one.quote_ns + room_ns for one in session.decided if one.quote_ns and one.open_time_ns <= last_bar]
    acted_ns = last_acted_ns([row["time_ns"] for row in wanted], session.asked)
    last_ns = min(end_ns, max(ends(last_bar), *quoted, acted_ns + room_ns))
    until_ns = min(until_ns, last_ns + 1)
    ids = frozenset(row["client_id"] for row in wanted)
    signals = rows("signals", life.market_ns, instance=config.name, late_ns=_LATE_NS)
    decided = last_bar if ends(last_bar) < until_ns else _last_before(session, until_ns, ends)
    own = record_of_rows(
        (row for row in signals if _is_of(life, row, decided, until_ns)),
        wanted,
        (row for row in orders if row["client_id"] in ids),
        (row for row in trades if row["trade_id"] in ids),
        until_ns,
    )
    return Recorded(
        instance=config.name,
        life=life,
        seen=session.bars,
        last_bar_ns=last_bar,
        asked=session.asked,
        passed_over=session.passed_over,
        last_ns=last_ns,
        end_ns=until_ns,
        own=own,
        left=left,
        wanted=wanted,
        pending=pending,
        story=_story_of(session, ends),
        view=[one.item for one in session.heard if not one.time_ns],
        intents=intents,
        orders=orders,
        trades=trades,
        alerts=rows("alerts", life.market_ns, instance=config.name),
    )


def _story_of(session: Session, ends: Callable[[int], int]) -> Story | None:
    """Return what was heard; without a decision there is none."""
    if not session.decided:
        return None
    heard = [Hearing(*one) for one in session.heard if one.time_ns]
    bars = [one.open_time_ns for one in session.decided]
    ends_ns = list(map(ends, bars))
    quoted = [one.quote_ns for one in session.decided]
    last_quotes = [end - 1 if time is None else time for time, end in zip(quoted, ends_ns, strict=True)]
    return Story(ends_ns, [one.equity for one in session.decided], heard, bars, last_quotes)


def pending_of(life: Life, orders: Sequence[Row]) -> list[Intent]:
    """Return what the life before left, but for what the gateway had got before the moment in which this one began.

    What it got in that moment, from either life, is done again.
    """
    known = {row["client_id"] for row in orders if row["created_ns"] < life.market_ns}
    left = (Intent.model_validate(one) for one in life.pending)
    return [intent for intent in left if intent.client_id not in known]


def last_acted_ns(wanted_ns: Sequence[int], asked: Sequence[AskedPrice]) -> int:
    """Return when the last thing was wanted, by the clock of the quotes where that is later.

    What is wanted is dated by the host, and a broker's clock may be ahead of it: it was wanted at the next quote then,
    if that is nearer than the one before.

    Parameters
    ----------
    wanted_ns : sequence of int
        When something was wanted, UTC ns.
    asked : sequence of AskedPrice
        Quotes that were noted.

    Returns
    -------
    int
        UTC ns; 0: nothing was.
    """
    last_ns = max(wanted_ns, default=0)
    before_ns = max((one.time_ns for one in asked if one.time_ns <= last_ns), default=0)
    after_ns = min((one.time_ns for one in asked if one.time_ns > last_ns), default=last_ns)
    return after_ns if 0 < after_ns - last_ns < min(last_ns - before_ns, _AHEAD_NS) else last_ns


def _wanted(name: str, life: Life, pending: Sequence[Intent], intents: Sequence[Row], last_n: int | None) -> list[Row]:
    left = {intent.client_id for intent in pending}
    return [
        row
        for row in intents
        if row["instance"] == name
        and (last_n is None or number_of(row) <= last_n)
        and (number_of(row) > life.n or row["client_id"] in left)
    ]


def _is_of(life: Life, signal: Row, last_bar: int, until_ns: int) -> bool:
    """Tell whether a signal is of this life: of a bar that it decided, not the life before or after it.

    Live it was told a moment after the end of its bar, which may be that of the day.
    """
    bar = signal["bar"]
    if bar is None:
        return bool(signal["time_ns"] < until_ns)
    return life.bar_ns < int(bar.rpartition("|")[2]) <= last_bar


def _last_before(session: Session, until_ns: int, ends: Callable[[int], int]) -> int:
    """Return the last bar of a life that ended before a time."""
    return max((bar.open_time_ns for bar in session.bars if ends(bar.open_time_ns) < until_ns), default=0)
