"""Tables of the documentation that are made from the program's own data, and the blocks in ``docs/`` that hold them.

A block begins with a line ``<!-- table: NAME -->`` and ends with ``<!-- end -->``; ``docs/generate.py`` rewrites what
is between, and a test fails while a block says something else than the program.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from functools import partial
from pathlib import Path

from atrader.configuration.account import AccountConfig
from atrader.configuration.fleet import FleetConfig
from atrader.configuration.instance import InstanceConfig
from atrader.exit_codes import ExitCode
from atrader.orders import states as order_states
from atrader.risk import EXIT_RULES, RULES
from atrader.trading_state import TradingState
from broker_api.reconcile import policy
from manager import restart_policy
from manager import states as process_states
from tests.support.config_reference import parameter_table, tables
from tests.support.file_examples import as_markdown
from worker.loading import load_strategy
from worker.strategies import BUILT_IN
from worker.strategies.entries import AtrStopParameters, EntryParameters
from worker.strategies.filters import MomentumFilter, RegimeFilter
from worker.strategies.learned.features import FEATURES, LONGEST, shown_name

DOCS = Path(__file__).resolve().parents[2] / "docs"
_BLOCK = re.compile(r"(<!-- table: (?P<name>[a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_MEMBER = re.compile(r"^    (?P<name>[A-Z_]+) = .*?#\s*(?P<text>.+)$", re.MULTILINE)


def markdown_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Write a Markdown table; a bar inside a cell is escaped."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def comments_of_members(kind: type[Enum]) -> dict[str, str]:
    """Return the comment behind each member of an enumeration."""
    return {match["name"]: match["text"] for match in _MEMBER.finditer(inspect.getsource(kind))}


def _order_states() -> str:
    comments = comments_of_members(order_states.OrderState)
    return markdown_table(
        ("state", "meaning", "kind"),
        ((f"`{state}`", comments[state.name], _kind_of(state)) for state in order_states.OrderState),
    )


def _kind_of(state: order_states.OrderState) -> str:
    if state in order_states.TERMINAL:
        return "outcome"
    return "in flight" if state in order_states.IN_FLIGHT else "live at the broker"


def _order_transitions() -> str:
    return markdown_table(
        ("from", "to", "when"),
        (
            (f"`{source}`", f"`{target}`", why)
            for source, targets in order_states.TRANSITIONS.items()
            for target, why in targets.items()
        ),
    )


def _process_states() -> str:
    comments = comments_of_members(process_states.ProcessState)
    return markdown_table(
        ("state", "meaning", "a process lives"),
        (
            (f"`{state}`", comments[state.name], "yes" if state in process_states.ALIVE else "no")
            for state in process_states.ProcessState
        ),
    )


def _process_transitions() -> str:
    return markdown_table(
        ("from", "to", "when"),
        ((f"`{source}`", f"`{target}`", why) for (source, target), why in process_states.TRANSITIONS.items()),
    )


def _restart_policy() -> str:
    return markdown_table(
        ("cause", "when", "exposure", "then", "why"),
        (
            (
                f"`{rule.cause}`" if rule.cause else "any other",
                rule.phase or "any time",
                rule.exposure or "any",
                rule.action,
                rule.why,
            )
            for rule in restart_policy.RULES
        ),
    )


def _spent_budget() -> str:
    return markdown_table(
        ("process", "exposure", "then", "why"),
        ((rule.kind or "any", rule.exposure or "any", rule.action, rule.why) for rule in restart_policy.SPENT_RULES),
    )


def _exit_codes() -> str:
    comments = {"OK": "ended as it should", **comments_of_members(ExitCode)}
    return markdown_table(
        ("code", "name", "meaning"), ((int(code), f"`{code.name}`", comments[code.name]) for code in ExitCode)
    )


def _trading_states() -> str:
    comments = comments_of_members(TradingState)
    return markdown_table(("state", "meaning"), ((f"`{state}`", comments[state.name]) for state in TradingState))


def _risk_rules() -> str:
    return markdown_table(
        ("rule", "scope", "protects from", "setting", "looks at"),
        (
            (f"`{rule.name}`", rule.scope, rule.protects_from, rule.setting, ", ".join(sorted(rule.kinds)))
            for rule in RULES
        ),
    )


def _risk_exits() -> str:
    return markdown_table(
        ("rule", "scope", "protects from", "setting"),
        ((f"`{rule.name}`", rule.scope, rule.protects_from, rule.setting) for rule in EXIT_RULES),
    )


def _reconciliation_cases() -> str:
    return markdown_table(
        ("case", "then", "why"), ((f"`{code}`", case.action, case.why) for code, case in policy.CASES.items())
    )


def _reconciliation_orders() -> str:
    return _matrix("the journal: the order is", policy.ORDERS, policy.ORDER_COLUMNS)


def _reconciliation_tickets() -> str:
    return _matrix("the journal has", policy.TICKETS, policy.TICKET_COLUMNS)


def _reconciliation_news() -> str:
    return markdown_table(
        ("news", "account", "booked", "why"),
        ((item.what, item.account, item.booked, item.why) for item in policy.NEWS.values()),
    )


def _matrix(corner: str, table: Mapping[str, Mapping[str, str]], columns: Sequence[str]) -> str:
    """Write a table of cases; rows that say the same are one."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for name, row in table.items():
        rows.setdefault(tuple(f"`{row[column]}`" for column in columns), []).append(str(name))
    return markdown_table((corner, *columns), ((", ".join(names), *cells) for cells, names in rows.items()))


