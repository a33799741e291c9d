"""The figures of a result for people: the few that count first, then all of them, then what ran."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from atrader.wording import count_text, duration_text, money_text, ratio_text, share_text, statistics_lines

Summary = Mapping[str, Any]
Lines = list[tuple[str, str]]


def period_text(summary: Summary) -> str:
    """Write from when to when it ran, to the minute."""
    start, end = (summary[key][:16].replace("T", " ") for key in ("start", "end"))
    return f"{start} to {end} UTC"


def strategies_text(summary: Summary) -> str:
    """Write what traded what."""
    return "; ".join(f"{one['strategy']} on {one['instrument']} {one['timeframe']}" for one in summary["instances"])


def headline(summary: Summary) -> Lines:
    """Return what a person looks for first."""
    overall, curve, market = summary["overall"], summary["curve"], summary["market"]
    returns = summary["returns"] or {}
    return [
        ("return", f"{curve['total_return_frac']:+.2%}"),
        ("drawdown, bar by bar", share_text(curve["drawdown_deepest_frac"])),
        ("Sharpe ratio", ratio_text(returns.get("sharpe"))),
        ("trades", f"{overall.get('trades', 0):,}"),
        ("win rate", share_text(overall.get("win_rate_frac"))),
        ("profit factor", ratio_text(overall.get("profit_factor"))),
        ("buy and hold", "-" if market is None else f"{market['return_frac']:+.2%}"),
    ]


def result_lines(summary: Summary) -> Lines:
    """Return what became of the account, and of its trades."""
    currency = summary["account"]["currency"]
    initial, final = money_text(float(summary["initial_balance"])), money_text(summary["final_balance"])
    is_open = bool(summary["overall"].get("open"))
    return [
        ("balance", f"{initial} to {final} {currency}"),
        ("final equity", f"{money_text(summary['final_equity'])} {currency}{', with what is open' if is_open else ''}"),
        ("lowest equity", f"{money_text(summary['lowest_equity'])} {currency}"),
        *_curve_lines(summary),
        *_return_lines(summary),
        *(statistics_lines(summary["overall"]) if summary["overall"] else [("trades", "none")]),
    ]


def _curve_lines(summary: Summary) -> Lines:
    curve, market = summary["curve"], summary["market"]
    lines = [
        ("return", f"{curve['total_return_frac']:+.2%}; a year {share_text(curve['cagr_frac'], 2)} (calendar CAGR)"),
        ("Calmar, ulcer", f"{ratio_text(curve['calmar'])}, {share_text(curve['ulcer_frac'], 2)}"),
    ]
    if market is not None:
        beside = ""
        if "beta" in market:
            beside = f"; alpha {share_text(market['alpha_frac'], 2)} a year, beta {ratio_text(market['beta'])}"
        lines.append(("buy and hold", f"{market['return_frac']:+.2%} with {market['instrument']}{beside}"))
    return lines


def _return_lines(summary: Summary) -> Lines:
    returns = summary["returns"]
    if returns is None:
        return [("Sharpe ratio", "- (less than two days)")]
    interval, probability = returns["sharpe_interval"], returns["sharpe_probability"]
    sure = ""
    if interval is not None:
        sure = f"; 95 %: {interval['low']:.2f} to {interval['high']:.2f}; above 0: {share_text(probability)} (PSR 2012)"
    year = f"{returns['periods']:,} days, {returns['periods_per_year']:.4g} a year"
    return [
        ("Sharpe ratio", f"{ratio_text(returns['sharpe'])}{sure}; {year}"),
        ("Sortino, Omega", f"{ratio_text(returns['sortino'])}, {ratio_text(returns['omega'])}"),
        ("volatility", f"{share_text(returns['volatility_frac'])} a year"),
        ("a day", f"best {returns['best_frac']:+.2%}, worst {returns['worst_frac']:+.2%}; {_risk_text(returns)}"),
    ]


def _risk_text(returns: Mapping[str, Any]) -> str:
    return (
        f"VaR 95 % {share_text(returns['var_95_frac'], 2)}, CVaR {share_text(returns['cvar_95_frac'], 2)} (historical)"
    )


def more_lines(summary: Summary) -> list[tuple[str, Lines]]:
    """Return what the trades of each instance came to, where there are several."""
    groups = summary["statistics"]
    return [(one["instance"], statistics_lines(one)) for one in groups] if len(groups) > 1 else []


def identity_lines(summary: Summary) -> Lines:
    """Return what ran: the same of all of this gives the same trades."""
    lines = [
        ("period", f"{summary['start']} to {summary['end']}"),
        ("quotes", str(summary["quotes"])),
        ("fills", summary["convention"]),
        ("costs", settings_text(summary["costs"])),
        ("seed", str(summary["seed"])),
        ("account", f"{summary['account']['name']}, {summary['account']['currency']}"),
        ("limits", settings_text({**summary["account"]["limits"], **summary["account"]["trade"]})),
        ("engine", f"{_engine_text(summary)}, atrader {summary['program']}"),
        *(("gaps", gap_text(symbol, found)) for symbol, found in summary["gaps"].items()),
        ("data", f"sha256 {summary['data_sha256']}"),
        ("identity", f"sha256 {summary['identity_sha256']}"),
        ("made", f"{summary['made']}, {sum(summary['bars'].values()):,} bars in {summary['took_s']:.2f} s"),
    ]
    return lines


def gap_text(symbol: str, found: Mapping[str, Any]) -> str:
    """Write how many of the bars that the calendar expects were not there, and where the first ones were missing."""
    text = f"{symbol} {found['timeframe']}: {found['missing']:,} of {found['expected']:,} bars missing"
    if not found["missing"]:
        return text
    places = ", ".join(f"{one['start'][:16]} ({one['bars']})" for one in found["first"])
    more = " ..." if found["gaps"] > len(found["first"]) else ""
    gaps = count_text(found["gaps"], "gap")
    return f"{text}, in {gaps}, the longest {duration_text(found['longest_s'])}; {places}{more}"


def _engine_text(summary: Summary) -> str:
    reason = summary["not_vector"]
    return f"{summary['engine']}" + ("" if reason is None else f" (not vector: {reason})")


def instance_lines(instance: Mapping[str, Any]) -> Lines:
    """Return what one instance was."""
    source = instance["source_sha256"]
    return [
        ("strategy", f"{instance['strategy']}" + ("" if source is None else f", source sha256 {source[:16]}")),
        ("trades", f"{instance['instrument']}, {instance['timeframe']} bars, magic {instance['magic']}"),
        ("parameters", settings_text(instance["parameters"])),
    ]


def settings_text(settings: Mapping[str, Any]) -> str:
    """Write settings in a line, without those that are not set."""
    known = {key: value for key, value in settings.items() if value not in (None, [], {}, "")}
    return ", ".join(f"{key} = {value}" for key, value in known.items()) or "none"
