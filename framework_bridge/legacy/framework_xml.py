"""``AsirikuyConfig.xml``: what the C library reads once in a process, and crashes on when an element is empty."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from atrader.configuration.problems import did_you_mean
from framework_bridge.legacy.findings import Finding, Kind

MAX_PATH_BYTES: Final = 255
"""The library copies paths unchecked into places of this size."""


class _Element(NamedTuple):
    default: str
    is_number: bool = True
    required: bool = True
    low: int = 0
    high: int = 2**31 - 1


TEMP: Final = "TempFileFolderPath"
CONFIG_FOLDER: Final = "ConfigPaths/ConfigFolderPath"
CLOCKS: Final = "ConfigPaths/BrokerTZFilename"
LOG_FOLDER: Final = "Logging/Folder"
NTP_TIMEOUT: Final = "NTP/Timeout"  # ms
NTP_SERVERS: Final = "NTP/TotalReferenceTimes"

_ELEMENTS: Final[Mapping[str, _Element]] = {
    "RatesBufferExtension": _Element("100", required=False, low=1),
    TEMP: _Element("./tmp", is_number=False),
    CONFIG_FOLDER: _Element("./config", is_number=False),
    CLOCKS: _Element("broker-tz.csv", is_number=False),
    "ConfigPaths/ParamSpaceFilenameExtension": _Element(".set", is_number=False),
    LOG_FOLDER: _Element("./log", is_number=False),
    "Logging/MaxSeverity": _Element("6", high=7),
    "Logging/EnableEquityLog": _Element("0", high=1),
    "Logging/EnableEntryLog": _Element("0", high=1),
    "Logging/barsToLog": _Element("10"),
    "NTP/UpdateInterval": _Element("3600"),
    NTP_TIMEOUT: _Element("400"),
    NTP_SERVERS: _Element("4", low=1, high=10),
    "TradingWeekBoundaries/CropMondayHours": _Element("4", high=24),
    "TradingWeekBoundaries/CropFridayHours": _Element("4", high=24),
}
_DECLARATION: Final = re.compile(r"^\s*<\?xml.*?\?>", re.DOTALL)
_LEAF: Final = re.compile(r"<(?P<name>\w+)\s*>(?P<text>[^<]*)</(?P=name)\s*>")


@dataclass(frozen=True, slots=True)
class FrameworkXml:
    """The values of an ``AsirikuyConfig.xml``, every element filled.

    Attributes
    ----------
    file : str
        Its name, for messages.
    values : Mapping of str to str
        By path below the root, such as ``Logging/Folder``.
    findings : tuple of Finding
        What was mended, and what is not known.
    """

    file: str
    values: Mapping[str, str]
    findings: tuple[Finding, ...]

    def with_paths(self, *, temp: str, config: str, log: str) -> FrameworkXml:
        """Return the same with other folders."""
        values = {**self.values, TEMP: temp, CONFIG_FOLDER: config, LOG_FOLDER: log}
        return FrameworkXml(self.file, values, self.findings)

    @property
    def longest_wait_s(self) -> float:
        """How long one call may wait for time servers that do not answer: they are asked one after the other."""
        return int(self.values[NTP_TIMEOUT]) * int(self.values[NTP_SERVERS]) / 1000

    def with_waits_below(self, limit_s: float) -> FrameworkXml:
        """Return the same with less patience for time servers, where a call could wait for them too long."""
        if self.longest_wait_s < limit_s:
            return self
        fits = int(limit_s * 800 / int(self.values[NTP_SERVERS]))
        text = (
            f"a call could wait {self.longest_wait_s:g} s for time servers, and is ended after {limit_s:g} s: {fits} is"
            " written"
        )
        found = Finding(Kind.CHANGED, self.file, 0, NTP_TIMEOUT, text)
        return FrameworkXml(self.file, {**self.values, NTP_TIMEOUT: str(fits)}, (*self.findings, found))

    def text(self) -> str:
        """Return the file as the library takes it: a declaration, no empty element, no space round a value."""
        lines, group = ['<?xml version="1.0" encoding="UTF-8"?>', "<Asirikuy>"], ""
        for path in _ELEMENTS:
            head, _, name = path.rpartition("/")
            if head != group:
                lines += [f"  </{group}>"] if group else []
                lines += [f"  <{head}>"] if head else []
                group = head
            indent = "    " if head else "  "
            lines.append(f"{indent}<{name}>{escape(self.values[path])}</{name}>")
        return "\n".join([*lines, f"  </{group}>", "</Asirikuy>", ""])


def parse_framework_xml(text: str, file: str) -> FrameworkXml:
    """Read the text of an ``AsirikuyConfig.xml``; never fails: what is wrong is mended and in the findings.

    An element that is missing, empty or no number where one belongs gets a usable value: the library would crash on an
    empty one, and read memory that nobody wrote where the NTP block is missing.
    """
    findings: list[Finding] = []
    found = dict(_elements(text, file, findings))
    values = {path: _value(path, found, file, findings) for path in _ELEMENTS}
    for path, (_, line) in found.items():
        if path not in _ELEMENTS:
            hint = did_you_mean(path, _ELEMENTS)
            findings.append(Finding(Kind.UNKNOWN, file, line, path, f"unknown element, not taken over{hint}"))
    return FrameworkXml(file, values, tuple(findings))


def _value(path: str, found: dict[str, tuple[str, int]], file: str, findings: list[Finding]) -> str:
    wanted, (raw, line) = _ELEMENTS[path], found.get(path, ("", 0))
    text = raw.strip()
    why = None
    if path not in found:
        why = "is missing" if wanted.required else None
    elif not text:
        why = "is empty, and crashes the library's parser"
    elif wanted.is_number and not (re.fullmatch(r"[0-9]{1,10}", text) and wanted.low <= int(text) <= wanted.high):
        why = f"expected a whole number from {wanted.low} to {wanted.high}, was {text!r}"
    elif not text.isprintable():
        why = "holds a character that no path or number has"
    elif len(text.encode()) > MAX_PATH_BYTES:
        why = f"is longer than {MAX_PATH_BYTES} bytes, which the library copies unchecked"
    elif text != raw:
        findings.append(
            Finding(Kind.CHANGED, file, line, path, "the spaces round it, which the library keeps, are off")
        )
    if why is not None:
        findings.append(Finding(Kind.CHANGED, file, line, path, f"{why}: {wanted.default!r} is written"))
        return wanted.default
    return text or wanted.default


def _elements(text: str, file: str, findings: list[Finding]) -> Iterator[tuple[str, tuple[str, int]]]:
    """Yield path, text and line of the elements that hold no others."""
    body = _DECLARATION.sub(lambda match: "\n" * match[0].count("\n"), text)
    try:
        # The library takes several elements without a root round them.
        root = ElementTree.fromstring(f"<root>{body}</root>")
    except ElementTree.ParseError as error:
        why = f"is no whole XML ({error}): only its elements that are whole are taken over"
        findings.append(Finding(Kind.PROBLEM, file, error.position[0], "", why, "compare what was written with it"))
        yield from _leaves(body)
        return
    while len(root) == 1 and not any(path.startswith(root[0].tag) for path in _ELEMENTS):
        root = root[0]  # a root element of any name
    yield from _below(root, "", body)


def _below(parent: ElementTree.Element, path: str, body: str) -> Iterator[tuple[str, tuple[str, int]]]:
    for child in parent:
        name = f"{path}{child.tag}"
        if len(child):
            yield from _below(child, f"{name}/", body)
        else:
            yield name, (child.text or "", _line_of(body, child.tag))


def _leaves(body: str) -> Iterator[tuple[str, tuple[str, int]]]:
    names = {path.rpartition("/")[2]: path for path in _ELEMENTS}
    for match in _LEAF.finditer(body):
        path = names.get(match["name"], match["name"])
        yield path, (match["text"], body.count("\n", 0, match.start()) + 1)


def _line_of(body: str, tag: str) -> int:
    place = re.search(rf"<{re.escape(tag)}[\s/>]", body)
    return 0 if place is None else body.count("\n", 0, place.start()) + 1
