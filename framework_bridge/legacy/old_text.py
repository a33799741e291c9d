"""Text as old programs on Windows and Linux wrote it."""

from __future__ import annotations

import codecs
import re
from typing import Final

_MARKS: Final = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def decode(data: bytes) -> str:
    """Turn the bytes of an old file into text; never fails and never drops a character.

    A byte-order mark tells the encoding; without one it is UTF-8, and Latin-1 where it is no UTF-8 (the code page of
    an old Windows; it may show a letter of a comment differently).
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "backslashreplace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def lines_of(text: str) -> list[str]:
    """Cut at line ends of Windows, Unix and old Macs only: `str.splitlines` would cut at a form feed in a value too."""
    return re.split(r"\r\n|\r|\n", text)


def printable(text: str) -> str:
    """Replace what no terminal and no TOML file takes, and nobody typed on purpose."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)
