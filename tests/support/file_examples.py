"""One small file for each format: what the documentation shows, and what the tests read."""

from __future__ import annotations

from dataclasses import dataclass, field

from atrader.clock import parse_time
from data_layer.files.formats.mapped import columns_of
from data_layer.files.reading import ReadOptions


@dataclass(frozen=True)
class Example:
    """A file as its source writes it.

    Attributes
    ----------
    title : str
        Heading in the documentation.
    format : str
        The format that must be recognised.
    name : str
        Of the file.
    text : str
        Its content.
    options : str
        What a person must say.
    first : tuple
        UTC time of the first good row, and its first values: open, high, low, close or bid, ask.
    note : str
        A sentence for people.
    """

    title: str
    format: str
    name: str
    text: str
    first: tuple[str, tuple[float, ...]]
    options: dict[str, str] = field(default_factory=dict)
    note: str = ""

    @property
    def first_ns(self) -> int:
        """UTC ns of the first good row."""
        return parse_time(self.first[0])

    def read_options(self) -> ReadOptions:
        """Return what a person says, as the reader takes it."""
        named = self.options.get("columns")
        return ReadOptions(
            zone=self.options.get("zone"),
            columns=None if named is None else columns_of(named),
            delimiter=self.options.get("delimiter"),
            time_format=self.options.get("time-format"),
        )

    def command(self) -> str:
        """Return the command that imports it."""
        said = "".join(
            f" --{name} '{value}'" if {" ", "%", "="} & set(value) else f" --{name} {value}"
            for name, value in self.options.items()
        )
        return f"atrader data import{said} {self.name}"


_TIME = "2013-02-01T00:00:00Z"
_OHLC = (91.715, 91.72, 91.653, 91.66)
_QUOTE = (91.715, 91.717)

