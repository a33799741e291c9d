"""Results on disk: one folder for each run, JSON for people and programs, Parquet for tools.

``result.json`` says what ran and what came of it, ``details.json`` has what a report draws. Both carry the version of
their format; those that are known are read. A folder appears whole or not at all, and ``result.json`` has the size and
the sha256 of every file, so that what was cut off or changed later is refused by name.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

from atrader.errors import ConfigError, StoreError
from atrader.runtime.whole_file import sync
from research.reports.digests import KEY, OWN, Digests, check_content, check_own, check_sizes, digest_of, own_digest
from research.reports.drafts import is_left, new_folder
from research.reports.parquet import Columns, files_of
from research.reports.trades import rows_of

FORMAT: Final = 3
"""Version of the files. 2 knew one engine and counted no gaps; its first ones had no days. 1, which is not read, had
the trades in ``result.json``, and nothing to draw a report from."""

_READ: Final = (2, FORMAT)

SUMMARY: Final = "result.json"
DETAILS: Final = "details.json"
_MAP, _LIST, _NUMBER, _TEXT, _ANY = "a map", "a list", "a number", "a text", ""
_KINDS: Final[Mapping[str, tuple[type, ...]]] = {_MAP: (dict,), _LIST: (list,), _NUMBER: (int, float), _TEXT: (str,)}
_NEEDED: Final[Mapping[str, str]] = {
    **dict.fromkeys(("account", "bars", "costs", "curve", "gaps", "overall"), _MAP),
    **dict.fromkeys(("files", "instances", "months", "statistics", "warnings"), _LIST),
    **dict.fromkeys(("final_balance", "final_equity", "lowest_equity", "took_s"), _NUMBER),
    **dict.fromkeys(("convention", "data_sha256", "end", "engine", "identity_sha256", "made", "name", "start"), _TEXT),
    **dict.fromkeys(
        ("calendar", "initial_balance", "market", "not_vector", "program", "quotes", "returns", "seed"), _ANY
    ),
}
"""What ``result.json`` has, and what it is in JSON."""

_NEEDED_DETAILS: Final[Mapping[str, str]] = {
    "trades": _MAP, "equity": _MAP, "exposure": _MAP, "days": _MAP, "prices": _MAP
}  # fmt: skip
_SINCE: Final[Mapping[str, Mapping[str, Any]]] = {
    SUMMARY: {"not_vector": None, "gaps": {}},
    DETAILS: {"days": {"time_s": [], "return_frac": []}},
}
"""What files of an older format lack, and how nothing is said of it."""

Row = Mapping[str, Any]


class Saved(NamedTuple):
    """A saved result.

    Attributes
    ----------
    folder : Path
        Where its files are.
    summary : dict
        What ``result.json`` says.
    """

    folder: Path
    summary: dict[str, Any]

    @property
    def name(self) -> str:
        """What commands call it: the name of its folder."""
        return self.folder.name

    def details(self) -> dict[str, Any]:
        """Read what a report draws.

        Raises
        ------
        StoreError
            When the file cannot be read, or is of another version.
        """
        return _read(self.folder / DETAILS, _NEEDED_DETAILS)

    def check(self) -> None:
        """Read all files, and see that they are as they were written.

        Raises
        ------
        StoreError
            Naming the first that is not, or is gone.
        """
        check_content(self.folder, self.summary)

    def trades(self) -> list[dict[str, Any]]:
        """Read the trades, in the order they were opened; errors as of `details`."""
        return rows_of(self.details()["trades"])

    def extended(self, file: str, key: str, value: object) -> Saved:
        """Write something that was found out later beside the result, and into its summary.

        Raises
        ------
        StoreError
            When it cannot be written; the result is as it was.
        """
        text = json.dumps(value, indent=2, default=str)
        digests = {**self.summary.get(KEY, {}), file: digest_of(text.encode())}
        files = [*self.summary["files"], file]
        summary = _whole({**self.summary, key: json.loads(text), "files": files}, digests)
        try:
            write_text(self.folder / file, text)
            write_text(self.folder / SUMMARY, json.dumps(summary, indent=2))
        except OSError as error:
            raise StoreError(f"{self.folder}: {key} cannot be written: {error}") from error
        return self._replace(summary=summary)


Told: TypeAlias = Callable[[Saved], None]
"""Is told of a result that is known and not on disk yet."""


def save(
    folder: Path,
    name: str,
    summary: Mapping[str, Any],
    details: Callable[[], Mapping[str, Any]],
    tables: Callable[[], Mapping[str, Columns]],
    told: Told | None = None,
) -> Saved:
    """Write a result into a new folder below another; on disk when this returns. Nothing is ever replaced.

    Parameters
    ----------
    folder : Path
        Made when it is not there.
    name : str
        Begin of the new folder's name; the first free number follows.
    summary : mapping
        What JSON can hold, or text can say.
    details : callable
        Returns the same; called when the result was told.
    tables : callable
        Returns columns by name, written as Parquet when the extra ``arrow`` is installed; called likewise.
    told : callable, optional
        Is told of the result when its folder is there and nothing is written yet: people need not wait for that.

    Raises
    ------
    StoreError
        When it cannot be written.
    """
    try:
        with new_folder(folder, name) as draft:
            folder_said = {"folder": str(draft.place)}
            if told is not None:
                told(Saved(draft.place, {"format": FORMAT, **summary, "files": [], **folder_said}))
            files = {
                DETAILS: json.dumps({"format": FORMAT, **details()}, default=str).encode(),
                **files_of(tables()),
            }
            for file, data in files.items():
                write_bytes(draft.folder / file, data)
            plain = json.loads(json.dumps({"format": FORMAT, **summary}, default=str))
            digests = {file: digest_of(data) for file, data in files.items()}
            whole = _whole({**plain, "files": [SUMMARY, *files], **folder_said}, digests)
            write_text(draft.folder / SUMMARY, json.dumps(whole, indent=2))
            sync(draft.folder)
    except OSError as error:
        raise StoreError(f"{folder}: the result cannot be written: {error}") from error
    return Saved(draft.place, whole)


def _whole(summary: Mapping[str, Any], digests: Digests) -> dict[str, Any]:
    """Return a summary with the digests of its files and its own."""
    return {**summary, KEY: {**digests, OWN: own_digest(summary)}}


def load(folder: Path) -> Saved:
    """Read a saved result.

    Parameters
    ----------
    folder : Path
        Of the result, or its ``result.json``.

    Raises
    ------
    ConfigError
        When there is none.
    StoreError
        When it cannot be read, is no result, is of another version or was changed, or a file of it is gone or cut off.
    """
    folder = folder.parent if folder.name == SUMMARY else folder
    if not _is_there(folder / SUMMARY):
        died = "; the program that wrote it died, or is still at it: run the backtest again" if is_left(folder) else ""
        raise ConfigError(f"{folder} holds no result ({SUMMARY}); 'atrader results list' shows those there are{died}")
    summary = _read(folder / SUMMARY, _NEEDED)
    check_own(folder / SUMMARY, summary)
    check_sizes(folder, summary)
    return Saved(folder, {**summary, "folder": str(folder)})


def named(folder: Path, name: str) -> Saved:
    """Read a result by the name of its folder below another, or by a path; errors as of `load` and `Saved.check`."""
    below = folder / name
    saved = load(below if _is_there(below) or not _is_there(Path(name)) else Path(name))
    saved.check()
    return saved


def found(folder: Path) -> tuple[list[Saved], list[StoreError]]:
    """Return all results below a folder, oldest first, and what is wrong with those that cannot be read.

    Raises
    ------
    StoreError
        When the folder cannot be read.
    """
    results, errors = [], []
    try:
        places = sorted(one for one in folder.iterdir() if one.name[0] != ".") if _is_there(folder) else []
    except OSError as error:
        raise _unreadable(folder, error) from error
    for place in places:
        try:
            results.append(load(place))
        except ConfigError:
            continue  # something else, as a search
        except StoreError as error:
            errors.append(error)
    return sorted(results, key=lambda result: str(result.summary.get("made"))), errors


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:  # in a folder that may not be looked into
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> StoreError:
    return StoreError(f"{path}: cannot be read: {error.strerror}")


def _read(path: Path, needed: Mapping[str, str]) -> dict[str, Any]:
    try:
        values = json.loads(path.read_bytes())
    except OSError as error:
        raise _unreadable(path, error) from error
    except ValueError as error:
        raise StoreError(f"{path}: cannot be read: {error}; run the backtest again") from error
    if not isinstance(values, dict) or "format" not in values:
        raise StoreError(f"{path}: is no result of a backtest")
    if values["format"] not in _READ:
        raise StoreError(
            f"{path}: is of format {values['format']}, made by version {values.get('program', '?')}; this atrader reads"
            f" formats {' and '.join(map(str, _READ))}: run the backtest again, or read it with the version that made"
            " it"
        )
    if values["format"] < FORMAT:
        values = {**_SINCE[path.name], **values}
    lacking = sorted(needed.keys() - values.keys())
    if lacking:
        raise StoreError(f"{path}: is damaged: lacks {', '.join(lacking)}; run the backtest again")
    for key, kind in needed.items():
        if kind and not isinstance(values[key], _KINDS[kind]):
            is_now = f"{key} is {values[key]!r:.40}, expected {kind}"
            raise StoreError(f"{path}: is damaged: {is_now}; run the backtest again")
    return values


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    beside = path.with_name(f".{path.name}.new")
    try:
        write_bytes(beside, text.encode())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file; on disk when this returns."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
