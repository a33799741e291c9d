"""The operations by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeAlias, get_args

from atrader.clock import SystemClock
from atrader.errors import ConfigError, StoreError
from atrader.messages.operations import OperationName
from data_layer.archive import Archiver, limits_of
from data_layer.operations.access import OWNER, Access, require_files
from data_layer.operations.backup import back_up
from data_layer.operations.check import check
from data_layer.operations.compact import compact

Progress: TypeAlias = Callable[[int, int, str], None]
"""Gets how much is done, how much there is (0: nobody knows), and what is being done."""


class Options(NamedTuple):
    """What an operation is told.

    Attributes
    ----------
    directory : str or None
        Absolute path a backup is made in.
    repair : bool
        Whether a check makes gaps of what is damaged.
    full : bool
        Whether a check reads indexes against their tables too, which takes longer.
    """

    directory: str | None = None
    repair: bool = False
    full: bool = False


def operate(name: OperationName, access: Access, options: Options, progress: Progress) -> dict[str, Any]:
    """Do an operation; blocks until it is done. What it may raise is that of its function."""
    return OPERATIONS[name](access, options, progress)


def _backup(access: Access, options: Options, progress: Progress) -> dict[str, Any]:
    require_files(access, "a backup")
    if options.directory is None:
        raise ConfigError("a backup needs a directory")
    return back_up(access.home, Path(options.directory), progress, access.config.min_free_disk)


def _check(access: Access, options: Options, progress: Progress) -> dict[str, Any]:
    return check(access, progress, repair=options.repair, full=options.full)


def _compact(access: Access, options: Options, progress: Progress) -> dict[str, Any]:
    return compact(access, progress)


def _archive(access: Access, options: Options, progress: Progress) -> dict[str, Any]:
    """Archive what the configuration calls old."""
    limits = limits_of(access.config, SystemClock().now_ns())
    if not limits:
        raise ConfigError(
            "nothing is ever old: set keep_trades, keep_signals, keep_equity or keep_events in [data] of"
            " etc/atrader.toml, e.g. keep_signals = '365d'"
        )
    try:
        reader = access.place.history_reader(OWNER)
    except StoreError as error:
        if error.details.get("missing"):
            return {"moved": dict.fromkeys(limits, 0)}
        raise
    try:
        archiver = Archiver(
            reader, lambda file, rows: access.with_history(lambda store: store.archive(file, rows)), access.home.archive
        )
        return {"moved": archiver.run(limits, progress)}
    finally:
        reader.close()


OPERATIONS: Final[Mapping[OperationName, Callable[[Access, Options, Progress], dict[str, Any]]]] = MappingProxyType(
    {"backup": _backup, "check": _check, "compact": _compact, "archive": _archive}
)
assert set(OPERATIONS) == set(get_args(OperationName))
