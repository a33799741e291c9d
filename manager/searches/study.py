"""What the file of trials keeps of a search: enough to go on with it, and to see that nothing changed meanwhile."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Any, Final

from atrader import __version__
from atrader.clock import SystemClock, iso_from_ns
from atrader.configuration.instance import InstanceConfig
from atrader.strategy import Strategy
from manager.backtests.files import data_hash, data_hash_in_one, source_hash
from manager.backtests.request import Engine, Request
from manager.searches.wish import SearchWish
from research.events.market import Market
from research.events.plan import Plan, SeriesKey
from research.optimisation.space import SearchSpace
from research.statistics.annualisation import periods_per_year

DRAWN: Final = "drawn"
"""How slippage is taken. Files that say nothing of it are of versions whose vector engine took it at its worst."""

_TOLD: Final = {"data_sha256": "stored bars", "source_sha256": "the strategy's source"}
_MADE: Final = {"program", "made", "besides", "wish", "slippage"}  # may differ when it goes on; it goes on by the wish
_OF_INSTANCE: Final = {"name", "strategy", "account", "magic", "instrument", "timeframe"}
_OF_ACCOUNT: Final = {"name", "currency", "positions", "paper", "limits", "trade"}
_PLAYED: Final = {"warmup_bars", "trade", "limits", "selection", "on_error", "max_errors"}
"""Settings of an instance, besides its parameters, that a run depends on."""


def study_of(
    wish: SearchWish, request: Request, space: SearchSpace, calendar: str, more: Mapping[str, object]
) -> dict[str, Any]:
    """Return what the file of trials says of a search, as JSON holds it.

    Parameters
    ----------
    calendar : str
        Of the instrument.
    more : Mapping of str to object
        What else is to be kept, by name.
    """
    (config,) = request.instances
    study = {
        "program": __version__,
        "made": iso_from_ns(SystemClock().now_ns()),
        "wish": wish.as_json(),
        "instance": config.model_dump(mode="json", include=_OF_INSTANCE),
        "fixed": space.fixed,
        "axes": [asdict(axis) for axis in space.axes],
        "account": request.account.model_dump(mode="json", include=_OF_ACCOUNT),
        "calendar": calendar,
        "days_per_year": periods_per_year("1d", calendar),
        **more,
    }
    found: dict[str, Any] = json.loads(json.dumps(study, default=_plain))
    return found


def settings_of(own: InstanceConfig) -> dict[str, object]:
    """Return what else the file of an instance sets: what a run depends on, and what the recommended set keeps."""
    told = {"parameters", "enabled", *_OF_INSTANCE}
    found = own.model_dump(mode="json", exclude_unset=True, exclude_none=True, exclude=told)
    return {
        "settings": {key: value for key, value in found.items() if key in _PLAYED},
        "besides": {key: value for key, value in found.items() if key not in _PLAYED},
    }


def fingerprints_of(plan: Plan, total: int, engine: Engine) -> dict[str, object]:
    """Return what must be the same when a search goes on, besides what configuration says."""
    ((_, strategy),) = plan.instances
    return {
        "total": total,
        "engine": engine,
        "data_sha256": data_hash(plan),
        "source_sha256": source_hash(strategy),
        "slippage": DRAWN,
    }


def takes_other_slippage(study: Mapping[str, Any]) -> bool:
    """Tell whether a search was begun by a version whose vector engine took slippage at its worst."""
    pips = float(study["account"]["paper"]["slippage_pips"])
    return study["engine"] == "vector" and pips > 0 and study.get("slippage") != DRAWN


def changes_of(kept: Mapping[str, Any], now: Mapping[str, Any], plan: Plan) -> list[str]:
    """Return what changed since a search began, in words; whatever decides what its sets earn.

    Parameters
    ----------
    kept, now : Mapping of str to object
        What its file says, and what it would say today.
    plan : Plan
        What it is tried on today.
    """
    found = []
    for key in kept.keys() - _MADE:
        if key == "data_sha256" and kept[key] in (now[key], data_hash_in_one(plan)):
            continue  # the same bars: earlier versions wrote their fingerprint in another form
        found += _differing(_TOLD.get(key, key), kept[key], now.get(key))
    if takes_other_slippage(kept):
        found.append(
            f"slippage (version {kept['program']}, which began it, took it at its worst, and this one draws it order by"
            " order as a backtest does)"
        )
    return sorted(found)


def _differing(name: str, one: object, other: object) -> list[str]:
    """Return the names of what differs, those inside of maps by their keys."""
    if not isinstance(one, Mapping) or not isinstance(other, Mapping):
        is_short = all(isinstance(value, (str, int, float, bool, type(None))) for value in (one, other))
        told = f" ({one} before, {other} now)" if is_short and name not in _TOLD.values() else ""
        return [] if one == other else [f"{name}{told}"]
    unknown = [f"{name}.{key} (which the version that began it did not know)" for key in other.keys() - one.keys()]
    return unknown + [text for key in one for text in _differing(f"{name}.{key}", one[key], other.get(key))]


def decides_from(plan: Plan, market: Market, strategies: Sequence[Strategy]) -> str | None:
    """Return from when on the one with the longest warm-up decides, if that is not from the begin of the period on."""
    ((config, _),) = plan.instances
    bars = plan.series.get(SeriesKey(config.instrument, config.timeframe))
    first = max(1, *(one.warmup_bars for one in strategies)) - 1
    if bars is None or first >= len(bars):
        return None
    time_ns = int(bars.open_time_ns[first])
    return iso_from_ns(time_ns) if time_ns > market.first_ns else None


def end_of(plan: Plan, market: Market) -> int:
    """Return the first moment behind everything that is played and looked at, UTC ns."""
    return max(int(market.ends[-1]), *(int(bars.open_time_ns[-1]) + 1 for bars in plan.series.values() if len(bars)))


def _plain(value: object) -> object:
    """Return what JSON has of a value it does not know."""
    return float(value) if isinstance(value, Decimal) else str(value)
