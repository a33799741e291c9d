"""``atrader``: data and history."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import get_args

import click

from atrader.history_tables import HistoryTable
from manager.commands.installed import directory_option
from manager.commands.lazy import Entry, LazyGroup
from manager.commands.output import run

_HERE = "manager.commands"
_NEW_OBJECTS = 200_000  # between looks for cycles: with Python's 700 they took a fifth of a short command


@click.group(
    cls=LazyGroup,
    entries=(
        Entry(
            "analyse",
            f"{_HERE}.analyse:analyse",
            "Show which sets of a search held on days they were not chosen on; write the recommended one as a"
            " strategy file.",
        ),
        Entry(
            "backtest",
            f"{_HERE}.backtesting:backtest",
            "Run strategies over stored bars or quotes, as a live run on a paper account would trade them.",
        ),
        Entry(
            "select",
            f"{_HERE}.select:select",
            "Show what the markets of instances are like, and when their [selection] would have switched them.",
        ),
        Entry(
            "rank",
            f"{_HERE}.standing:rank",
            "Rank instances by their closed trades, of the history or of saved backtests; the best comes first.",
        ),
        Entry(
            "correlate",
            f"{_HERE}.standing:correlate",
            "Show the correlation of daily results, and which instances are one bet under two names.",
        ),
        Entry(
            "allocate",
            f"{_HERE}.standing:allocate",
            "Share a budget of risk out to instances, as a proposal; --apply writes it into their files.",
        ),
        Entry("completion", f"{_HERE}.completion:completion", "Print the completion script of a shell."),
        Entry(
            "import-legacy",
            f"{_HERE}.import_legacy:import_legacy",
            "Move installations of the old trader here: their atrader.config and everything round it.",
        ),
        Entry(
            "optimise",
            f"{_HERE}.optimise:optimise",
            "Try sets of a strategy's parameters over stored bars, and say which of them held on days they were not"
            " chosen on.",
        ),
        Entry(
            "replay-diff",
            f"{_HERE}.replay_diff:replay_diff",
            "Run a recorded day of an instance again, and show the first decision that differs and why.",
        ),
        Entry(
            "train",
            f"{_HERE}.train:train",
            "Train a classifier of scikit-learn walk-forward over stored bars, for the strategy 'scikit-learn'.",
        ),
    ),
    context_settings={"help_option_names": ["-h", "--help"]},
)
@directory_option
@click.version_option(package_name="atrader-platform", prog_name="atrader")
@click.pass_context
def cli(context: click.Context, directory: Path) -> None:
    """Look at and move market data, and look at what was traded. Works with the fleet running or not."""
    context.obj = directory


cli.add_command(
    LazyGroup(
        "data",
        help="Bars and quotes.",
        entries=(
            Entry(
                "backup",
                f"{_HERE}.data_operations:backup",
                "Copy bars, history and archive to a new directory TARGET, verified; works while the fleet runs.",
            ),
            Entry(
                "check",
                f"{_HERE}.data_operations:check",
                "Read every page, chunk and archive and say what is damaged; exit code 1 when something is.",
            ),
            Entry(
                "compact",
                f"{_HERE}.data_operations:compact",
                "Rewrite the stores without the holes that deleted rows left.",
            ),
            Entry(
                "archive",
                f"{_HERE}.data_operations:archive",
                "Move history that is older than the keep_... settings of [data] to Parquet files.",
            ),
            Entry(
                "size",
                f"{_HERE}.data_operations:size",
                "Show how many rows and bytes each instrument and timeframe has, and the files.",
            ),
            Entry(
                "import",
                f"{_HERE}.data_import:import_",
                "Import bars or quotes from FILES: names, folders or patterns.",
            ),
            Entry("list", f"{_HERE}.data:list_", "List the stored series."),
            Entry(
                "migrate",
                f"{_HERE}.data_migrate:migrate",
                "Copy the whole store to another place, and compare every row.",
            ),
            Entry(
                "gaps",
                f"{_HERE}.data:gaps",
                "Show which bars are missing, judged by the instrument's calendar and by what sources answered.",
            ),
            Entry(
                "backfill",
                f"{_HERE}.data_backfill:backfill",
                "Fetch missing history of INSTRUMENT from a source; without INSTRUMENT show what is being fetched.",
            ),
            Entry(
                "watched",
                f"{_HERE}.data_backfill:watched",
                "Show the instruments whose bars the running data layer keeps up to date, and why.",
            ),
            Entry("export", f"{_HERE}.data_export:export", "Write bars or quotes of an instrument, or history."),
        ),
    )
)
cli.add_command(
    LazyGroup(
        "history",
        help="Show orders, fills, trades, signals and events, of a running fleet or a stopped one.",
        entries=[
            *(
                Entry(table, f"{_HERE}.history:{table}", f"Show {table}, newest last.")
                for table in get_args(HistoryTable)
            ),
            Entry(
                "stats",
                f"{_HERE}.history:stats",
                "Show what trades came to; a period chooses those that were opened in it.",
            ),
        ],
    )
)
cli.add_command(
    LazyGroup(
        "results",
        help="Saved results of backtests.",
        entries=(
            Entry("list", f"{_HERE}.results:list_", "List saved results, the highest last; by default the newest."),
            Entry(
                "show",
                f"{_HERE}.results:show",
                "Show a saved result: what ran, and what came of it.",
            ),
            Entry(
                "compare",
                f"{_HERE}.results:compare",
                "Show results beside each other: the settings in which they differ, and their figures.",
            ),
            Entry(
                "report",
                f"{_HERE}.results:report",
                "Write the report of results: an HTML file each, with everything in it, or a picture.",
            ),
        ),
    )
)


def main() -> None:
    """Run ``atrader``."""
    gc.set_threshold(_NEW_OBJECTS, 20, 100)
    run(cli)


if __name__ == "__main__":
    main()
