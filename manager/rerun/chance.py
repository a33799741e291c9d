"""Whether a strategy decides by chance, or by the clock of the host: what its source and a second run show."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from inspect import getsourcefile
from pathlib import Path
from typing import Final

from atrader.clock import iso_from_ns
from atrader.strategy import Strategy
from research.rerun import Record, compare

_CHANCE: Final = frozenset({"random", "secrets", "uuid"})
"""Modules, and parts of modules, by whose use a run is another one each time, unless it is given a seed."""
_CLOCKS: Final = {
    "time": frozenset({"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "localtime", "gmtime"}),
    "datetime": frozenset({"now", "utcnow", "today"}),
    "date": frozenset({"today"}),
    "os": frozenset({"urandom", "getpid", "environ", "getenv"}),
}
_SHOWN: Final = 3


def signs_of_chance(strategy: Strategy) -> list[str]:
    """Return what in the source of a strategy looks like chance or a clock, by line; nothing where there is none."""
    try:
        name = getsourcefile(type(strategy))
        tree = ast.parse(Path(name).read_bytes()) if name else ast.Module([], [])
    except (OSError, SyntaxError, TypeError, ValueError):
        return []
    found = dict(_found(tree))
    shown = [f"{what} in line {line}" for what, line in sorted(found.items(), key=lambda item: item[1])[:_SHOWN]]
    return [f"the strategy uses {', '.join(shown)}: no other run has the same"] if shown else []


def difference_of_runs(first: Record, second: Record) -> list[str]:
    """Return when two runs over the same bars parted; nothing when they did not."""
    difference = compare(first, second, same_prices=True, slack_ns=0).difference
    if difference is None:
        return []
    when = iso_from_ns(difference.time_ns)
    return [f"two runs over the same bars differ from {when} on ({difference.kind}): it is not the bars that decide"]


def _found(tree: ast.AST) -> Iterator[tuple[str, int]]:
    names = dict(_imported(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Load):
            parts = _parts(node)
            parts = [*names.get(parts[0], parts[:1]), *parts[1:]] if parts else parts
            if _is_chance(parts):
                yield ".".join(parts), node.lineno


def _imported(tree: ast.AST) -> Iterator[tuple[str, list[str]]]:
    """Yield what names of a module mean."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                yield (
                    one.asname or one.name.partition(".")[0],
                    one.name.split(".") if one.asname else [one.name.partition(".")[0]],
                )
        elif isinstance(node, ast.ImportFrom) and node.module:
            for one in node.names:
                yield one.asname or one.name, [*node.module.split("."), one.name]


def _parts(node: ast.expr) -> list[str]:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return [node.id, *reversed(parts)] if isinstance(node, ast.Name) else []


def _is_chance(parts: list[str]) -> bool:
    if len(parts) < 2:
        return False
    if parts[0] in _CHANCE or parts[:2] == ["numpy", "random"]:
        return len(parts) > 1
    return any(parts[number + 1] in _CLOCKS.get(one, ()) for number, one in enumerate(parts[:-1]))
