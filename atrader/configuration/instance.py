"""etc/strategies/NAME.toml: one strategy instance."""

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator

from atrader.configuration.backtest import BacktestSettings
from atrader.configuration.base import DurationS, Name, Section, SizeBytes, TimeframeName
from atrader.configuration.limits import InstanceLimits, TradeLimits
from atrader.configuration.selection import SelectionConfig
from atrader.orders.ids import MAX_MAGIC

_STRATEGY = re.compile(r"[a-z0-9][a-z0-9-]*|[^:\s]+:[A-Za-z_]\w*")


class RestartBudget(Section):
    """How often a process may exit before it is held back; every exit counts, whatever its cause."""

    count: Annotated[int, Field(ge=0)] = 5  # exits in the window; one more is too many
    window: DurationS = 60.0  # over which exits are counted
    first_backoff: DurationS = 0.0  # the first restart is at once: most deaths are single
    backoff_factor: Annotated[float, Field(ge=1)] = 2.0  # each delay is so many times the one before
    min_backoff: DurationS = 0.25  # from the second exit in the window on: no hot loop
    max_backoff: DurationS = 30.0  # no delay is longer, jitter apart; also the pace of retries during maintenance
    jitter_frac: Annotated[float, Field(ge=0, le=1)] = 0.2  # of each delay, so that many do not come back together
    probation: DurationS = 60.0  # slow retry while flat, after the budget is spent


class ProcessLimits(Section):
    """What one process may use, and how long it may be silent."""

    start_grace: DurationS = 20.0  # from spawn to READY
    beat_timeout: DurationS = 3.0  # no beat for this long = stalled; a beat is due each second
    progress_timeout: DurationS = 10.0  # bars arrive but none is handled for this long = stalled
    stop_grace: DurationS = 5.0  # from TERM to KILL
    stall_grace: DurationS = 1.0  # the same for one found stalled: it will hardly listen
    memory_soft: SizeBytes | None = None  # recycle at the next flat moment
    memory_hard: SizeBytes | None = 1_000_000_000  # kill at once: before the kernel kills something else
    open_files: Annotated[int, Field(ge=64)] = 1024  # descriptors
    cpu_set: tuple[int, ...] | None = None  # processors it may run on; default: all
    restart: RestartBudget = RestartBudget()


class InstanceConfig(Section):
    """One configured use of a strategy on an account, with its own worker and magic number."""

    name: Name
    strategy: str  # built-in name, "package.module:Class" or "strategies/file.py:Class"
    account: Name  # file name in etc/accounts
    magic: Annotated[int, Field(gt=0, le=MAX_MAGIC)]  # marks its orders and trades for ever: unique, never used again
    instrument: str  # what it trades
    timeframe: TimeframeName  # of its bars; a multiple of data.base_timeframe
    enabled: bool = True  # false: not started
    warmup_bars: Annotated[int, Field(ge=0)] | None = None  # default: what the strategy asks for
    parameters: dict[str, object] = {}  # of the strategy; its class says which there are
    time_budget: DurationS = 0.5  # for one call of the strategy; more is reported, much more is a stall
    on_error: Literal["skip-bar", "reduce", "stop"] = "skip-bar"  # an exception in it: go on, exits only, or stop
    max_errors: Annotated[int, Field(gt=0)] = 10  # in a row; then the instance stops (StrategyError)
    on_down: Literal["keep", "reduce", "flatten"] = "keep"  # its worker is down: broker-side stops stay
    on_down_after: DurationS = 60.0  # down for this long before on_down applies
    trade: TradeLimits | None = None  # overrides the account's
    limits: InstanceLimits = InstanceLimits()
    selection: SelectionConfig | None = None  # the markets it is made for; left out: it may open in all
    backtest: BacktestSettings | None = None  # how a backtest of it fills; live nothing of it counts
    process: ProcessLimits = ProcessLimits()

    @field_validator("strategy")
    @classmethod
    def _names_a_strategy(cls, value: str) -> str:
        if _STRATEGY.fullmatch(value) is None:
            raise ValueError(
                "expected a built-in name such as 'sma-cross', 'package.module:Class' or 'strategies/file.py:Class',"
                f" was {value!r}"
            )
        return value
