"""etc/atrader.toml: the fleet, its data layer and its market feed."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from atrader.calendar_rules import rules_of
from atrader.calendars import Calendar, Period
from atrader.clock import parse_time
from atrader.configuration.account import AccountConfig
from atrader.configuration.base import DurationS, FixedTimeframeName, Name, Section, SizeBytes
from atrader.configuration.instance import InstanceConfig, ProcessLimits
from atrader.configuration.secrets import SecretRef
from atrader.configuration.sources import BackfillConfig, HttpSource
from atrader.configuration.store_url import StoreName
from atrader.configuration.tcp_url import checked_url
from atrader.instruments import Instrument, known_instrument


class SyntheticMarket(Section):
    """The synthetic market: seeded random prices in real time."""

    seed: int = 1  # the same seed gives the same course of prices
    ticks_per_second: Annotated[float, Field(gt=0, le=10_000)] = 2.0  # per instrument
    volatility_frac: Annotated[float, Field(gt=0, lt=10)] = 0.08  # a year; 0.08 is a calm EUR/USD
    always_open: bool = True  # demonstrations run on Sundays too


class ReplayMarket(Section):
    """Replay of stored bars or ticks as if they were live."""

    source: Literal["bars", "ticks"] = "bars"  # what is replayed: stored bars, or stored ticks
    timeframe: FixedTimeframeName = "1m"  # of the bars replayed
    start: str | None = None  # ISO date or date-time with zone; default: first stored
    end: str | None = None  # the same; not included; default: last stored
    speed: Annotated[float, Field(ge=1, le=10_000)] | Literal["max"] = "max"  # max: in step with workers and gateways
    stop_at_end: bool = True  # the fleet stops when the replay is over

    @model_validator(mode="after")
    def _a_span_of_time(self) -> Self:
        start_ns, end_ns = (None if text is None else parse_time(text) for text in (self.start, self.end))
        if start_ns is not None and end_ns is not None and end_ns <= start_ns:
            raise ValueError(f"end {self.end} is not after start {self.start}")
        return self


class MarketConfig(Section):
    """Where prices come from: a feed of the data layer, or the brokers of the accounts."""

    feed: Literal["synthetic", "replay", "none"] = "none"  # seeded random prices, stored ones, or those of brokers
    instruments: tuple[str, ...] = ()  # what the feed quotes; of brokers: quoted beside what strategies trade
    price_account: Name | None = None  # account that brings all prices; default: each that of its strategies
    price_accounts: dict[str, Name] = {}  # account that brings the prices of one instrument: "EUR/USD" = "NAME"
    synthetic: SyntheticMarket = SyntheticMarket()
    replay: ReplayMarket = ReplayMarket()

    @property
    def in_lockstep(self) -> bool:
        """Whether a replay goes as fast as it can: each process works in its turn."""
        return self.feed == "replay" and self.replay.speed == "max"


class DataConfig(Section):
    """The data layer."""

    store: StoreName = "embedded"  # where all is kept: files in data/, or "postgresql://USER@HOST/DATABASE"
    store_password: SecretRef | None = None  # of a server: "env:NAME", "file:/PATH" or "keyring:SERVICE/NAME"
    base_timeframe: FixedTimeframeName = "1m"  # built from ticks and stored; higher ones are built from it
    keep_ticks: bool = False  # store ticks too
    late_quotes: DurationS = 0.5  # a bar is complete this long after its end when no newer quote has come
    flush_interval: DurationS = 0.25  # prices and bars reach the disk at least this often
    shared_bars: SizeBytes = 100_000_000  # memory for bars that readers on this host map; 0: none are
    min_free_disk: SizeBytes = 200_000_000  # below: market and history are not written; prices and orders go on
    free_margin_frac: Annotated[float, Field(ge=0, le=10)] = 0.25  # writing goes on with so much more than that free
    keep_trades: DurationS | None = None  # older closed trades go to the archive, with all that belongs to them
    keep_signals: DurationS | None = None  # older signals go to the archive
    keep_equity: DurationS | None = None  # older equity snapshots go to the archive
    keep_events: DurationS | None = None  # older alerts and process events go to the archive
    archive_every: Annotated[DurationS, Field(ge=60)] = 86_400.0  # how often the data layer looks for what is old
    backfill: BackfillConfig = BackfillConfig()


class BusConfig(Section):
    """Sockets other than the local ones. A tcp endpoint needs the keys that ``atrader-manager keys`` makes."""

    data_tcp: Annotated[str, AfterValidator(checked_url)] | None = (
        None  # "tcp://HOST:PORT" for other hosts; takes 3 ports
    )
    keys: str = "etc/keys"  # folder of the keys, below the installation directory


class LogConfig(Section):
    """Log files."""

    level: Literal["debug", "info", "warning", "error"] = "info"  # least important lines that are written
    max_file: SizeBytes = 20_000_000  # a log file that grows beyond it is rotated
    files: Annotated[int, Field(ge=1)] = 5  # kept for each process, the present one included


class CalendarConfig(Section):
    """When a calendar is closed besides its weekends and holidays."""

    closed: tuple[str, ...] = ()  # periods "START/END", ISO date-times with zone, such as an early close of the broker

    @field_validator("closed")
    @classmethod
    def _periods(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            _period(text)
        return value

    @property
    def periods(self) -> tuple[Period, ...]:
        """The periods as instants."""
        return tuple(map(_period, self.closed))


def _period(text: str) -> Period:
    start, slash, end = text.partition("/")
    if not slash:
        raise ValueError(f"expected a period such as '2026-12-24T14:00-05:00/2026-12-24T17:00-05:00', was {text!r}")
    period = Period(parse_time(start), parse_time(end))
    if period.end_ns <= period.start_ns:
        raise ValueError(f"the period {text!r} ends before it starts")
    return period


class FleetConfig(Section):
    """Everything in etc/atrader.toml."""

    max_workers: Annotated[int, Field(gt=0)] = 200  # strategies that may run at once: a copied folder harms less
    beat_interval: DurationS = 1.0  # how often each process says that it makes progress
    stop_grace: DurationS = 10.0  # how long an orderly stop of the fleet may take before processes are killed
    market: MarketConfig = MarketConfig()
    data: DataConfig = DataConfig()
    bus: BusConfig = BusConfig()
    log: LogConfig = LogConfig()
    process: ProcessLimits = ProcessLimits()  # data layer and gateways
    calendars: dict[str, CalendarConfig] = {}
    instruments: dict[str, Instrument] = {}
    sources: dict[Name, HttpSource] = {}

    @field_validator("calendars")
    @classmethod
    def _known_calendars(cls, value: dict[str, CalendarConfig]) -> dict[str, CalendarConfig]:
        for name in value:
            Calendar.get(name)
        return value

    def calendar_of(self, symbol: str) -> Calendar:
        """Return the calendar of an instrument, with the closed periods of this configuration.

        Raises
        ------
        ConfigError
            When nobody knows the instrument.
        """
        name = known_instrument(symbol, self.instruments).calendar
        names = (name, rules_of(name).hours)  # a broker's clock has the closed periods of its market
        return Calendar.get(
            name, tuple(one for key in names if key in self.calendars for one in self.calendars[key].periods)
        )


class Installation(Section):
    """A whole configuration directory, read and checked."""

    home: str  # absolute path
    fleet: FleetConfig
    accounts: dict[str, AccountConfig]
    instances: dict[str, InstanceConfig]