def _parameters_of(strategy: str) -> str:
    """Write the parameters of a built-in strategy; those that all signal strategies have are told once, elsewhere."""
    model = load_strategy(strategy, DOCS).Parameters
    return parameter_table(model, AtrStopParameters.model_fields if issubclass(model, EntryParameters) else ())


def _features() -> str:
    rows = (
        (f"`{shown_name(kind)}`", f"{one.shortest} to {LONGEST}" if one.shortest else "none", one.meaning)
        for kind, one in FEATURES.items()
    )
    return markdown_table(("feature", "N", "is"), rows)


TABLES: dict[str, Callable[[], str]] = {
    "order-states": _order_states,
    "order-transitions": _order_transitions,
    "process-states": _process_states,
    "process-transitions": _process_transitions,
    "restart-policy": _restart_policy,
    "restart-budget-spent": _spent_budget,
    "exit-codes": _exit_codes,
    "trading-states": _trading_states,
    "risk-rules": _risk_rules,
    "risk-exits": _risk_exits,
    "reconciliation-orders": _reconciliation_orders,
    "reconciliation-tickets": _reconciliation_tickets,
    "reconciliation-cases": _reconciliation_cases,
    "reconciliation-news": _reconciliation_news,
    "file-formats": as_markdown,
    "configuration-fleet": lambda: "\n".join(tables(FleetConfig)),
    "configuration-account": lambda: "\n".join(tables(AccountConfig)),
    "configuration-strategy": lambda: "\n".join(tables(InstanceConfig)),
    "parameters-entries": lambda: parameter_table(AtrStopParameters),
    **{f"parameters-{name}": partial(_parameters_of, name) for name in BUILT_IN if name != "asirikuy"},
    "features": _features,
    "parameters-filter-regime": lambda: parameter_table(RegimeFilter),
    "parameters-filter-momentum": lambda: parameter_table(MomentumFilter),
}
"""Every table, by the name of its block."""


def blocks_in(text: str) -> list[str]:
    """Return the names of the blocks of a page."""
    return [match["name"] for match in _BLOCK.finditer(text)]


def rewritten(text: str) -> str:
    """Return a page with every block brought up to date.

    Raises
    ------
    KeyError
        When a block names a table that does not exist.
    """
    return _BLOCK.sub(lambda match: f"{match[1]}{TABLES[match['name']]()}{match[3]}", text)


def pages() -> list[Path]:
    """Return the pages of the documentation."""
    return sorted(DOCS.rglob("*.md"))


def rewrite_all() -> list[Path]:
    """Rewrite every page that is out of date; return those."""
    changed = []
    for page in pages():
        text = page.read_text(encoding="utf-8")
        if (new := rewritten(text)) != text:
            page.write_text(new, encoding="utf-8")
            changed.append(page)
    return changed
