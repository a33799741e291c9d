"""What the documentation tells people to type, and where it points: found in Markdown, checked against the program."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click

from manager.commands.lazy import LazyGroup

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"^\s*(```|~~~)")
_INLINE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_PROGRAM = re.compile(r"(?:^|[\s;&(])(?:\S*/)?(?P<program>atrader-manager|atrader|make)(?P<rest>(?:\s[^#|;&>)]*)?)")
_WORD = re.compile(r"[a-z][a-z-]*")


class Mention(NamedTuple):
    """One command line in a page."""

    page: Path
    line: int
    program: str
    arguments: list[str]

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}: {shlex.join([self.program, *self.arguments])}"


def pages() -> list[Path]:
    """Return every page people read."""
    found = [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("ops/**/*.md"), *ROOT.glob("benchmarks/*.md")]
    return sorted(page for page in found if page.exists())


def _code(text: str) -> Iterator[tuple[int, str, bool]]:
    """Yield line number and text of code lines (fenced or indented: True) and of inline code (False)."""
    fenced = False
    for number, line in enumerate(text.splitlines(), 1):
        if _FENCE.match(line):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            yield number, line, True
        else:
            yield from ((number, match[1], False) for match in _INLINE.finditer(line))


def mentions(page: Path) -> Iterator[Mention]:
    """Yield the command lines of a page; prose inside a code block is none, as it names no program at the beginning."""
    for number, text, whole_line in _code(page.read_text(encoding="utf-8")):
        if whole_line and not re.match(r"\s*(\$ |sudo |exec |\S*=\S* )*(\S*/)?(atrader|atrader-manager|make)\s", text):
            continue
        if not whole_line and not re.match(r"(\S*/)?(atrader|atrader-manager|make)\s+\S", text):
            continue
        for match in _PROGRAM.finditer(text):
            yield Mention(page, number, match["program"], shlex.split(match["rest"], comments=True))


def relative_links(page: Path) -> Iterator[tuple[str, Path]]:
    """Yield each link to a file of ours, as written and resolved; anchors and other sites are left out."""
    fenced = False
    for line in page.read_text(encoding="utf-8").splitlines():
        if _FENCE.match(line):
            fenced = not fenced
        for match in () if fenced else _LINK.finditer(line):
            target = match[1].partition("#")[0]
            if target and not re.match(r"[a-z]+:", target):
                yield match[1], (page.parent / target).resolve()


def problem_of(command: click.Command, arguments: list[str]) -> str | None:
    """Say what is wrong with the arguments of a command, without running it; None when nothing is."""
    words = [word.strip("[]") for word in arguments if word.strip("[].")]
    try:
        while isinstance(command, click.Group):
            context = click.Context(command)
            words = command.spelled_out(context, words) if isinstance(command, LazyGroup) else words
            words = command.make_parser(context).parse_args(words)[1]
            if not words or not _WORD.fullmatch(words[0]):
                return None  # the program alone, or with a placeholder such as VERB
            found = command.get_command(context, words[0])
            if found is None:
                return f"there is no command {words[0]!r}"
            command, words = found, words[1:]
        command.make_parser(click.Context(command, **command.context_settings)).parse_args(words)
    except click.UsageError as error:
        return error.format_message()
    return None


def make_verbs() -> set[str]:
    """Return the verbs of the Makefile."""
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
