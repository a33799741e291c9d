"""Reads TOML files, and says where they are wrong."""

from __future__ import annotations

import tomllib
from decimal import Decimal, InvalidOperation
from pathlib import Path

_LONGEST_FILE = 4_000_000  # bytes; configuration is written by people


class FileProblem(Exception):
    """Raised when a file cannot be read as TOML; the message says what to mend."""


class FileMissing(FileProblem):
    """Raised when there is no such file."""


def read_toml(path: Path) -> dict[str, object]:
    """Read one TOML file; numbers with a point come as `Decimal`, exactly as written.

    Raises
    ------
    FileMissing
        When there is none.
    FileProblem
        When the file cannot be read, is no UTF-8, or no TOML (with line and column).
    """
    try:
        if path.stat().st_size > _LONGEST_FILE:
            raise FileProblem(f"is larger than {_LONGEST_FILE} bytes: is it a configuration file?")
        raw = path.read_bytes()
    except FileNotFoundError as error:
        raise FileMissing("there is none") from error
    except OSError as error:
        raise FileProblem(f"cannot be read: {error.strerror or error}") from error
    try:
        return tomllib.loads(raw.decode("utf-8-sig").replace("\r\n", "\n"), parse_float=_number)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise FileProblem(
            f"line {line}: is not UTF-8 text (byte 0x{raw[error.start]:02x}); save it as UTF-8"
        ) from error
    except RecursionError as error:
        raise FileProblem("is nested too deeply") from error
    except ValueError as error:  # TOMLDecodeError is one; int() of thousands of digits raises another
        raise FileProblem(f"is no valid TOML: {error}") from error


def _number(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise ValueError(f"no number we can hold: {text[:40]}") from error
