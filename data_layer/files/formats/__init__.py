"""The formats of files, one module each: each looks at the first lines and says how the rows are written, or passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from atrader.errors import ConfigError
from data_layer.files.formats import candles, dukascopy, fxcm, histdata, legacy, metatrader, own, truefx
from data_layer.files.layout import Layout, Sample


class Format(NamedTuple):
    """One format of text files.

    Attributes
    ----------
    name : str
        For ``--format``.
    title : str
        What people know it as, and what it looks like.
    recognise : callable
        From the first lines to the layout; None when they are something else.
    """

    name: str
    title: str
    recognise: Callable[[Sample], Layout | None]


FORMATS: Final = (
    Format("own", "a header with time, open, high, low, close or time, bid, ask; ISO times", own.recognise),
    Format("fxcm", "FXCM: DateTime,BidOpen ... AskClose or DateTime,Bid,Ask", fxcm.recognise),
    Format("truefx", "TrueFX: EUR/USD,20130101 22:00:00.295,BID,ASK", truefx.recognise),
    Format("dukascopy", "Dukascopy: Gmt time,Open ... or Time (UTC),Ask,Bid ...", dukascopy.recognise),
    Format("histdata", "HistData: 20120201 000000;O;H;L;C;V or 20120201 000003660,BID,ASK,0", histdata.recognise),
    Format("mt4", "MetaTrader 4: 2013.02.01,00:00,O,H,L,C,V", metatrader.recognise_mt4),
    Format("mt5", "MetaTrader 5: <DATE> <TIME> <OPEN> ... or <DATE> <TIME> <BID> <ASK> ...", metatrader.recognise_mt5),
    Format("candles", "ccxt and freqtrade: [[MS,O,H,L,C,V], ...] or lines MS,O,H,L,C,V", candles.recognise),
    Format("old-trader", "the old trader: 31/12/13 23:59,O,H,L,C,V", legacy.recognise),
)
"""All of them; Parquet, Feather and named columns (`data_layer.files.formats.mapped`) come beside."""


def layout_for(sample: Sample, file: str, name: str | None = None) -> Layout:
    """Return the one layout that fits.

    Parameters
    ----------
    sample : Sample
        The first lines.
    file : str
        For errors.
    name : str, optional
        Format that a person names.

    Raises
    ------
    ConfigError
        When none fits, or more than one; names what there is.
    """
    known = {one.name: one for one in FORMATS}
    if name is not None:
        if name not in known:
            raise ConfigError(f"there is no format {name!r}; there are {', '.join(known)}")
        layout = known[name].recognise(sample)
        if layout is None:
            raise ConfigError(f"{file}: this is not {known[name].title}; it begins with {_begin(sample)}")
        return layout
    if not any(line.strip() for line in sample.lines):
        raise ConfigError(f"{file}: the file is empty")
    fitting = [layout for one in FORMATS if (layout := one.recognise(sample)) is not None]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = ", ".join(layout.format for layout in fitting)
        raise ConfigError(f"{file}: this may be {names}; say which with --format")
    formats = "".join(f"\n  {one.name}: {one.title}" for one in FORMATS)
    raise ConfigError(
        f"{file}: this is no format that is known; it begins with {_begin(sample)}. Name its columns with --columns,"
        f" e.g. --columns time=Date,open=O,high=H,low=L,close=C; or is it meant to be one of these?{formats}"
    )


def _begin(sample: Sample) -> str:
    return repr(next((line for line in sample.lines if line.strip()), "")[:100])
