"""INI files as the old programs read them: any case of keys, comments behind values, continued lines."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from atrader.configuration.problems import did_you_mean
from framework_bridge.legacy.findings import Finding, Kind
from framework_bridge.legacy.old_text import lines_of

_HEADING: Final = re.compile(r"\[(?P<name>[^\]]*)\]\s*(?:[;#].*)?")
_PAIR: Final = re.compile(r"(?P<key>[^:=\s][^:=]*?)\s*[:=]\s*(?P<value>.*)")
_COMMENT: Final = re.compile(r"(?:^|\s);.*")


class IniValue(NamedTuple):
    """Text of a key, and the line it stands in (counted from 1)."""

    text: str
    line: int


@dataclass
class IniSection:
    """One section; keys are in lower case."""

    name: str
    line: int
    values: dict[str, IniValue] = field(default_factory=dict)


@dataclass
class Ini:
    """A whole file.

    Attributes
    ----------
    file : str
        Its name, for messages.
    sections : dict of str to IniSection
        By name in lower case, in the file's order.
    findings : list of Finding
        What could not be read, and what stands there twice.
    """

    file: str
    sections: dict[str, IniSection] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def section(self, name: str) -> IniSection | None:
        """Return a section by name in any case."""
        return self.sections.get(name.lower())


def parse_ini(text: str, file: str) -> Ini:
    """Read the text of an INI file; never fails: what is wrong is in the findings.

    A ``;`` at the beginning or after a space begins a comment, a ``#`` at the beginning only. An indented line goes on
    with the value above it, whatever it looks like: it may be the rest of a secret. Of a repeated key the last counts.
    """
    return _Reading(Ini(file)).read(text)


class _Reading:
    def __init__(self, ini: Ini) -> None:
        self._ini = ini
        self._section: IniSection | None = None
        self._key = ""
        self._indent = 0  # of the key's line

    def read(self, text: str) -> Ini:
        for number, line in enumerate(lines_of(text), start=1):
            self._take(number, line)
        return self._ini

    def _take(self, number: int, line: str) -> None:
        bare = _COMMENT.sub("", line).strip()
        if not bare or bare.startswith("#"):
            return
        indent = len(line) - len(line.lstrip())
        if self._section is not None and self._key and indent > self._indent:
            before = self._section.values[self._key]
            self._section.values[self._key] = IniValue(f"{before.text} {bare}".strip(), before.line)
            return
        heading = _HEADING.fullmatch(bare)
        if heading is not None:
            self._begin(number, heading["name"].strip())
            return
        pair = _PAIR.fullmatch(bare)
        if pair is not None and self._section is not None:
            self._keep(number, pair["key"].lower(), pair["value"].strip())
            self._indent = indent
        else:  # what it says may be a secret: it is not shown
            text = "no section begins before it" if self._section is None else "neither [section] nor key = value"
            self._find(number, "", text, "correct the line, or make it a comment with ;")

    def _begin(self, number: int, name: str) -> None:
        known = self._ini.section(name)
        if known is not None:
            self._find(number, f"[{name}]", f"begins in line {known.line} already; both are read as one", "join them")
        self._section = self._ini.sections.setdefault(name.lower(), IniSection(name, number))
        self._key = ""

    def _keep(self, number: int, key: str, value: str) -> None:
        assert self._section is not None
        before = self._section.values.get(key)
        if before is not None:
            self._find(number, key, f"stands in line {before.line} too; the later one counts", "remove one of them")
        self._section.values[key] = IniValue(value, number)
        self._key = key

    def _find(self, number: int, key: str, text: str, remedy: str) -> None:
        self._ini.findings.append(Finding(Kind.PROBLEM, self._ini.file, number, key, text, remedy))


class Keys:
    """Takes the keys of a section one by one; what nobody asked for is unknown in the end.

    Parameters
    ----------
    ini : Ini
        Whose findings grow.
    section : IniSection
        The section.
    """

    def __init__(self, ini: Ini, section: IniSection) -> None:
        self._ini = ini
        self._section = section
        self._asked: set[str] = set()

    @property
    def name(self) -> str:
        """Name of the section."""
        return self._section.name

    @property
    def line(self) -> int:
        """Line of its heading."""
        return self._section.line

    def text(self, key: str) -> str | None:
        """Return the text of a key; None when it is missing or empty."""
        self._asked.add(key.lower())
        found = self._section.values.get(key.lower())
        return None if found is None or not found.text else found.text

    def line_of(self, key: str) -> int:
        """Return where a key stands; the section's line when it is missing."""
        found = self._section.values.get(key.lower())
        return self._section.line if found is None else found.line

    def whole(self, key: str, low: int, high: int) -> int | None:
        """Return a whole number; None, and a problem, when it is something else."""
        text = self.text(key)
        if text is None:
            return None
        value = int(text) if re.fullmatch(r"[+-]?[0-9]{1,18}", text) else low - 1
        if low <= value <= high:
            return value
        self.problem(key, f"expected a whole number from {low} to {high}, was {text!r}")
        return None

    def flag(self, key: str) -> bool | None:
        """Return whether something is on; None, and a problem, when it says neither."""
        text = self.text(key)
        if text is None:
            return None
        if text.lower() in ("1", "true", "yes", "on"):
            return True
        if text.lower() not in ("0", "false", "no", "off"):
            self.problem(key, f"expected 0 or 1, was {text!r}")
            return None
        return False

    def items(self, key: str) -> tuple[str, ...]:
        """Return the parts of a list with commas, without those that are empty."""
        return tuple(part.strip() for part in (self.text(key) or "").split(",") if part.strip())

    def problem(self, key: str, text: str, remedy: str = "correct it and import again") -> None:
        """Note that a key cannot be taken over."""
        self.find(Kind.PROBLEM, key, text, remedy)

    def find(self, kind: Kind, key: str, text: str, remedy: str = "") -> None:
        """Note something about a key, or with no key about the section."""
        shown = f"{self.name}.{key}" if key else f"[{self.name}]"
        self._ini.findings.append(Finding(kind, self._ini.file, self.line_of(key), shown, text, remedy))

    def pass_over(self, *keys: str) -> None:
        """Know keys that nothing is made of."""
        self._asked.update(key.lower() for key in keys)

    def tell_unknown(self) -> None:
        """Note the keys that nobody asked for; without their values, which may be secrets."""
        for key in self._section.values:
            if key not in self._asked:
                hint = did_you_mean(key, self._asked)
                self.find(Kind.UNKNOWN, key, f"unknown key, not taken over{hint}")
