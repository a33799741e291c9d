"""``atrader backtest``: to run strategies over the past, and what belongs to it; running is what no verb means."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from manager.commands.lazy import Entry, LazyGroup

_HERE = "manager.commands"
_USUAL = "run"


class _RunsByDefault(LazyGroup):
    """Takes words that begin with no verb of the group as those of ``run``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Add the verb where there is none."""
        return super().parse_args(ctx, self.spelled_out(ctx, args))

    def spelled_out(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Return words that begin with a verb."""
        first = next(iter(args), None)
        if first is None or first in ctx.help_option_names or first in self.list_commands(ctx):
            return args
        return [_USUAL, *args]

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete verbs, and what may follow the one that need not be typed."""
        found = super().shell_complete(ctx, incomplete)
        usual = self.get_command(ctx, _USUAL)
        assert usual is not None
        if incomplete.startswith("-"):
            return found + usual.shell_complete(ctx, incomplete)
        what = next(parameter for parameter in usual.params if isinstance(parameter, click.Argument))
        return found + what.shell_complete(ctx, incomplete)


backtest = _RunsByDefault(
    "backtest",
    options_metavar="",
    subcommand_metavar="WHAT... [OPTIONS] | COMMAND ...",
    epilog="'atrader backtest WHAT' is short for 'atrader backtest run WHAT': 'atrader backtest run --help' lists its"
    " options. WHAT is a configured instance, a strategy file (.toml), a built-in strategy or a class.",
    help="Run strategies over stored bars or quotes, as a live run on a paper account would trade them.",
    entries=(
        Entry(
            "run",
            f"{_HERE}.backtest:backtest",
            "Run strategies over stored bars or quotes, as a live run on a paper account would trade them.",
        ),
        Entry(
            "check",
            f"{_HERE}.backtest_check:check",
            "Look for strategies that use the future, or that decide differently with more bars before them.",
        ),
        Entry(
            "luck",
            f"{_HERE}.backtest_luck:luck",
            "Show what else could have come of a run, with its trades, its days or its bars in another order.",
        ),
    ),
)
