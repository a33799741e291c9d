"""The ``.set`` presets of the old front ends: ``KEY=value`` lines, lines for the optimiser, headings."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from atrader.configuration.problems import did_you_mean
from atrader.errors import ConfigError
from framework_bridge.legacy.findings import Finding, Kind
from framework_bridge.legacy.old_text import decode, lines_of
from framework_bridge.legacy.preset_keys import FRONT_END, FRONT_END_PREFIXES, MAX_SPREAD_PIPS, PLACES

_INT32_MAX: Final = 2**31 - 1
_WORDS: Final = {"true": 1.0, "false": 0.0}
_HEADING: Final = re.compile(r"SECTION_\d+")
_LIMITS: Final = {"1": "start", "2": "step", "3": "stop"}


class Range(NamedTuple):
    """What the optimiser of the old front end was told to try for a key; NaN where the preset does not say."""

    optimise: bool = False
    start: float = math.nan
    step: float = math.nan
    stop: float = math.nan

    def limits(self) -> dict[str, float]:
        """Return start, step and stop by name."""
        return {"start": self.start, "step": self.step, "stop": self.stop}


@dataclass(frozen=True)
class Preset:
    """The values of one ``.set`` file.

    Attributes
    ----------
    file : str
        Its name, for messages.
    values : Mapping of str to float
        The keys that the C library knows, as they are called in the file (upper case), in the file's order.
    lines : Mapping of str to int
        The line each of `values` and `front_end` stands in, counted from 1.
    front_end : Mapping of str to str
        Keys that only the old front ends read, as text.
    unknown : Mapping of str to str
        Keys that nobody knows, as text: reported, never fatal.
    ranges : Mapping of str to Range
        What the old optimiser was told; plays no part in trading.
    findings : tuple of Finding
        Unknown keys, repeated keys, and problems (a known key whose value is no number).
    """

    file: str
    values: Mapping[str, float]
    lines: Mapping[str, int]
    front_end: Mapping[str, str]
    unknown: Mapping[str, str]
    ranges: Mapping[str, Range]
    findings: tuple[Finding, ...]

    @property
    def problems(self) -> tuple[Finding, ...]:
        """The findings with which nothing may trade."""
        return tuple(finding for finding in self.findings if finding.kind is Kind.PROBLEM)

    @property
    def settings(self) -> dict[int, float]:
        """Values by their place in the settings array; without the spread limit, which is in pips here."""
        return {PLACES[name]: value for name, value in self.values.items() if name != MAX_SPREAD_PIPS}

    @property
    def max_spread_pips(self) -> float | None:
        """Widest spread, in pips; None when the preset does not say."""
        return self.values.get(MAX_SPREAD_PIPS)

    @property
    def instance_id(self) -> int | None:
        """``STRATEGY_INSTANCE_ID``, also the magic number; None when it is missing, "random" (-1) or no int32."""
        value = self.values.get("STRATEGY_INSTANCE_ID", -1.0)
        return int(value) if 0 <= value <= _INT32_MAX and value.is_integer() else None


def read_preset(path: Path) -> Preset:
    """Read a ``.set`` file that is to trade.

    Raises
    ------
    ConfigError
        When it cannot be read, or a line of it has a problem (unknown keys are none: see `Preset.findings`).
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the preset: {error.strerror}") from error
    preset = parse_preset(decode(data), str(path))
    if preset.problems:
        raise ConfigError("\n".join(map(str, preset.problems)))
    return preset


def parse_preset(text: str, file: str) -> Preset:
    """Read the text of a ``.set`` file; never fails: what is wrong is in the findings.

    Parameters
    ----------
    text : str
        ``KEY=value`` a line, with or without spaces round the ``=``; a ``;`` in front makes a comment. ``KEY,F``,
        ``KEY,1``, ``KEY,2`` and ``KEY,3`` are for the optimiser. Of a repeated key the last line counts, as in MT4.
    file : str
        Its name, for messages.
    """
    reading = _Reading(file)
    for number, line in enumerate(lines_of(text), start=1):
        reading.take(number, line.strip())
    return reading.preset()


@dataclass
class _Reading:
    file: str
    values: dict[str, float] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    front_end: dict[str, str] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)
    ranges: dict[str, Range] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    seen: dict[str, int] = field(default_factory=dict)
    places: dict[int, str] = field(default_factory=dict)

    def preset(self) -> Preset:
        return Preset(
            self.file,
            self.values,
            self.lines,
            self.front_end,
            self.unknown,
            self.ranges,
            tuple(self.findings),
        )

    def take(self, number: int, line: str) -> None:
        if not line or line.startswith(";"):
            return
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals or not key:
            self.find(Kind.PROBLEM, number, "", f"expected KEY=value, was {line!r}", "make it a comment with ;")
            return
        name, comma, part = (piece.strip().upper() for piece in key.partition(","))
        if comma:
            self.take_range(number, name, part, value)
        elif _HEADING.fullmatch(name) is None:
            self.take_value(number, name, value)

    def take_value(self, number: int, name: str, value: str) -> None:
        if name in self.seen:
            text = f"stands in line {self.seen[name]} too; the later one counts"
            self.find(Kind.CHANGED, number, name, text, "remove one of them")
        self.seen[name] = number
        if name in FRONT_END or name.startswith(FRONT_END_PREFIXES):
            self.front_end[name], self.lines[name] = value, number
        elif name not in PLACES:
            self.unknown[name] = value
            self.find(Kind.UNKNOWN, number, name, f"unknown key, ignored{did_you_mean(name, PLACES)}")
        else:
            self.take_known(number, name, value)

    def take_known(self, number: int, name: str, value: str) -> None:
        reading = _number(value)
        if reading is None:
            self.find(Kind.PROBLEM, number, name, f"expected a number, was {value!r}", "correct the preset")
            return
        other = self.places.setdefault(PLACES[name], name)
        if other != name:
            text = f"has the same place in the settings ({PLACES[name]}) as {other} in line {self.lines[other]}"
            self.find(Kind.PROBLEM, number, name, text, "keep the one of this strategy")
        self.values[name], self.lines[name] = reading, number

    def take_range(self, number: int, name: str, part: str, value: str) -> None:
        reading = _number(value)
        if part not in ("F", *_LIMITS) or reading is None:
            self.find(Kind.UNKNOWN, number, f"{name},{part}", f"no line of an optimiser, ignored: was {value!r}")
            return
        known = self.ranges.setdefault(name, Range())
        if part == "F":
            self.ranges[name] = known._replace(optimise=bool(reading))
        else:
            self.ranges[name] = Range(known.optimise, **{**known.limits(), _LIMITS[part]: reading})

    def find(self, kind: Kind, line: int, key: str, text: str, remedy: str = "") -> None:
        self.findings.append(Finding(kind, self.file, line, key, text, remedy))


def _number(text: str) -> float | None:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    try:
        value = float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) else None
