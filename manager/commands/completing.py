"""What completion proposes for names: those of the files in ``etc``, unread, so that nobody waits for a Tab."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem

from atrader.configuration.home import Home
from worker.strategies import BUILT_IN


def _names(context: click.Context, *folders: str) -> list[str]:
    """Return the names of accounts or instances of the installation a command line is about."""
    directory = context.find_root().params.get("directory") or Path()
    etc = Home(Path(directory)).etc
    return sorted(path.stem for folder in folders for path in (etc / folder).glob("*.toml"))


def _that_begin(with_what: str, names: list[str]) -> list[str]:
    return [name for name in names if name.startswith(with_what)]


def processes(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Propose what ``start``, ``stop``, ``restart`` and ``logs`` may name, but for what is named already."""
    given = context.params.get(parameter.name or "") or ()
    names = ["data-layer", *_names(context, "accounts", "strategies")]
    return _that_begin(incomplete, [name for name in names if name not in given])


def scopes(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Propose scopes of trading states."""
    return _that_begin(incomplete, ["fleet", *_names(context, "accounts", "strategies")])


def accounts(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Propose accounts."""
    return _that_begin(incomplete, _names(context, "accounts"))


def instances(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Propose strategy instances."""
    return _that_begin(incomplete, _names(context, "strategies"))


def results(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Propose saved results, the newest number first, but for those that are named already."""
    directory, folder = (context.find_root().params.get("directory"), context.params.get("folder"))
    place = Path(folder) if folder else Home(Path(directory or Path())).root / "results"
    names = sorted((path.parent.name for path in place.glob("*/result.json")), reverse=True)
    given = context.params.get(parameter.name or "") or ()
    return _that_begin(incomplete, [name for name in names if name not in given])


def tried_strategies(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Propose what a backtest may run: instances, built-in strategies, and files where none of them begins so."""
    names = _that_begin(incomplete, sorted({*_names(context, "strategies"), *BUILT_IN}))
    return [CompletionItem(name) for name in names] or [CompletionItem(incomplete, type="file")]
