"""Writes the TOML files of an import: comments above, keys in the order given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import tomlkit
from tomlkit.items import InlineTable, Item

from framework_bridge.legacy.old_text import printable


def toml_text(comments: Sequence[str], values: Mapping[str, object]) -> str:
    """Return a TOML file; None is left out, maps become tables, maps in lists inline tables a line each."""
    document = tomlkit.document()
    for comment in comments:
        document.add(tomlkit.comment(printable(comment)))
    for key, value in values.items():
        if isinstance(value, Mapping):
            if value:
                document.add(tomlkit.nl())
                document.add(key, _table(value))
        elif value is not None:
            document.add(key, _item(value))
    return tomlkit.dumps(document)


def _table(values: Mapping[str, object]) -> Item:
    table = tomlkit.table()
    for key, value in values.items():
        if value is not None:
            table.add(key, _table(value) if isinstance(value, Mapping) else _item(value))
    return table


def _item(value: object) -> Item:
    if isinstance(value, Decimal):  # as it is: no exponent, no digits of a float
        return tomlkit.value(format(value, "f"))
    if isinstance(value, str):
        return tomlkit.item(printable(value))
    if not isinstance(value, (list, tuple)):
        return tomlkit.item(value)
    array = tomlkit.array()
    for part in value:
        array.append(_inline(part) if isinstance(part, Mapping) else part)
    return array.multiline(any(isinstance(part, Mapping) for part in value))


def _inline(values: Mapping[str, object]) -> InlineTable:
    table = tomlkit.inline_table()
    table.update(values)
    return table
