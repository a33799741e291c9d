"""Bars that are other ones now than the worker had."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

import numpy as np

from atrader.clock import iso_from_ns
from atrader.market import Bars
from atrader.runtime.session_file import SeenBar, bar_crc


class BarNews(NamedTuple):
    """A bar that differs.

    Attributes
    ----------
    kind : str
        ``revised``: stored with other values than the worker had; ``missing``: the worker had it, and it is not stored;
        ``unseen``: it is stored, and the worker did not have it.
    """

    kind: Literal["revised", "missing", "unseen"]
    open_time_ns: int
    text: str


def bar_news(seen: Iterable[SeenBar], stored: Bars) -> list[BarNews]:
    """Compare what a worker had with what is stored, oldest first.

    Parameters
    ----------
    seen : iterable of SeenBar
        In the order the worker had them; of a bar that it had several times, the last counts.
    stored : Bars
        From the first bar that it must have had, to the last.
    """
    had = {bar.open_time_ns: bar.crc for bar in seen}
    if not len(stored):
        return []
    opens = stored.open_time_ns.tolist()
    news = []
    for row, open_ns in enumerate(opens):
        if open_ns not in had:
            news.append(BarNews("unseen", open_ns, f"{_named(open_ns)} is stored, and the worker did not have it"))
        elif bar_crc(stored.row(row)) != had[open_ns]:
            o, h, low, c = (f"{getattr(stored, name)[row]:.10g}" for name in ("open", "high", "low", "close"))
            text = f"{_named(open_ns)} was revised since the worker had it: it is {o} {h} {low} {c} now (bid o h l c)"
            news.append(BarNews("revised", open_ns, text))
    known = np.array(sorted(had), np.int64)
    inside = known[(known >= opens[0]) & (known <= opens[-1])]
    for open_ns in np.setdiff1d(inside, stored.open_time_ns).tolist():
        news.append(BarNews("missing", open_ns, f"{_named(open_ns)} is not stored any more, and the worker had it"))
    return sorted(news, key=lambda one: one.open_time_ns)


def _named(open_ns: int) -> str:
    return f"the bar of {iso_from_ns(open_ns)}"
