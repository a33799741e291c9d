"""What a benchmark answers: measured values beside their floors or peers, as a table for people or JSON for tools."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from benchmarks._support.deadline import within
from benchmarks._support.progress import Progress
from benchmarks._support.quiet import Watch, wait_until_quiet

_LONGEST = 10  # times of what a benchmark should take


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which a share of the values lies (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def median(values: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(values)


@dataclass(frozen=True, slots=True)
class Row:
    """One claim.

    Attributes
    ----------
    what : str
        What was measured.
    value, unit
        The figure.
    beside : str
        The floor or peer measured in the same run; empty when there is none.
    floor : float, optional
        Its figure, same unit.
    mark : str
        The mark set, as people read it.
    holds : bool, optional
        Whether the mark is met.
    """

    what: str
    value: float
    unit: str
    beside: str = ""
    floor: float | None = None
    mark: str = ""
    holds: bool | None = None

    @property
    def ratio(self) -> float | None:
        """The figure over its floor."""
        return self.value / self.floor if self.floor else None


@dataclass
class Report:
    """What a benchmark hands back."""

    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(
        self,
        what: str,
        value: float,
        unit: str,
        beside: str = "",
        floor: float | None = None,
        *,
        mark: str = "",
        holds: bool | None = None,
    ) -> None:
        """Add a row; see `Row`."""
        self.rows.append(Row(what, value, unit, beside, floor, mark, holds))


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says.

    Attributes
    ----------
    rounds : int, optional
        How often to do what the benchmark repeats most, if it was said.
    given : Namespace
        Everything, with what the benchmark added itself.
    progress : Progress
        Where it says what it does, on a terminal.
    """

    quick: bool
    directory: Path
    rounds: int | None
    given: argparse.Namespace
    progress: Progress


def run(
    name: str,
    claim: str,
    measure: Callable[[Options], Report],
    add_arguments: Callable[[argparse.ArgumentParser], None] | None = None,
    *,
    about_s: tuple[float, float] | Callable[[argparse.Namespace], float] | None = None,
) -> None:
    """Run a benchmark as a program: ``--quick``, ``--json``, ``--directory``, ``--quiet-for``, ``--rounds``, its own.

    The directory lies on a real disk by default (``/var/tmp``): in memory an fsync costs nothing and says nothing.

    Parameters
    ----------
    about_s : tuple of float or callable, optional
        How long it takes with ``--quick`` and without, or with what the command line says, on two processors that
        nobody else uses. It is said beforehand; what takes ten times as long is ended, and all that it started.
    """
    # An installation has its bytecode; with this, each process that begins would compile all of it again.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    parser = argparse.ArgumentParser(description=claim)
    parser.add_argument("--quick", action="store_true", help="fewer rounds: does it work, not how fast is it")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument(
        "--directory", type=Path, default=Path("/var/tmp"), help="where files go (default: %(default)s)"
    )
    parser.add_argument(
        "--quiet-for", type=float, default=60.0, metavar="S", help="longest wait for a quiet machine (default: 60)"
    )
    parser.add_argument("--longest", type=float, metavar="S", help="end it then (default: 10 x what it should take)")
    parser.add_argument("--rounds", type=int, metavar="N", help="how often to do what is repeated most")
    if add_arguments is not None:
        add_arguments(parser)
    arguments = parser.parse_args()
    longest_s = None
    if about_s is not None:
        seconds = about_s(arguments) if callable(about_s) else about_s[0 if arguments.quick else 1]
        longest_s = arguments.longest or _LONGEST * seconds
        print(f"{name}: about {seconds:g} s if nobody else works, ended after {longest_s:g} s", file=sys.stderr)
    busy = wait_until_quiet(2.0 if arguments.quick else arguments.quiet_for)
    watch = Watch.begin()
    progress = Progress()
    with (
        within(longest_s),
        tempfile.TemporaryDirectory(prefix="atrader-bench-", dir=arguments.directory) as directory,
    ):
        report = measure(Options(arguments.quick, Path(directory), arguments.rounds, arguments, progress))
    progress.clear()
    machine: dict[str, object] = {
        "cores": psutil.cpu_count(),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "took_s": round(progress.seconds()),
        "busy_before_frac": round(busy, 3),
        "others_frac": round(watch.others_frac(), 3),
    }
    if arguments.json:
        rows = [{**asdict(row), "ratio": row.ratio} for row in report.rows]
        json.dump({"name": name, "claim": claim, "machine": machine, "rows": rows, "notes": report.notes}, sys.stdout)
        print()
    else:
        print(text_of(claim, report, machine))


def text_of(claim: str, report: Report, machine: dict[str, object]) -> str:
    """Lay a report out for people."""
    header = ("what", "measured", "beside", "floor", "ratio", "mark", "")
    lines = [header, *map(_cells, report.rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    shown = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([claim, "", *shown, "", *report.notes, f"machine: {machine}"])


def _cells(row: Row) -> tuple[str, ...]:
    verdict = {True: "holds", False: "MISSED", None: ""}[row.holds]
    floor = "" if row.floor is None else f"{figure(row.floor)} {row.unit}"
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    return (row.what, f"{figure(row.value)} {row.unit}", row.beside, floor, ratio, row.mark, verdict)


def figure(value: float) -> str:
    """Write a figure with three digits that count."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
