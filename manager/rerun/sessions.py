"""What was recorded of a session: the lives of the worker, and the rows of the history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from atrader.calendars import Calendar
from atrader.clock import iso_from_ns
from atrader.configuration.home import Home
from atrader.configuration.instance import InstanceConfig
from atrader.errors import ConfigError
from atrader.messages.history import HistoryTable, QueryHistory
from atrader.orders.model import Intent
from atrader.runtime.session_file import Life, SeenBar, read_sessions
from atrader.timeframes import Timeframe
from data_layer.offline import HistorySource
from research.rerun import Record, record_of_rows
from research.rerun.record import number_of

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A session from the begin of a life to the end of a day.

    Attributes
    ----------
    life : Life
        With which it begins.
    later : sequence of Life
        That began within it.
    seen : sequence of SeenBar
        Bars that the worker had.
    last_ns, end_ns : int
        End of the last bar that the worker handled, or of the day if that is earlier; and before when everything lies
        that is compared. UTC.
    own : Record
        What the instance did.
    wanted : sequence of Row
        Intents of the instance.
    pending : sequence of Intent
        What the life before left to be handed over.
    intents : sequence of Row
        Of all instances of the account, from the begin on.
    orders, trades : sequence of Row
        Of the account; trades also of before.
    alerts : sequence of Row
        Of the instance.
    """

    life: Life
    later: Sequence[Life]
    seen: Sequence[SeenBar]
    last_ns: int
    end_ns: int
    own: Record
    wanted: Sequence[Row]
    pending: Sequence[Intent]
    intents: Sequence[Row]
    orders: Sequence[Row]
    trades: Sequence[Row]
    alerts: Sequence[Row]


def load_recorded(
    home: Home, history: HistorySource, config: InstanceConfig, day: tuple[int, int], calendar: Calendar
) -> Recorded:
    """Read what is known of the session of a day.

    Parameters
    ----------
    day : tuple of int and int
        Its begin and its end, UTC ns.
    calendar : Calendar
        Of the instrument.

    Raises
    ------
    ConfigError
        When nothing is recorded of the worker on that day.
    """
    day_ns, end_ns = day
    sessions = read_sessions(home.session(config.name))
    before = [number for number, one in enumerate(sessions) if one.life.market_ns <= day_ns]
    within = [number for number, one in enumerate(sessions) if day_ns < one.life.market_ns < end_ns]
    if not before and not within:
        raise ConfigError(
            f"{config.name}: nothing is recorded of its worker up to {iso_from_ns(end_ns)}: it did not run, or with an"
            f" older version of atrader (looked for in {home.session(config.name)})"
        )
    first = before[-1] if before else within[0]
    chosen = [one for one in sessions[first:] if one.life.market_ns < end_ns]
    life, seen = chosen[0].life, [bar for one in chosen for bar in one.bars]
    last_ns = _end_of_last(seen, life, calendar)
    if last_ns <= day_ns:
        raise ConfigError(
            f"{config.name}: its worker handled no bar on that day; the last ended {iso_from_ns(last_ns)}"
        )
    end_ns = min(end_ns, last_ns + 1)

    def rows(table: HistoryTable, start_ns: int | None, *, instance: str | None = None) -> list[Row]:
        query = QueryHistory(
            table=table, account=config.account, instance=instance, start_ns=start_ns, end_ns=end_ns, archived=True
        )
        return history.query(query)

    intents = rows("intents", None if life.pending else life.market_ns)
    orders = rows("orders", None if life.pending else life.market_ns)
    trades = rows("trades", None)
    pending = pending_of(life, orders)
    wanted = _wanted(config.name, life, pending, intents)
    ids = frozenset(row["client_id"] for row in wanted)
    own = record_of_rows(
        (row for row in rows("signals", life.market_ns, instance=config.name) if _is_of(life, row)),
        wanted,
        (row for row in orders if row["client_id"] in ids),
        (row for row in trades if row["trade_id"] in ids),
        end_ns,
    )
    return Recorded(
        life=life,
        later=[one.life for one in chosen[1:]],
        seen=seen,
        last_ns=min(day[1], last_ns),
        end_ns=end_ns,
        own=own,
        wanted=wanted,
        pending=pending,
        intents=intents,
        orders=orders,
        trades=trades,
        alerts=rows("alerts", life.market_ns, instance=config.name),
    )


def pending_of(life: Life, orders: Sequence[Row]) -> list[Intent]:
    """Return what the life before left, but for what the gateway had got before the moment in which this one began.

    What it got in that moment, from either life, is done again.
    """
    known = {row["client_id"] for row in orders if row["created_ns"] < life.market_ns}
    left = (Intent.model_validate(one) for one in life.pending)
    return [intent for intent in left if intent.client_id not in known]


def _wanted(name: str, life: Life, pending: Sequence[Intent], intents: Sequence[Row]) -> list[Row]:
    left = {intent.client_id for intent in pending}
    return [row for row in intents if row["instance"] == name and (number_of(row) > life.n or row["client_id"] in left)]


def _is_of(life: Life, signal: Row) -> bool:
    """Tell whether a signal is of this life: a bar that the life before handled at the same moment is not."""
    bar = signal["bar"]
    return bar is None or int(bar.rpartition("|")[2]) > life.bar_ns


def _end_of_last(seen: Sequence[SeenBar], life: Life, calendar: Calendar) -> int:
    """Return when the newest bar ends that was handled; nothing was decided after it."""
    handled = [bar.open_time_ns for bar in seen if bar.host_ns]
    return calendar.next_bar_open(max(handled), Timeframe.parse(life.timeframe)) if handled else 0
