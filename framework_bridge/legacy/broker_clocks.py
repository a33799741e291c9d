"""``broker-tz.csv`` for the C library: rows that it would read otherwise than everybody believes are put right."""

from __future__ import annotations

import csv
import io
from typing import Final, NamedTuple

from atrader.broker_clock import BrokerClock, read_broker_clocks
from atrader.errors import ConfigError
from framework_bridge.legacy.findings import Finding, Kind
from framework_bridge.legacy.old_text import lines_of

_MONTHS: Final = ("DSTStartMonth", "DSTEndMonth")
_MAX_ROWS: Final = 100
_MAX_NAME_BYTES: Final = 49
_NEEDED: Final = ("Local", "UTC")


class OldClocks(NamedTuple):
    """The rows of a file.

    Attributes
    ----------
    file : str
        Its name, for messages.
    text : str
        The file, put right.
    clocks : dict of str to BrokerClock
        By exact name; empty when the file cannot be read as a whole.
    findings : tuple of Finding
        What was put right, and what is wrong.
    """

    file: str
    text: str
    clocks: dict[str, BrokerClock]
    findings: tuple[Finding, ...]


def parse_old_clocks(text: str, file: str) -> OldClocks:
    """Read the text of a ``broker-tz.csv``; never fails: what is wrong is in the findings."""
    findings: list[Finding] = []
    mended = _mended(text, file, findings)
    try:
        clocks = read_broker_clocks(lines_of(mended), file)
    except ConfigError as error:
        findings.append(
            Finding(Kind.PROBLEM, file, 0, "", error.message.removeprefix(f"{file}:").lstrip(), "correct the row")
        )
        return OldClocks(file, mended, {}, tuple(findings))
    for name in _NEEDED:
        if name not in clocks:
            text_ = "the library expects a row of that name"
            findings.append(Finding(Kind.PROBLEM, file, 0, name, text_, f"add a row {name}"))
    if len(clocks) > _MAX_ROWS:
        why = f"has {len(clocks)} rows, the library reads {_MAX_ROWS}"
        findings.append(Finding(Kind.PROBLEM, file, 0, "", why, "remove those of brokers that are not used"))
    for name in clocks:
        if len(name.encode()) > _MAX_NAME_BYTES:
            why = f"is longer than {_MAX_NAME_BYTES} bytes"
            findings.append(Finding(Kind.PROBLEM, file, 0, name, why, "take a shorter name, here and in the account"))
    return OldClocks(file, mended, clocks, tuple(findings))


def _mended(text: str, file: str, findings: list[Finding]) -> str:
    """Give zones without summer time their standard offset in the other column as well.

    With months of 0 the library takes the summer offset all year.
    """
    rows = csv.DictReader(lines_of(text), delimiter=";", skipinitialspace=True)
    names = list(rows.fieldnames or ())
    if not {*_MONTHS, "Broker", "GMTOffsetStd", "GMTOffsetDST"} <= {*names}:
        return text
    changed, out = False, io.StringIO()
    writer = csv.DictWriter(out, names, delimiter=";", lineterminator="\n", extrasaction="ignore", restval="")
    writer.writeheader()
    for row in rows:
        if not all((row[name] or "").strip().strip("0") for name in _MONTHS):
            standard, summer = (row["GMTOffsetStd"] or "").strip(), (row["GMTOffsetDST"] or "").strip()
            if standard != summer:
                why = f"has no summer time, and the library would take {summer} all year: {standard} is written there"
                findings.append(Finding(Kind.CHANGED, file, rows.line_num, row["Broker"] or "", why))
                row, changed = {**row, "GMTOffsetDST": standard}, True
        writer.writerow(row)
    return out.getvalue() if changed else text