EXAMPLES = (
    Example(
        "Own",
        "own",
        "USDJPY-1m.csv",
        "timestamp,open,high,low,close,ask_open,ask_high,ask_low,ask_close,volume\n"
        "2013-02-01T00:00:00Z,91.715,91.72,91.653,91.66,91.717,91.722,91.655,91.662,120.0\n",
        (_TIME, _OHLC),
        note="What `atrader data export` writes, and any file with such a header: the time column may be called"
        " `timestamp`, `open_time`, `datetime`, `time` or `date`; ask prices and volume may be missing; comma,"
        " semicolon or tab. Times are ISO 8601, or counted since 1970 (10, 13, 16 or 19 digits).",
    ),
    Example(
        "Own, quotes",
        "own",
        "USDJPY-ticks.csv",
        "timestamp,received,bid,ask\n2013-02-01T00:00:00.5Z,2013-02-01T00:00:00.61Z,91.715,91.717\n",
        ("2013-02-01T00:00:00.5Z", _QUOTE),
        note="`received` may be missing.",
    ),
    Example(
        "FXCM",
        "fxcm",
        "USDJPY/2013/5.csv.gz",
        "DateTime,BidOpen,BidHigh,BidLow,BidClose,AskOpen,AskHigh,AskLow,AskClose\n"
        "02/01/2013 00:00:00.000,91.715,91.72,91.653,91.66,91.717,91.722,91.655,91.662\n",
        (_TIME, _OHLC),
        note="UTC, month first. Files of its Python package (`date,bidopen,bidclose,...,tickqty`) and ticks"
        " (`DateTime,Bid,Ask`) too.",
    ),
    Example(
        "TrueFX",
        "truefx",
        "USDJPY-2013-02.zip",
        "USD/JPY,20130201 00:00:00.295,91.715,91.717\n",
        ("2013-02-01T00:00:00.295Z", _QUOTE),
        note="UTC. The rows name the instrument.",
    ),
    Example(
        "Dukascopy",
        "dukascopy",
        "USDJPY_Candlestick_1_M_BID.csv",
        "Gmt time,Open,High,Low,Close,Volume\n01.02.2013 00:00:00.000,91.715,91.72,91.653,91.66,120.5\n",
        (_TIME, _OHLC),
        note="`Gmt time`, `UTC time`, `Time (UTC)`, `Time (EET)` say the zone; `Local time` rows name their offset. A"
        " `BID` and an `ASK` file become one series. Files of dukascopy-node too.",
    ),
    Example(
        "Dukascopy, quotes",
        "dukascopy",
        "USDJPY_Ticks.csv",
        "Gmt time,Ask,Bid,AskVolume,BidVolume\n01.02.2013 00:00:00.123,91.717,91.715,1.5,0.75\n",
        ("2013-02-01T00:00:00.123Z", _QUOTE),
    ),
    Example(
        "HistData",
        "histdata",
        "DAT_ASCII_USDJPY_M1_201301.csv",
        "20130131 190000;91.715;91.72;91.653;91.66;0\n",
        (_TIME, _OHLC),
        note="New York's winter time all year (UTC-5), as its page says.",
    ),
    Example(
        "HistData, quotes",
        "histdata",
        "DAT_ASCII_USDJPY_T_201301.csv",
        "20130131 190000123,91.715,91.717,0\n",
        ("2013-02-01T00:00:00.123Z", _QUOTE),
    ),
    Example(
        "MetaTrader 4",
        "mt4",
        "USDJPY1.csv",
        "2013.02.01,02:00,91.715,91.72,91.653,91.66,120\n2013.02.01,02:01,91.66,91.7,91.65,91.69,80\n",
        (_TIME, _OHLC),
        {"zone": "EET", "timeframe": "1m"},
        note="The times are the broker's clock: say its zone. Many brokers keep midnight at 17:00 New York all"
        " year; that is `America/New_York+7h`.",
    ),
    Example(
        "MetaTrader 5",
        "mt5",
        "USDJPY_M1_201302.csv",
        "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n"
        "2013.02.01\t02:00:00\t91.715\t91.72\t91.653\t91.66\t120\t0\t2\n",
        (_TIME, _OHLC),
        {"zone": "EET"},
        note="As above. Say what one of the broker's points is, `--point 0.001`, and its spread makes the ask prices;"
        " without it bid stands for bid and ask.",
    ),
    Example(
        "MetaTrader 5, quotes",
        "mt5",
        "USDJPY_ticks.csv",
        "<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>\n"
        "2013.02.01\t02:00:00.123\t91.715\t91.717\t\t\t6\n2013.02.01\t02:00:00.500\t\t91.718\t\t\t4\n",
        ("2013-02-01T00:00:00.123Z", _QUOTE),
        {"zone": "America/New_York+7h"},
        note="An empty bid or ask is the one before.",
    ),
    Example(
        "freqtrade, ccxt",
        "candles",
        "BTC_USDT-5m.json",
        "[[1359676800000, 91.715, 91.72, 91.653, 91.66, 12.5],\n [1359677100000, 91.66, 91.7, 91.6, 91.65, 8]]\n",
        (_TIME, _OHLC),
        note="JSON (also `.json.gz`), or lines of the same six numbers. freqtrade's Feather and Parquet files are read"
        " as tables (below).",
    ),
    Example(
        "The old trader",
        "old-trader",
        "USDJPY_60.csv",
        "01/02/13 01:00,91.715,91.72,91.653,91.66,4\n01/02/13 02:00,91.66,91.7,91.65,91.69,4\n"
        "01/02/13 01:00,91.715,91.72,91.653,91.66,4\n",
        (_TIME, _OHLC),
        note="Madrid's local time; the number in the name is the timeframe in minutes. Its files hold the same weeks"
        " many times over: every repetition is reported, and of rows that differ the last one is taken.",
    ),
    Example(
        "Any other table",
        "columns",
        "usdjpy.txt",
        "Nr;Tag;Auf;Hoch;Tief;Zu\n1;01.02.2013 00:00;91.715;91.72;91.653;91.66\n",
        (_TIME, _OHLC),
        {
            "columns": "time=Tag,open=Auf,high=Hoch,low=Tief,close=Zu",
            "delimiter": "semicolon",
            "time-format": "%d.%m.%Y %H:%M",
            "zone": "UTC",
            "timeframe": "1m",
        },
        note="Columns by their name in the header or by number from 1 on: `time`, `open`, `high`, `low`, `close`,"
        " `ask_open` ... `ask_close`, `volume`; or `time`, `bid`, `ask`, `received`.",
    ),
)


def as_markdown() -> str:
    """Write all examples as a part of a page."""
    parts = []
    for one in EXAMPLES:
        shown = one.text.replace("\t", "    ")
        note = f"{one.note}\n\n" if one.note else ""
        parts.append(f"### {one.title}\n\n    {one.command()}\n\n```\n{shown}```\n\n{note}")
    return "\n" + "".join(parts)
