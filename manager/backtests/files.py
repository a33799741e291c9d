"""What is kept of a backtest: what ran, on what, and what came of it."""

from __future__ import annotations

import hashlib
import inspect
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from atrader import __version__
from atrader.clock import SystemClock, iso_from_ns
from atrader.configuration.instance import InstanceConfig
from atrader.strategy import Strategy
from manager.backtests.conventions import convention_text
from manager.backtests.engines import Ran
from manager.backtests.gaps import gaps_of
from manager.backtests.request import Request
from research.events.plan import Plan
from research.events.traded import Traded
from research.reports.finished import Finished, keep
from research.reports.measures import calendar_for
from research.reports.rows import alert_columns, order_columns, signal_columns, trade_columns
from research.reports.saved import Saved, Told
from research.reports.trades import rows_of

if TYPE_CHECKING:
    from manager.backtests.comparing import Comparison

COMPARISON: Final = "ctester.json"
_SIGNALS: Final = {"once": "signals over all bars at once", "window": "signals over the warm-up of each bar"}
_OF_ACCOUNT: Final = {"name", "currency", "positions", "limits", "trade"}
_OF_INSTANCE: Final = {"name", "strategy", "magic", "instrument", "timeframe", "selection"}
_NO_COSTS: Final = {"seed", "initial_balance"}  # of the paper settings: they have keys of their own


class Played(NamedTuple):
    """What was played, whatever came of it.

    Attributes
    ----------
    data_sha256 : str
        See `data_hash`.
    gaps : dict
        See `gaps_of`.
    """

    data_sha256: str
    gaps: dict[str, dict[str, Any]]

    @classmethod
    def of(cls, request: Request, plan: Plan) -> Self:
        """Look at all of it: some ten nanoseconds a bar, nearly all of them without the interpreter's lock."""
        return cls(data_hash(plan), gaps_of(request, plan))


def save(
    folder: Path,
    request: Request,
    plan: Plan,
    ran: Ran,
    took_s: float,
    played: Played | None = None,
    told: Told | None = None,
) -> Saved:
    """Write everything that happened into a new folder below another; on disk when this returns.

    Parameters
    ----------
    played : Played, optional
        Of the request and the plan, where that is known already.
    told : callable, optional
        Is told of the result before it is written.

    Raises
    ------
    StoreError
        When it cannot be written.
    """
    result = ran.findings
    trades = cache(lambda: trade_columns(result.trades))
    return keep(
        folder,
        Finished(
            name=request.name,
            setup=_setup(request, plan, ran, took_s, played or Played.of(request, plan)),
            events={
                "errors": {name: count for name, count in result.errors.items() if count},
                "refused": result.refused,
                "halted": result.halted,
                "alerts": Counter(alert.kind for alert in result.alerts),
                "first_alerts": result.first_alerts,
                "missing_bars": {
                    " ".join(key): missing for key, gaps in plan.missing.items() if (missing := sum(g[2] for g in gaps))
                },
            },
            trades=trades,
            traded=result.traded or Traded.of(rows_of(trades())),
            curve=result.curve,
            tapes=plan.tapes,
            calendar=calendar_for([config.instrument for config, _ in plan.instances], plan.calendar_of),
            tables={
                "orders": lambda: order_columns(result.orders),
                "signals": lambda: signal_columns(result.signals),
                "alerts": lambda: alert_columns(result.alerts),
            },
        ),
        told,
    )


def add_comparison(saved: Saved, found: Comparison) -> Saved:
    """Write a comparison beside a result, and into its summary."""
    return saved.extended(COMPARISON, "ctester", found.as_json())


def _setup(request: Request, plan: Plan, ran: Ran, took_s: float, played: Played) -> dict[str, Any]:
    config = request.account
    bars = sum(ran.findings.bars.values())
    return {
        "program": __version__,
        "made": iso_from_ns(SystemClock().now_ns()),
        "engine": ran.engine,
        "not_vector": ran.not_vector,
        "convention": f"{convention_text(request)}; {_SIGNALS[plan.signals]}",
        "account": config.model_dump(mode="json", include=_OF_ACCOUNT),
        "costs": config.paper.model_dump(mode="json", exclude=_NO_COSTS),
        "seed": config.paper.seed,
        "initial_balance": str(config.paper.initial_balance),
        "instances": [_instance(item, strategy) for item, strategy in plan.instances],
        "quotes": request.quotes or "finest stored bars",
        "data_sha256": played.data_sha256,
        "bars": dict(ran.findings.bars),
        "gaps": played.gaps,
        "took_s": round(took_s, 3),
        "bars_per_s": round(bars / took_s) if took_s > 0 else None,
    }


def _instance(config: InstanceConfig, strategy: Strategy) -> dict[str, Any]:
    """Return what ran: the parameters with their defaults, and a fingerprint of the file the class is in."""
    return {
        **config.model_dump(mode="json", include=_OF_INSTANCE),
        "parameters": strategy.parameters.model_dump(mode="json"),
        "source_sha256": source_hash(strategy),
    }


def source_hash(strategy: Strategy) -> str | None:
    """Return a fingerprint of the file that a strategy's class is in, and of files of its own; None: it is in none."""
    source = inspect.getsourcefile(type(strategy))
    if source is None:
        return None
    digest = hashlib.sha256(Path(source).read_bytes())
    for file in strategy.own_files:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def data_hash(plan: Plan) -> str:
    """Return a fingerprint of everything that was played and looked at: of the fingerprints of its columns."""
    known: dict[tuple[int, int], bytes] = {}  # bars that are played and looked at are the same memory

    def of_column(values: NDArray[Any]) -> bytes:
        column = np.ascontiguousarray(values)
        key = column.ctypes.data, column.nbytes
        if key not in known:
            known[key] = hashlib.sha256(column.data).digest()
            kept.append(column)  # no other one comes to be where it is
        return known[key]

    kept: list[NDArray[Any]] = []
    return _fingerprint(plan, of_column)


def data_hash_in_one(plan: Plan) -> str:
    """Return the fingerprint that earlier versions kept of a search: of the columns themselves, one after the other."""
    return _fingerprint(plan, lambda values: np.ascontiguousarray(values).data)


def _fingerprint(plan: Plan, of_column: Callable[[NDArray[Any]], bytes | memoryview]) -> str:
    digest = hashlib.sha256()
    for tape in plan.tapes:
        for column in (tape.end_ns, tape.bid_low, tape.bid_high, tape.ask_low, tape.ask_high, *tape.closes()):
            digest.update(of_column(column))
    for key, bars in sorted(plan.series.items()):
        digest.update("|".join(key).encode())
        for values in bars.columns:
            digest.update(of_column(values))
    return digest.hexdigest()
