"""Groups of commands that are imported when they run: ``--help`` and completion must not wait for numpy."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any, NamedTuple

import click
from click.shell_completion import CompletionItem


class Entry(NamedTuple):
    """A command that is not imported yet."""

    name: str
    target: str
    """``module:attribute`` of the `click.Command`."""
    help: str
    """First sentence of its help, for lists of commands; a test compares it with the command's own."""


class LazyGroup(click.Group):
    """A group that lists and completes its commands from `entries`, and imports only the one that is used.

    Parameters
    ----------
    *args, **kwargs
        Of `click.Group`. Commands that were added in the usual way are there as well.
    entries : sequence of Entry
        The others.
    """

    def __init__(self, *args: Any, entries: Sequence[Entry] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._entries = {entry.name: entry for entry in entries}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all names, sorted."""
        return sorted({*self.commands, *self._entries})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, imported now at the latest; None when there is none of that name."""
        entry = self._entries.get(cmd_name)
        if entry is None:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = entry.target.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def spelled_out(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Return the words that were typed as the ones that are meant."""
        return args

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands, each with its whole first sentence."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._help_of(name)) for name in self.list_commands(ctx)])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete names of commands, and options."""
        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        found = [CompletionItem(name, help=self._help_of(name)) for name in names]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def _help_of(self, name: str) -> str:
        entry = self._entries.get(name)
        return self.commands[name].get_short_help_str(_WHOLE) if entry is None else entry.help


_WHOLE = 1000  # characters; click cuts the first sentence there
