"""Searches of a strategy that lie beside one: whoever runs ten and keeps the best has tried ten times as much."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final, NamedTuple

_SAME: Final = ("strategy", "instrument", "timeframe")
_MOST: Final = 500  # searches that are looked at, the latest


class Beside(NamedTuple):
    """Other searches of a strategy on an instrument and timeframe.

    Attributes
    ----------
    searches : int
        How many.
    sets : int
        Sets that they tried and this one did not; each is counted once.
    """

    searches: int
    sets: int


def beside(path: Path, study: Mapping[str, Any], parameters: list[dict[str, Any]]) -> Beside:
    """Count what was tried beside a search, in the other folders of its folder.

    What cannot be read as a file of trials is passed over: this is a remark, no figure.

    Parameters
    ----------
    path : Path
        Its file of trials.
    parameters : list of dict
        The sets that it tried itself.
    """
    own = {_key(study, one) for one in parameters}
    searches, found = 0, set[str]()
    others = sorted(path.parent.parent.glob(f"*/{path.name}"), key=lambda one: one.parent.name)
    for other in others[-_MOST:]:
        if other.parent == path.parent:
            continue
        try:
            with closing(sqlite3.connect(f"{other.resolve().as_uri()}?mode=ro", uri=True)) as connection:
                (text,) = connection.execute("SELECT value FROM study WHERE key = 'study'").fetchone()
                its = json.loads(text)
                if all(its["instance"][key] == study["instance"][key] for key in _SAME):
                    rows = connection.execute("SELECT parameters FROM trial").fetchall()
                    found |= {_key(its, json.loads(row)) for (row,) in rows}
                    searches += 1
        except (sqlite3.Error, TypeError, KeyError, ValueError):
            continue
    return Beside(searches, len(found - own))


def _key(study: Mapping[str, Any], parameters: Mapping[str, Any]) -> str:
    return json.dumps({**study["fixed"], **parameters}, sort_keys=True)
