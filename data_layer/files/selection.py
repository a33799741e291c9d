"""Which files are meant: names, folders and patterns to files; bid and ask files to pairs; names to instruments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from atrader.errors import ConfigError
from atrader.instruments import KNOWN, Instrument, known_instrument
from data_layer.files.sources import Source, sources_of

_SUFFIXES: Final = (".csv", ".txt", ".tsv", ".json", ".parquet", ".feather", ".zip", ".gz")
_SIDE: Final = re.compile(r"(?<![a-z])(bid|ask)(?![a-z])", re.IGNORECASE)


def expanded(paths: Iterable[Path]) -> list[Path]:
    """Return the files that names, folders (with all below) and patterns such as ``*.csv`` mean, each once.

    Raises
    ------
    ConfigError
        When one means no file.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            hits = sorted(one for one in path.rglob("*") if one.is_file() and one.suffix.lower() in _SUFFIXES)
        elif path.exists():
            hits = [path]
        else:  # a pattern that the shell left alone
            anchor = Path(path.anchor) if path.anchor else Path()
            try:
                hits = sorted(one for one in anchor.glob(str(path.relative_to(anchor))) if one.is_file())
            except (ValueError, NotImplementedError):
                hits = []
        if not hits:
            raise ConfigError(f"{path}: there is no such file, or the folder holds none ({', '.join(_SUFFIXES)})")
        found.update(dict.fromkeys(hits))
    return list(found)


def grouped(paths: Sequence[Path]) -> list[tuple[Source, ...]]:
    """Return what is read together: single files, and pairs of which one is named ``bid`` and the other ``ask``.

    Raises
    ------
    ConfigError
        When a file cannot be read.
    """
    groups: dict[str, dict[str, Source]] = {}
    for source in (source for path in paths for source in sources_of(path)):
        side = _SIDE.search(source.name)
        if side is None:
            groups[str(source)] = {"": source}
        else:
            place, _, _ = str(source).rpartition(source.name)
            key = f"{place}/{_SIDE.sub('|', source.name, count=1)}"
            groups.setdefault(key, {})[side[1].lower()] = source
    return [(sides["bid"], sides["ask"]) if len(sides) == 2 else tuple(sides.values()) for sides in groups.values()]


def instrument_of(source: Source, symbol: str | None, given: str | None, defined: Mapping[str, Instrument]) -> str:
    """Return the instrument of a file: given, named by its rows, or found in its name or the folders above.

    Raises
    ------
    ConfigError
        When nothing tells it, or two instruments fit equally well.
    """
    if given is not None:
        return known_instrument(given, defined).symbol
    symbols = {**KNOWN, **defined}
    places = [symbol] if symbol is not None else [source.name, *(source.member or "").split("/")[::-1]]
    for place in [*places, *source.path.parts[::-1]] if symbol is None else places:
        plain = _plain(place)
        hits = sorted((one for one in symbols if _plain(one) in plain), key=_length, reverse=True)
        if hits and (len(hits) == 1 or _length(hits[0]) > _length(hits[1])):
            return hits[0]
        if hits:
            raise ConfigError(f"{source}: this may be {' or '.join(hits)}; say which with --instrument")
    raise ConfigError(f"which instrument is in {source}? Say it with --instrument, e.g. --instrument EUR/USD")


def _plain(text: str) -> str:
    return re.sub("[^a-z0-9]", "", text.lower())


def _length(symbol: str) -> int:
    return len(_plain(symbol))
