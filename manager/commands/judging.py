"""``--split``, ``--train``, ``--test`` and what belongs to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from manager.searches.wish import Judging

_NAMES = ("split", "train", "test", "anchored", "purge", "embargo")

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--train", help="Walk forward instead: choose on so long a time (180d), ..."),
    click.option("--test", help="... judge on so long a time after it (30d), then move on by that."),
    click.option("--anchored", is_flag=True, help="Walk forward with every training from the first day on."),
    click.option("--purge", help="Leave so long a time out at the end of each training (1d), in whole days."),
    click.option("--embargo", help="Leave so long a time out at the begin of what is judged on (1d), in whole days."),
)


def judging_options(default: str) -> Callable[[F], F]:
    """Return what adds the options to a command; they arrive as keywords, which `judging_of` reads.

    Parameters
    ----------
    default : str
        What counts where none of them is given, for the help.
    """
    split = click.option(
        "--split", help=f"Choose before it, judge after it: a date, or a share (0.7 or 70%); default: {default}."
    )

    def add(command: F) -> F:
        for option in reversed((split, *_OPTIONS)):
            command = option(command)
        return command

    return add


def judging_of(values: dict[str, Any]) -> Judging:
    """Take what the options say out of the keywords of a command."""
    from manager.searches.wish import Judging  # numpy: not for --help and completion

    return Judging(**{name: values.pop(name) for name in _NAMES})
