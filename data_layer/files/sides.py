"""Two files of one series, bid and ask, to one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from atrader.clock import iso_from_ns
from atrader.errors import ConfigError
from atrader.market import Bars
from data_layer.files.reading import FileRows
from data_layer.files.rows import BadRow


def join_sides(bid: FileRows, ask: FileRows) -> FileRows:
    """Join a bid and an ask file on their open times; a bar of one side only is a bad row of that file.

    A bar whose bid closes above its ask is kept: sources have them around the daily break, and the spread rule of
    the risk gate looks at live quotes, not at bars.

    Raises
    ------
    ConfigError
        When one of them holds quotes, which have both sides already.
    """
    if (bid.kind, ask.kind) != ("bars", "bars"):
        raise ConfigError(f"{bid.file}, {ask.file}: only bars come as a bid and an ask file; import them one by one")
    times, at_bid, at_ask = np.intersect1d(
        bid.bars.open_time_ns, ask.bars.open_time_ns, assume_unique=True, return_indices=True
    )
    bad = [*bid.bad_rows, *ask.bad_rows]
    for side, used in ((bid, at_bid), (ask, at_ask)):
        for index in np.setdiff1d(np.arange(len(side.bars)), used, assume_unique=True):
            when = iso_from_ns(int(side.bars.open_time_ns[index]))
            bad.append(BadRow(side.file, 0, f"the bar of {when} has no partner in the other file", "no partner"))
    left, right = bid.bars, ask.bars
    columns = [column[at_bid] for column in left.columns[1:5]] + [column[at_ask] for column in right.columns[1:5]]
    bars = Bars(times, *columns, np.maximum(left.volume[at_bid], right.volume[at_ask]))
    return replace(bid, bars=bars, bad_rows=tuple(bad), jumps_back=bid.jumps_back + ask.jumps_back)
