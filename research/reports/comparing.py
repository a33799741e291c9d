"""Results beside each other: what was set differently, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from atrader.wording import money_text, ratio_text, share_text
from research.reports.saved import Saved

Summary = Mapping[str, Any]

_SETTINGS: Final = (
    "engine", "program", "convention", "quotes", "start", "end", "initial_balance", "seed", "account", "costs",
    "data_sha256",
)  # fmt: skip
_OF_INSTANCE: Final = ("strategy", "source_sha256", "instrument", "timeframe", "parameters", "selection")


class Compared(NamedTuple):
    """One line of a comparison.

    Attributes
    ----------
    key : str
        Setting or figure; dots lead into tables (``parameters.fast``).
    values : tuple
        Of each result, in the order given; None where it has none.
    """

    key: str
    values: tuple[Any, ...]


def result_row(saved: Saved) -> dict[str, Any]:
    """Return a result as a row of a list."""
    summary, overall = saved.summary, saved.summary["overall"]
    instances = summary["instances"]
    return {
        "result": saved.name,
        "strategies": ", ".join(dict.fromkeys(one["strategy"] for one in instances)),
        "instruments": ", ".join(dict.fromkeys(one["instrument"] for one in instances)),
        "timeframes": ", ".join(dict.fromkeys(one["timeframe"] for one in instances)),
        "start": summary["start"],
        "end": summary["end"],
        "trades": overall.get("trades", 0),
        "final_equity": summary["final_equity"],
        "return_frac": summary["curve"]["total_return_frac"],
        **{key: summary["curve"][key] for key in ("cagr_frac", "drawdown_deepest_frac", "calmar")},
        **{key: (summary["returns"] or {}).get(key) for key in ("sharpe", "sortino", "volatility_frac")},
        **{key: overall.get(key) for key in ("win_rate_frac", "profit_factor", "expectancy")},
        "warnings": len(summary["warnings"]),
        "made": summary["made"],
        "identity_sha256": summary["identity_sha256"],
    }


FIGURES: Final[Mapping[str, Callable[[Any], str]]] = {
    "trades": str,
    "final_equity": money_text,
    "return_frac": lambda value: share_text(value, 2),
    "cagr_frac": lambda value: share_text(value, 2),
    "drawdown_deepest_frac": lambda value: share_text(value, 2),
    "calmar": ratio_text,
    "sharpe": ratio_text,
    "sortino": ratio_text,
    "volatility_frac": share_text,
    "win_rate_frac": share_text,
    "profit_factor": ratio_text,
    "expectancy": money_text,
    "warnings": str,
}
"""Figures of `result_row` and how they are written."""


def settings(summary: Summary) -> dict[str, Any]:
    """Return everything that was set, flat."""
    found = dict(_flat("", {key: summary[key] for key in _SETTINGS}))
    instances = summary["instances"]
    for one in instances:
        prefix = f"{one['name']}." if len(instances) > 1 else ""
        found.update(_flat(prefix, {key: one[key] for key in _OF_INSTANCE}))
    return found


def differences(results: Sequence[Saved], *, all_settings: bool = False) -> list[Compared]:
    """Return the settings in which results differ, or all of them."""
    known = [settings(result.summary) for result in results]
    keys = dict.fromkeys(key for one in known for key in one)
    lines = [Compared(key, tuple(one.get(key) for one in known)) for key in keys]
    return [line for line in lines if all_settings or any(value != line.values[0] for value in line.values)]


def figures(results: Sequence[Saved]) -> list[Compared]:
    """Return the figures of results beside each other."""
    rows = [result_row(result) for result in results]
    return [Compared(key, tuple(row[key] for row in rows)) for key in FIGURES]


def _flat(prefix: str, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(f"{prefix}{key}.", value)
        else:
            yield f"{prefix}{key}", value
